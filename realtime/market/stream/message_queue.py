"""Messages of the small protocol inside one process: what a client of `/market/stream` receives."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from realtime.errors import LinkError
from realtime.market.stream.channels import Kind
from realtime.market.stream.flat_session import FlatSession
from realtime.market.stream.hub import StreamHub

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class MessageQueue:
    """One program's subscriptions, and the messages that it has not read."""

    def __init__(self, get_hub: Callable[[Kind], StreamHub], *, max_subscriptions: int) -> None:
        self._session = FlatSession(get_hub, self, max_subscriptions=max_subscriptions)
        self._payloads: deque[bytes] = deque()
        self._unread_bytes = 0
        self._changed = asyncio.Event()
        self._error: LinkError | None = None

    async def subscribe(self, symbols: Iterable[str], streams: Iterable[str]) -> None:
        """Subscribe. A refusal is raised by `receive`."""
        await self._session.subscribe(symbols, streams)

    async def receive(self) -> dict[str, Any]:
        """Wait for a message about a symbol. Raises `LinkError`. Cancelling loses none."""
        while True:
            while not self._payloads:
                if self._error is not None:
                    raise self._error
                self._changed.clear()
                if self._session.flush() and not self._payloads:
                    await self._changed.wait()
            payload = self._payloads.popleft()
            self._unread_bytes -= len(payload)
            message: dict[str, Any] = _decode(payload)
            if message["type"] == "error":
                raise LinkError(f"{message['message']} ({message['code']})")
            if message["type"] != "subscribed":
                return message

    # -- the port of the session -----------------------------------------------------------------

    def write(self, frames: bytes) -> None:
        """Add the messages of frames."""
        for payload in _payloads(frames):
            self._payloads.append(payload)
            self._unread_bytes += len(payload)
        self._changed.set()

    def unsent_bytes(self) -> int:
        """What the program has not read."""
        return self._unread_bytes

    def wake(self) -> None:
        """More waits in the session; `receive` fetches it."""
        self._changed.set()

    def refuse(self, code: int) -> None:
        """End with an error: the program does not keep up."""
        self._error = LinkError(
            f"the program does not read fast enough ({code})",
            remedy="subscribe to fewer symbols or streams, or read in a task of its own",
        )
        self._changed.set()

    def close(self) -> None:
        """End: of the subscription, or of the whole."""
        if self._error is None:
            self._error = LinkError("market data was closed")
            self._session.close()
        self._changed.set()


def _payloads(frames: bytes) -> Iterator[bytes]:
    """Return the payloads of unmasked, unfragmented frames (`formats.frame`)."""
    at = 0
    while at < len(frames):
        length, at = frames[at + 1], at + 2
        if length == 126:
            (length,), at = struct.unpack_from(">H", frames, at), at + 2
        elif length == 127:
            (length,), at = struct.unpack_from(">Q", frames, at), at + 8
        yield frames[at : at + length]
        at += length
