"""Waiting orders are found when, and only when, the price reaches their level."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.venue.order_book import OrderBook
from realtime.simulator.exchange.venue.symbols import build_listing

ASSET = build_listing(date(2026, 10, 6)).get_tradable("F")


def order(number: int, side: str, kind: str, level: int) -> Order:
    return Order(
        id=str(number),
        label="alpha",
        client_order_id=str(number),
        number=number,
        asset=ASSET,
        side=side,
        type=kind,
        time_in_force="day",
        order_class="",
        status="new",
        created_at=0,
        updated_at=0,
        submitted_at=0,
        expires_at=None,
        qty=Decimal(1),
        limit_price=Decimal(level) if kind == "limit" else None,
        stop_price=Decimal(level) if kind == "stop" else None,
    )


def is_reached(waiting: Order, price: int) -> bool:
    level = waiting.limit_price if waiting.type == "limit" else waiting.stop_price
    assert level is not None
    falls_to_it = waiting.is_buy == (waiting.type == "limit")
    return price <= level if falls_to_it else price >= level


waiting_orders = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]), st.sampled_from(["limit", "stop"]), st.integers(1, 30)
    ),
    max_size=80,
)


@given(orders=waiting_orders, removed=st.sets(st.integers(0, 79)), price=st.integers(1, 30))
def test_activation_returns_exactly_the_reached_orders(
    orders: list[tuple[str, str, int]], removed: set[int], price: int
) -> None:
    """Whatever was removed before is not found again."""
    book = OrderBook()
    waiting = [order(number, *fields) for number, fields in enumerate(orders)]
    for one in waiting:
        book.wait_for_price(one)
    for number in sorted(removed):
        if number < len(waiting):
            book.remove(waiting[number])
    book.activate_reached(Decimal(price))
    left = [one for one in waiting if one.number not in removed]
    assert set(book.active) == {one.id for one in left if is_reached(one, price)}


def test_stale_entries_are_compacted() -> None:
    """Orders that come and go do not fill the memory."""
    book = OrderBook()
    for number in range(5000):
        passing = order(number, "buy", "limit", 5)
        book.wait_for_price(passing)
        book.remove(passing)
    assert len(book._falling) < 200


def test_an_order_can_rest_again() -> None:
    """Reached, not filled, back to waiting: one valid entry remains."""
    book = OrderBook()
    waiting = order(1, "buy", "limit", 5)
    for _ in range(3):
        book.wait_for_price(waiting)
        book.activate_reached(Decimal(5))
        assert list(book.active) == ["1"]
    book.remove(waiting)
    assert book.is_empty
