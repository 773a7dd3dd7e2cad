"""Elements and clients for tests of the streams' pure parts."""

from typing import Any

import msgspec

from realtime.broker.market_codec import Control, Element, decode_frame, make_element
from realtime.market.stream.formats import Codec

TIME = "2026-10-06T14:02:13.102334451Z"


def element(kind: str, symbol: str = "AAPL", **fields: Any) -> Element:
    """An element with a time of nanoseconds."""
    return make_element({"T": kind, "S": symbol, "t": TIME, **fields})


def frame(*elements: Element) -> bytes:
    """A frame of elements, as the broker sends it."""
    raws = [msgspec.Raw(each.raw) for each in elements]
    return msgspec.msgpack.encode(raws)


def ack(**channels: list[str]) -> Control:
    """An ack with these names."""
    message = decode_frame(msgspec.msgpack.encode([{"T": "subscription", **channels}]))
    assert isinstance(message, Control)
    return message


class FakePort:
    """A client's connection in memory; it reads when the test says so."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.frames: list[bytes] = []
        self.unsent = 0
        self.refusals: list[int] = []
        self.is_woken = False
        self.is_closed = False

    def write(self, frames: bytes) -> None:
        self.frames.append(frames)
        if not self.reads:
            self.unsent += len(frames)

    def unsent_bytes(self) -> int:
        return self.unsent

    def wake(self) -> None:
        self.is_woken = True

    def refuse(self, code: int) -> None:
        self.refusals.append(code)

    def close(self) -> None:
        self.is_closed = True

    def messages(self, codec: Codec = "msgpack") -> list[dict[str, Any]]:
        """Every message that was written, decoded."""
        messages = []
        for payload in split_frames(b"".join(self.frames)):
            if codec == "msgpack":
                messages += msgspec.msgpack.decode(payload)
            else:
                decoded = msgspec.json.decode(payload)
                messages += [decoded] if codec == "flat" else decoded
        self.frames.clear()
        return messages


def split_frames(data: bytes) -> list[bytes]:
    """The payloads of unmasked websocket frames."""
    payloads = []
    while data:
        length, at = data[1], 2
        if length == 126:
            length, at = int.from_bytes(data[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(data[2:10], "big"), 10
        payloads.append(data[at : at + length])
        data = data[at + length :]
    return payloads
