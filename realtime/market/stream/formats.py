"""Batches of elements as complete websocket frames, made once for all clients of a group.

`json` and `msgpack` are Alpaca's own forms: arrays of elements, whose MessagePack bytes are those
that the broker sent. `flat` is the small protocol: one JSON object a frame. A resumable client gets
one more element at the end of each array, with the number up to which it has everything.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from realtime.broker.market_codec import Element, array_header

Codec = Literal["json", "msgpack", "flat"]

TEXT, BINARY = 0x81, 0x82
"""First byte of a final frame (RFC 6455 section 5.2)."""

FLAT_TYPES: Mapping[str, str] = {
    "t": "trade", "q": "quote", "b": "bar", "u": "updated_bar", "d": "daily_bar", "s": "status",
    "l": "luld", "i": "imbalance", "o": "orderbook", "n": "news", "c": "correction",
    "x": "cancel_error",
}  # fmt: skip

_BAR = {
    "o": "open", "h": "high", "l": "low", "c": "close", "v": "volume", "n": "trade_count",
    "vw": "vwap",
}  # fmt: skip
FLAT_FIELDS: Mapping[str, Mapping[str, str]] = {
    "t": {"p": "price", "s": "size", "x": "exchange", "c": "conditions", "i": "id", "z": "tape"},
    "q": {
        "bp": "bid_price", "bs": "bid_size", "bx": "bid_exchange", "ap": "ask_price",
        "as": "ask_size", "ax": "ask_exchange", "c": "conditions", "z": "tape",
    },
    "b": _BAR,
    "u": _BAR,
    "d": _BAR,
    "o": {"b": "bids", "a": "asks", "r": "reset"},
}  # fmt: skip
"""Kind → field → its name in the small protocol; others keep theirs."""

COMMON = {"S": "symbol", "t": "timestamp"}

_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode


def frame(payload: bytes, *, is_text: bool) -> bytes:
    """Return one unmasked, unfragmented frame."""
    first, length = TEXT if is_text else BINARY, len(payload)
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65_536:
        return struct.pack(">BBH", first, 126, length) + payload
    return struct.pack(">BBQ", first, 127, length) + payload


def encode_elements(elements: Sequence[Element], codec: Codec, *, has_seq: bool = False) -> bytes:
    """Return the frames of a batch; `has_seq` adds the number of its last element."""
    if codec == "flat":
        return b"".join(frame(_encode_flat(element), is_text=True) for element in elements)
    if codec == "json":
        parts = [element.json for element in elements]
        if has_seq:
            parts.append(_encode_json(_seq(elements)))
        return frame(b"[" + b",".join(parts) + b"]", is_text=True)
    raws = [element.raw for element in elements]
    if has_seq:
        raws.append(_encode_msgpack(_seq(elements)))
    return frame(array_header(len(raws)) + b"".join(raws), is_text=False)


def encode_message(message: Mapping[str, object], codec: Codec) -> bytes:
    """Return the frame of one control message, which is alone in its frame."""
    if codec == "msgpack":
        return frame(_encode_msgpack([message]), is_text=False)
    return frame(_encode_json(message if codec == "flat" else [message]), is_text=True)


def _seq(elements: Sequence[Element]) -> dict[str, object]:
    return {"T": "seq", "seq": elements[-1].seq}


def _encode_flat(element: Element) -> bytes:
    names = FLAT_FIELDS.get(element.kind, {})
    flat: dict[str, object] = {"type": FLAT_TYPES.get(element.kind, element.kind)}
    for name, value in element.fields().items():
        if name != "T":
            flat[COMMON.get(name) or names.get(name, name)] = value
    flat["seq"] = element.seq
    return _encode_json(flat)
