"""Fields that we do not know pass through byte for byte; removed ones break nothing."""

import json
import timeit
from functools import partial
from time import thread_time
from typing import Any

import msgspec
import pytest
from msgspec import structs

from bench.frames import order_json
from realtime.broker.codec import (
    decode_account,
    decode_frame,
    decode_order,
    decode_orders,
    decode_positions,
)
from realtime.broker.extra_fields import StrictOrder
from realtime.core import extended
from realtime.core.apply import apply
from realtime.core.extended import MAX_FIELDS, MAX_SHAPES, MAX_VALUE_BYTES
from realtime.core.model import Account, Order, Position, TradeUpdate
from realtime.core.state import EMPTY
from realtime.core.timestamps import NEVER
from tests.broker.samples import ACCOUNT, POSITION, frame, order, update

EXTRA = b'"usd":{"qty": "1.50", "n": 1e2},"odd-name":"\\u00e9\\u001b[31m","legs2":[ 1,2 ]'
"""As no encoder of ours would write it: spaces, an exponent, escapes."""


def with_extra(value: object, extra: bytes = EXTRA) -> bytes:
    return json.dumps(value).encode()[:-1] + b"," + extra + b"}"


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def test_orders_of_the_stream_keep_unknown_fields() -> None:
    raw = frame({"event": "new", "order": None})
    body = raw.replace(b"null", with_extra(order()), 1)
    message = decode_frame(body)
    assert isinstance(message, TradeUpdate)
    assert type(message) is TradeUpdate
    assert encoded(message.order).endswith(EXTRA + b"}")
    state = apply(EMPTY, message, 1.0, NEVER).state
    assert encoded(state.orders[message.order.id]).endswith(EXTRA + b"}")


def test_objects_of_rest_keep_unknown_fields() -> None:
    assert encoded(decode_order(with_extra(order()))).endswith(EXTRA + b"}")
    assert encoded(decode_account(with_extra(ACCOUNT))).endswith(EXTRA + b"}")
    bodies = [with_extra(POSITION), json.dumps(POSITION).encode()]
    with_it, without = decode_positions(b"[" + b",".join(bodies) + b"]")
    assert encoded(with_it).endswith(EXTRA + b"}")
    assert EXTRA not in encoded(without)


def test_legs_keep_unknown_fields() -> None:
    leg = with_extra(order(id="leg", legs=None))
    top = json.dumps(order(legs="LEGS")).encode().replace(b'"LEGS"', b"[" + leg + b"]")
    (decoded,) = decode_orders(b"[" + top + b"]")
    assert decoded.legs is not None
    assert EXTRA in encoded(decoded)
    assert encoded(decoded.legs[0]).endswith(EXTRA + b"}")


def test_a_changed_order_keeps_its_unknown_fields() -> None:
    decoded = decode_order(with_extra(order()))
    assert encoded(structs.replace(decoded, legs=None)).endswith(EXTRA + b"}")


def test_stream_and_rest_give_equal_orders() -> None:
    message = decode_frame(
        frame({"event": "new", "order": None}).replace(b"null", with_extra(order()))
    )
    assert isinstance(message, TradeUpdate)
    assert message.order == decode_order(with_extra(order()))


def test_objects_without_unknown_fields_are_plain() -> None:
    """So two orders of the same content are equal, wherever they came from."""
    message = decode_frame(frame(update()))
    assert isinstance(message, TradeUpdate)
    (listed,) = decode_orders(encoded([order(legs=[order(id="leg")])]))
    assert listed.legs is not None
    assert {type(o) for o in (message.order, listed, *listed.legs)} == {Order}
    assert type(decode_account(encoded(ACCOUNT))) is Account
    assert [type(p) for p in decode_positions(encoded([POSITION]))] == [Position]


@pytest.mark.parametrize("name", sorted(set(order()) - {"id", "status"}))
def test_a_removed_field_breaks_nothing(name: str) -> None:
    body = {key: value for key, value in order().items() if key != name}
    assert decode_order(encoded(body)).id == order()["id"]
    message = decode_frame(
        encoded({"stream": "trade_updates", "data": {"event": "new", "order": body}})
    )
    assert isinstance(message, TradeUpdate)


@pytest.mark.parametrize("name", sorted(set(ACCOUNT) - {"id", "account_number"}))
def test_a_removed_account_field_breaks_nothing(name: str) -> None:
    body = {key: value for key, value in ACCOUNT.items() if key != name}
    assert decode_account(encoded(body)).id == ACCOUNT["id"]


def test_unknown_fields_are_bounded() -> None:
    many = b",".join(b'"f%d":%d' % (n, n) for n in range(1000))
    long = b'"long":"' + b"x" * MAX_VALUE_BYTES + b'"'
    decoded = decode_order(with_extra(order(), long + b"," + many))
    assert len(structs.fields(decoded)) == len(structs.fields(Order)) + MAX_FIELDS
    assert b"long" not in encoded(decoded)


@pytest.mark.parametrize("name", [b'a\\"b', b"a\\\\b", b"a\\u0001b", b"", b"x" * 200])
def test_odd_names_are_dropped(name: bytes) -> None:
    decoded = decode_order(with_extra(order(), b'"' + name + b'":1,"usd":"1"'))
    assert encoded(decoded).endswith(b',"usd":"1"}')
    assert type(decoded).__struct_fields__[-1] == "extra_0"


def test_shapes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extended, "_extended", {})
    for n in range(2 * MAX_SHAPES):
        decode_order(with_extra(order(), b'"f%d":1' % n))
    assert len(extended._extended) == MAX_SHAPES


def test_raw_values_do_not_keep_the_response_in_memory() -> None:
    body = b"[" + with_extra(order()) + b"]"
    (decoded,) = decode_orders(body)
    raw = [value for value in structs.astuple(decoded) if isinstance(value, msgspec.Raw)]
    assert raw
    assert all(memoryview(value).obj is not body for value in raw)


def test_strict_decoding_is_as_fast_as_plain_decoding() -> None:
    """Objects without unknown fields cost nothing extra."""
    body = encoded(order_json(1))
    decoders: list[msgspec.json.Decoder[Any]] = [
        msgspec.json.Decoder(Order),
        msgspec.json.Decoder(StrictOrder),
    ]
    plain_s, strict_s = (
        min(timeit.repeat(partial(decoder.decode, body), timer=thread_time, number=500, repeat=40))
        for decoder in decoders
    )
    assert strict_s < 1.6 * plain_s  # of this thread alone; measured: equal
