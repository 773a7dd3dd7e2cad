import msgspec

from realtime.alpaca.shared_words import WORDS, share_words
from realtime.alpaca.wire import decode_orders
from tests.views.made import order

LEG = order(3, status="held")


def listed() -> bytes:
    return msgspec.json.encode([order(1, legs=(LEG,)), order(2)])


def test_orders_share_their_words() -> None:
    first, second = decode_orders(listed())
    again, _ = decode_orders(listed())
    assert first.legs is not None
    for other in (second, again):
        for name in WORDS:
            assert getattr(first, name) is getattr(other, name), name
    assert first.legs[0].symbol is first.symbol


def test_nothing_else_changes() -> None:
    made, copy = order(1, legs=(LEG,), source=None, side=""), order(1, legs=(LEG,), source=None)
    share_words(made)
    assert msgspec.structs.replace(made, side="buy") == copy


def test_what_is_each_orders_own_is_not_held() -> None:
    """Interned, it would stay as long as any order of that price."""
    assert not {"id", "client_order_id", "qty", "limit_price", "updated_at"} & set(WORDS)
