"""Frames of market-data streams: split into elements whose bytes stay as they came.

A stream is read as MessagePack: option streams have nothing else, and a frame is split without
decoding it (0.2 µs an element, measured). msgspec reads a timestamp as `datetime`, which has no
nanoseconds, so times are read from the bytes (MARKET 3.3).
"""

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Raw, Struct

from realtime.core.timestamps import nanoseconds
from realtime.errors import ProtocolViolation
from realtime.secret import Credentials

SECOND = 1_000_000_000

CONTROL_TYPES = frozenset({"success", "error", "subscription"})
"""Message types of the conversation; all others are data."""

_TIMESTAMP_32: Final = b"\xd6\xff"
_TIMESTAMP_64: Final = b"\xd7\xff"
_TIMESTAMP_96: Final = b"\xc7\x0c\xff"


Names = Mapping[str, Iterable[str]]
"""Channel → symbols."""


class _Header(Struct):
    """What routes an element; news have `symbols` instead of `S`."""

    T: str
    S: str = ""
    symbols: list[str] = []


class _Level(Struct):
    p: float
    s: float


class Control(Struct, frozen=True, kw_only=True):
    """A message of the conversation. `code` is that of an error, `channels` those of an ack."""

    kind: str
    text: str = ""
    code: int | None = None
    channels: Mapping[str, tuple[str, ...]] = {}


class Element:
    """One element of a frame. `seq` is its number in the relay, 0 before it has one."""

    __slots__ = ("_json", "kind", "raw", "seq", "symbols")

    def __init__(self, kind: str, symbols: tuple[str, ...], raw: bytes) -> None:
        self.kind = kind
        """The message type, such as `t` for a trade."""
        self.symbols = symbols
        self.raw = raw
        """Its MessagePack bytes."""
        self.seq = 0
        self._json: bytes | None = None

    @property
    def symbol(self) -> str:
        """The first of its symbols; empty if it has none."""
        return self.symbols[0] if self.symbols else ""

    @property
    def json(self) -> bytes:
        """The element as JSON, in the same order of fields; made once."""
        if self._json is None:
            self._json = to_json(self.raw)
        return self._json

    def fields(self) -> dict[str, object]:
        """Its fields, with times as RFC 3339."""
        fields = _decode_object(self.raw)
        for name, value in fields.items():
            if isinstance(value, datetime):
                fields[name] = format_ns(_read_ns(_decode_fields(self.raw)[name]))
        return fields

    def time_ns(self) -> int:
        """Its time in epoch nanoseconds; 0 if it has none."""
        raw = _decode_fields(self.raw).get("t")
        return 0 if raw is None else _read_ns(raw)


_decode_raw = msgspec.msgpack.Decoder(list[Raw]).decode
_decode_header = msgspec.msgpack.Decoder(_Header).decode
_decode_fields = msgspec.msgpack.Decoder(dict[str, Raw]).decode
_decode_object = msgspec.msgpack.Decoder(dict[str, object]).decode
_decode_levels = msgspec.msgpack.Decoder(list[_Level]).decode
_encode = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode


def decode_frame(frame: bytes) -> list[Element] | Control:
    """Return the elements of a frame, or its only control message. Raises `ProtocolViolation`."""
    try:
        elements = []
        for raw in _decode_raw(frame):
            header = _decode_header(raw)
            if header.T in CONTROL_TYPES:
                return _control(_decode_object(raw))
            symbols = (header.S,) if header.S else tuple(header.symbols)
            elements.append(Element(header.T, symbols, bytes(raw)))
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ProtocolViolation(f"unreadable frame of market data: {error}") from error
    return elements


def _control(fields: dict[str, object]) -> Control:
    code = fields.get("code")
    return Control(
        kind=str(fields["T"]),
        text=str(fields.get("msg", "")),
        code=code if isinstance(code, int) else None,
        channels={
            name: tuple(map(str, value)) for name, value in fields.items() if type(value) is list
        },
    )


def encode_authorization(credentials: Credentials) -> bytes:
    """Return the frame that authorizes. The only place where the data key leaves for a stream."""
    key, secret = credentials.key_id.reveal(), credentials.secret_key.reveal()
    return _encode({"action": "auth", "key": key, "secret": secret})


def encode_change(action: str, channels: Names) -> bytes:
    """Return the frame that subscribes or unsubscribes."""
    return _encode({"action": action, **{name: list(names) for name, names in channels.items()}})


def make_element(fields: Mapping[str, object]) -> Element:
    """Return an element of our own from fields as REST has them: `t` is RFC 3339, or the bytes of
    another element's."""
    encoded = {
        name: _timestamp(nanoseconds(value)) if name == "t" and isinstance(value, str) else value
        for name, value in fields.items()
    }
    return Element(str(fields["T"]), (str(fields["S"]),), _encode(encoded))


def replace_fields(element: Element, fields: Mapping[str, object]) -> Element:
    """Return an element with other values of some fields; the others keep their bytes."""
    changed: dict[str, object] = dict(_decode_fields(element.raw))
    changed.update(fields)
    return Element(element.kind, element.symbols, _encode(changed))


def raw_fields(element: Element) -> dict[str, Raw]:
    """Return the MessagePack bytes of each field."""
    return _decode_fields(element.raw)


def read_levels(raw: Raw | None) -> list[tuple[float, float]]:
    """Return price and size of the levels of an order book's side."""
    return [] if raw is None else [(level.p, level.s) for level in _decode_levels(raw)]


def array_header(length: int) -> bytes:
    """Return the first bytes of a MessagePack array."""
    if length < 16:
        return bytes((0x90 | length,))
    return struct.pack(">BH", 0xDC, length) if length < 65_536 else struct.pack(">BI", 0xDD, length)


def to_json(raw: bytes) -> bytes:
    """Return a MessagePack object as JSON: the order of fields and nanoseconds are kept."""
    fields = _decode_object(raw)
    parts: dict[str, Raw] | None = None
    for name, value in fields.items():
        if isinstance(value, datetime):
            parts = parts or _decode_fields(raw)
            fields[name] = format_ns(_read_ns(parts[name]))
    return _encode_json(fields)


def format_ns(at: int) -> str:
    """Return epoch nanoseconds as RFC 3339 with up to nine decimals, as the broker has it."""
    seconds, fraction = divmod(at, SECOND)
    if not fraction:
        return _format_second(seconds) + "Z"
    return f"{_format_second(seconds)}.{fraction:09d}".rstrip("0") + "Z"


@lru_cache(maxsize=256)
def _format_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _read_ns(raw: Raw) -> int:
    """Return a timestamp (MessagePack extension type -1) in epoch nanoseconds; 0 if it is none."""
    data = bytes(raw)
    if data.startswith(_TIMESTAMP_64):
        value = int.from_bytes(data[2:], "big")
        return (value & 0x3_FFFF_FFFF) * SECOND + (value >> 34)
    if data.startswith(_TIMESTAMP_32):
        return int.from_bytes(data[2:], "big") * SECOND
    if data.startswith(_TIMESTAMP_96):
        fraction, seconds = struct.unpack(">Iq", data[3:])
        return int(seconds) * SECOND + int(fraction)
    return 0


def _timestamp(at: int) -> msgspec.msgpack.Ext:
    seconds, fraction = divmod(at, SECOND)
    return msgspec.msgpack.Ext(-1, struct.pack(">Q", fraction << 34 | seconds))
