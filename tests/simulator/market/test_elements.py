"""Encodings of elements: key order, nanoseconds, array headers."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.timestamps import parse_rfc3339
from realtime.simulator.market.elements import Element, encode_control, encode_frame, to_rest

AT = parse_rfc3339("2026-10-06T14:02:13.102334451Z")


def test_messagepack_has_the_timestamp_extension_of_the_recording() -> None:
    """The bytes of MARKET 3.3: fixext 8, type -1, nanoseconds << 34 | seconds."""
    frame = encode_frame([Element({"T": "x", "t": AT, "symbols": []})], msgpack=True)
    recorded = "a1 54 a1 78 a1 74 d7 ff 18 65 ff cc 6a c4 ff 65".replace(" ", "")
    assert recorded in frame.hex()
    assert frame.hex().startswith("91")


def test_json_keeps_key_order_and_nanoseconds() -> None:
    frame = encode_frame([Element({"T": "t", "S": "KO", "p": 1.5, "t": AT})], msgpack=False)
    assert frame == b'[{"T":"t","S":"KO","p":1.5,"t":"2026-10-06T14:02:13.102334451Z"}]'


@pytest.mark.parametrize("count", [0, 1, 15, 16, 1000, 70_000])
def test_frames_of_any_length_decode(count: int) -> None:
    elements = [Element({"T": "t", "S": "KO", "i": number}) for number in range(count)]
    decoded = msgspec.msgpack.decode(encode_frame(elements, msgpack=True))
    assert [each["i"] for each in decoded] == list(range(count))
    assert json.loads(encode_frame(elements, msgpack=False)) == decoded


@given(st.integers(0, 2**33), st.integers(0, 999_999_999))
def test_both_codecs_carry_the_same_time(seconds: int, nanoseconds: int) -> None:
    at = seconds * 1_000_000_000 + nanoseconds
    element = Element({"T": "t", "S": "KO", "t": at})
    ((message),) = msgspec.msgpack.decode(
        encode_frame([element], msgpack=True), type=list[dict[str, msgspec.Raw]]
    )
    packed = int.from_bytes(bytes(message["t"])[2:])
    assert (packed & (1 << 34) - 1, packed >> 34) == (seconds, nanoseconds)
    if seconds < 2**32:
        assert parse_rfc3339(to_rest(element.fields)["t"]) == at


def test_control_messages_are_arrays_of_one() -> None:
    message = {"T": "success", "msg": "connected"}
    assert encode_control(message, msgpack=False) == b'[{"T":"success","msg":"connected"}]'
    assert msgspec.msgpack.decode(encode_control(message, msgpack=True)) == [message]
