"""Elements of market data (trades, quotes, bars …) and their encodings.

An element is a dict in wire order whose times are epoch nanoseconds (int). Each is encoded at most
once per codec, however many sockets get it. `T` is the first key: the Go SDK requires it.
"""

import struct
from typing import Any

import msgspec

from realtime.simulator.exchange.timestamps import SECOND, format_rfc3339

Fields = dict[str, Any]

TIME_FIELDS = ("t", "created_at", "updated_at")
# MessagePack's timestamp extension (type -1): alpaca-py loses the frame if `t` is a string.
_TIMESTAMP = -1

_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode


class Element:
    """One message of a stream, with its encodings."""

    __slots__ = ("_json", "_msgpack", "fields", "symbols")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.symbols: list[str] = fields["symbols"] if "symbols" in fields else [fields["S"]]
        self._json: bytes | None = None
        self._msgpack: bytes | None = None

    @property
    def type(self) -> str:
        """The message type, such as `t` for a trade."""
        return str(self.fields["T"])

    def encode(self, *, msgpack: bool) -> bytes:
        """Return the element's bytes, without the array around it."""
        if msgpack:
            if self._msgpack is None:
                self._msgpack = _encode_msgpack(_with_times(self.fields, encode_timestamp))
            return self._msgpack
        if self._json is None:
            self._json = _encode_json(_with_times(self.fields, format_rfc3339))
        return self._json


def encode_frame(elements: list[Element], *, msgpack: bool) -> bytes:
    """Return one frame: an array of elements."""
    parts = [element.encode(msgpack=msgpack) for element in elements]
    if msgpack:
        return _array_header(len(parts)) + b"".join(parts)
    return b"[" + b",".join(parts) + b"]"


def encode_control(message: Fields, *, msgpack: bool) -> bytes:
    """Return a frame with one control message."""
    return _encode_msgpack([message]) if msgpack else _encode_json([message])


def decode_message(data: bytes | str, *, msgpack: bool) -> object:
    """Return a client's message; raises msgspec.DecodeError."""
    raw = data.encode() if isinstance(data, str) else data
    return msgspec.msgpack.decode(raw) if msgpack else msgspec.json.decode(raw)


def to_rest(fields: Fields) -> Fields:
    """Return the element as in REST: without `T` and `S`, times as RFC 3339."""
    kept = {name: value for name, value in fields.items() if name not in ("T", "S")}
    return _with_times(kept, format_rfc3339)


def encode_timestamp(at: int) -> msgspec.msgpack.Ext:
    """Return a time as MessagePack timestamp 64: nanoseconds << 34 | seconds."""
    seconds, nanoseconds = divmod(at, SECOND)
    return msgspec.msgpack.Ext(_TIMESTAMP, struct.pack(">Q", nanoseconds << 34 | seconds))


def _with_times(fields: Fields, format_time: Any) -> Fields:
    changed = dict(fields)
    for name in TIME_FIELDS:
        if isinstance(changed.get(name), int):
            changed[name] = format_time(changed[name])
    return changed


def _array_header(length: int) -> bytes:
    if length < 16:
        return bytes([0x90 | length])
    return struct.pack(">BH", 0xDC, length) if length < 65_536 else struct.pack(">BI", 0xDD, length)
