from typing import get_args

import msgspec
import pytest
from msgspec import structs

from realtime.broker.codec import decode_frame, decode_orders
from realtime.broker.extra_fields import Status
from realtime.broker.interning import INTERNED_FIELDS, WORDS, intern_fields
from realtime.core.model import Order, TradeUpdate
from realtime.core.order_status import ORDER_STATUSES
from tests.api.documents.made import order

LEG = order(3, status="held")


def listed() -> bytes:
    return msgspec.json.encode([order(1, legs=(LEG,)), order(2)])


def test_orders_share_their_words() -> None:
    first, second = decode_orders(listed())
    again, _ = decode_orders(listed())
    assert first.legs is not None
    for other in (second, again):
        for name in INTERNED_FIELDS:
            assert getattr(first, name) is getattr(other, name), name
    assert first.legs[0].symbol is first.symbol


def test_nothing_else_changes() -> None:
    made, copy = order(1, legs=(LEG,), source=None, side=""), order(1, legs=(LEG,), source=None)
    intern_fields(made)
    assert msgspec.structs.replace(made, side="buy") == copy


def test_what_is_each_orders_own_is_not_held() -> None:
    """Interned, it would stay as long as any order of that price."""
    assert not {"id", "client_order_id", "limit_price", "updated_at"} & set(INTERNED_FIELDS)


def test_long_quantities_are_not_held() -> None:
    """Few orders are of just so much."""
    first, second = order(1, qty="100", filled_qty="0.73190"), order(2, qty="100")
    again = msgspec.json.decode(msgspec.json.encode(first), type=Order)
    for each in (first, second, again):
        intern_fields(each)
    assert first.qty is second.qty is again.qty
    assert first.filled_qty == again.filled_qty
    assert first.filled_qty is not again.filled_qty


def test_every_known_status_is_decoded_without_a_second_try() -> None:
    assert set(get_args(Status)) == ORDER_STATUSES.keys()


@pytest.mark.parametrize("field", sorted(WORDS))
def test_a_word_that_is_not_known_passes_as_it_is(field: str) -> None:
    """Also in a list: the other orders are as they would be without it."""
    orders = (structs.replace(order(1), **{field: "new_word"}), order(2))
    body = msgspec.json.encode(orders)
    decoded = decode_orders(body)
    assert decoded == orders
    assert [type(each) for each in decoded] == [Order, Order]
    assert msgspec.json.encode(decoded) == body


def test_a_frame_with_a_word_that_is_not_known_is_an_event() -> None:
    body = b'{"stream":"trade_updates","data":{"event":"new","order":%b}}'
    changed = structs.replace(order(1), side="sell_short", status="frozen")
    message = decode_frame(body % msgspec.json.encode(changed))
    assert isinstance(message, TradeUpdate)
    assert message.order == changed
