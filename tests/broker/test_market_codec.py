"""Frames of market data: bytes stay as they came, JSON keeps order and nanoseconds."""

import contextlib
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker.market_codec import (
    Control,
    Element,
    array_header,
    decode_frame,
    format_ns,
    make_element,
    replace_fields,
    to_json,
)
from realtime.core.timestamps import nanoseconds
from realtime.errors import ProtocolViolation
from realtime.simulator.market.elements import Element as Sent
from realtime.simulator.market.elements import encode_frame

NS = 1_791_295_333_102_334_451
EPOCH_NS = st.integers(0, 2**34 * 10**9 - 1)

TRADE = {
    "T": "t", "S": "NVDA", "i": 52983525029461, "x": "V", "p": 188.4, "s": 18, "c": ["@", "I"],
    "t": NS, "z": "C",
}  # fmt: skip
BOOK = {"T": "o", "S": "BTC/USD", "t": NS, "b": [{"p": 61044.1, "s": 0.27}], "a": [], "r": True}
NEWS = {
    "T": "n", "id": 24919710, "headline": "Überraschung", "created_at": NS, "updated_at": NS,
    "symbols": ["NVDA", "XLF"],
}  # fmt: skip


def elements_of(frame: bytes) -> list[Element]:
    decoded = decode_frame(frame)
    assert isinstance(decoded, list)
    return decoded


@pytest.mark.parametrize("count", [1, 15, 16, 70_000])
def test_a_frame_is_split_into_the_bytes_that_came(count: int) -> None:
    frame = encode_frame([Sent(dict(TRADE))] * count, msgpack=True)
    elements = elements_of(frame)
    assert array_header(count) + b"".join(element.raw for element in elements) == frame
    assert {(e.kind, e.symbols) for e in elements} == {("t", ("NVDA",))}


@pytest.mark.parametrize("fields", [TRADE, BOOK, NEWS], ids=["trade", "book", "news"])
def test_json_is_what_the_broker_itself_sends_to_json_clients(fields: dict[str, object]) -> None:
    sent = Sent(dict(fields))
    (element,) = elements_of(encode_frame([sent], msgpack=True))
    assert element.json == sent.encode(msgpack=False)
    assert element.symbols == tuple(sent.symbols)


def test_a_time_keeps_its_nanoseconds() -> None:
    (element,) = elements_of(encode_frame([Sent(dict(TRADE))], msgpack=True))
    assert element.time_ns() == NS
    assert element.fields()["t"] == "2026-10-06T14:02:13.102334451Z"


@given(EPOCH_NS)
def test_times_are_written_as_rfc_3339(at: int) -> None:
    assert nanoseconds(format_ns(at)) == at or at == 0


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xd6\xff" + struct.pack(">I", 1_791_295_333), "2026-10-06T14:02:13Z"),
        (b"\xc7\x0c\xff" + struct.pack(">Iq", 5, 1_791_295_333), "2026-10-06T14:02:13.000000005Z"),
    ],
    ids=["32 bits", "96 bits"],
)
def test_every_form_of_a_timestamp_is_read(raw: bytes, text: str) -> None:
    assert to_json(b"\x81\xa1t" + raw) == b'{"t":"%b"}' % text.encode()


def test_a_control_message_is_recognized() -> None:
    ack = decode_frame(msgspec.msgpack.encode([{"T": "subscription", "trades": ["A"], "bars": []}]))
    assert ack == Control(kind="subscription", channels={"trades": ("A",), "bars": ()})
    error = decode_frame(msgspec.msgpack.encode([{"T": "error", "code": 406, "msg": "limit"}]))
    assert error == Control(kind="error", code=406, text="limit")


def test_an_element_of_rest_has_the_form_of_the_stream() -> None:
    bar = make_element({"T": "b", "S": "A", "o": 1.5, "t": "2026-10-06T14:01:00Z"})
    assert bar.json == b'{"T":"b","S":"A","o":1.5,"t":"2026-10-06T14:01:00Z"}'


def test_replaced_fields_keep_the_bytes_of_the_others() -> None:
    (element,) = elements_of(encode_frame([Sent(dict(TRADE))], msgpack=True))
    changed = replace_fields(element, {"p": 1.25})
    assert changed.fields() == {**element.fields(), "p": 1.25}
    assert changed.time_ns() == NS


@given(st.binary(max_size=64))
def test_bytes_that_are_no_frame_raise_one_kind_of_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolViolation):
        decode_frame(data)
