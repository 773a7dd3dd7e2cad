"""Orders of many accounts by query: the newest of all, whichever account they are of."""

import random

import pytest

from realtime.api.handlers.order_queries import OrdersQuery, _get_newest, _get_sort_key
from realtime.core.model import AccountLabel, Order, OrderId
from realtime.core.state import AccountState
from realtime.core.timestamps import microseconds
from realtime.orders.results import Origin
from realtime.store.records import Profile, Record

STAMPS = [
    "2026-10-06T14:02:11Z",
    "2026-10-06T14:02:11.1Z",
    "2026-10-06T14:02:11.099999Z",
    "2026-10-06T14:02:11.519102Z",
    "2026-10-06T14:02:10.999999Z",
    "2026-10-06T14:02:12Z",
    None,
]


def order(number: int, submitted_at: str | None = "") -> Order:
    at = f"2026-10-06T14:{number // 60:02}:{number % 60:02}Z"
    return Order(
        id=OrderId(f"{number:06}"), client_order_id=f"c-{number}", symbol="AAPL", status="new",
        side="buy", type="limit", filled_qty="0",
        submitted_at=at if submitted_at == "" else submitted_at,
    )  # fmt: skip


def record(label: str, *orders: Order) -> Record:
    state = AccountState(orders={each.id: each for each in orders})
    return Record(profile=Profile(label=AccountLabel(label)), state=state)


def ours_if_even(label: str, order: Order) -> Origin:
    return "ours" if int(order.id) % 2 == 0 else "other"


def test_times_sort_as_they_are() -> None:
    orders = [order(n, submitted_at=stamp) for n, stamp in enumerate(STAMPS)]
    by_time = sorted(orders, key=lambda each: microseconds(each.submitted_at))
    assert sorted(orders, key=_get_sort_key) == by_time


@pytest.mark.parametrize("limit", [1, 100, 500])
async def test_the_get_newest_of_many(limit: int) -> None:
    """More than are looked at in one go; found in pieces, they are the same as of one sort."""
    rng = random.Random(3)
    numbers = rng.sample(range(3600), 3000)
    records = [record(f"a{n}", *map(order, numbers[n::30])) for n in range(30)]
    found, total = await _get_newest(records, OrdersQuery(limit=limit), ours_if_even)
    assert [int(row[1]) for row in found] == sorted(numbers, reverse=True)[:limit]
    assert total == 3000
    query = OrdersQuery(limit=limit, origin="ours", symbol="AAPL", side="buy")
    found, total = await _get_newest(records, query, ours_if_even)
    even = [n for n in numbers if n % 2 == 0]
    assert ([int(row[1]) for row in found], total) == (
        sorted(even, reverse=True)[:limit],
        len(even),
    )
