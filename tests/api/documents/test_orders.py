import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.api.documents.orders import OrdersQuery, recent_orders, select_orders, sort_key
from realtime.core.model import Order
from realtime.core.state import AccountState
from realtime.core.timestamps import format_micros
from tests.api.documents.made import BOOKS, ENTRY, STOP_LOSS, TAKE_PROFIT, order, state_of, states

queries = st.builds(
    OrdersQuery,
    status=st.sampled_from(["all", "open", "closed"]),
    limit=st.integers(1, 500),
    symbol=st.sampled_from([(), ("NVDA",), ("btcusd", "AAPL")]),
    side=st.sampled_from([(), ("buy",), ("sell",), ("buy", "sell")]),
    direction=st.sampled_from(["asc", "desc"]),
    nested=st.booleans(),
)

SHOWN = [
    ({}, [12, 11, 10, 2, 1]),
    ({"direction": "asc"}, [1, 2, 10, 11, 12]),
    ({"limit": 2}, [12, 11]),
    ({"status": "open"}, [11, 1]),
    ({"status": "closed"}, [10, 2]),
    ({"side": ("sell",)}, [12, 11]),
    ({"symbol": ("btcusd",)}, [2]),
    ({"symbol": ("BTC/USD", "nvda")}, [12, 11, 10, 2, 1]),
    ({"symbol": ("AAPL",)}, []),
    ({"nested": True}, [10, 2, 1]),
    ({"nested": True, "status": "closed"}, [10, 2]),
    # The take-profit is open though its parent has filled: it keeps a row.
    ({"nested": True, "status": "open"}, [11, 1]),
    ({"nested": True, "side": ("sell",)}, [12, 11]),
]


def numbers(orders: list[Order]) -> list[int]:
    return [int(each.id[:8]) for each in orders]


@pytest.mark.parametrize(("asked", "expected"), SHOWN)
def test_query_selects_what_the_broker_would(asked: dict[str, object], expected: list[int]) -> None:
    query = msgspec.convert(asked, OrdersQuery)
    shown, total = select_orders(BOOKS, query)
    assert numbers(shown) == expected
    assert total == (5 if query.limit == 2 else len(expected))


def test_nested_lists_held_legs_in_their_parent() -> None:
    shown, _ = select_orders(BOOKS, OrdersQuery(nested=True))
    assert shown[0].id == ENTRY.id
    assert shown[0].legs == (TAKE_PROFIT, STOP_LOSS)
    assert all(each.legs is None for each in shown[1:])


def test_times_are_compared_as_times() -> None:
    """`.1Z` is later than `.099999Z` and `Z`, though not as text."""
    stamps = ["2026-10-06T14:00:00.1Z", "2026-10-06T14:00:00Z", "2026-10-06T14:00:00.099999Z"]
    state = state_of(order(n, submitted_at=at) for n, at in enumerate(stamps))
    shown, _ = select_orders(state, OrdersQuery())
    assert numbers(shown) == [0, 2, 1]


@given(st.lists(st.integers(1, 4 * 10**15), min_size=2))
def test_sort_keys_sort_as_times_do(micros: list[int]) -> None:
    """Whatever the broker cuts off at the end of a time."""
    orders = [order(n, submitted_at=format_micros(at), id="o") for n, at in enumerate(micros)]
    in_order = [each.submitted_at for each in sorted(orders, key=sort_key)]
    assert in_order == [format_micros(at) for at in sorted(micros)]


def test_sort_keys_of_the_same_time_in_other_formats_are_equal() -> None:
    """With an offset, with nanoseconds; an order without a time is the oldest."""
    stamps = ["2026-10-06T14:00:00+02:00", "2026-10-06T12:00:00.000000400Z", "2026-10-06T12:00:00Z"]
    assert len({sort_key(order(1, submitted_at=at, created_at=at)) for at in stamps}) == 1
    assert sort_key(order(1, submitted_at=None)) < sort_key(
        order(1, submitted_at="1990-01-01T00:00:00Z")
    )


def test_equal_submission_falls_back_to_creation_then_id() -> None:
    at = "2026-10-06T14:00:00Z"
    early = "2026-10-06T13:59:59Z"
    state = state_of(
        [
            order(3, submitted_at=at, created_at=at),
            order(1, submitted_at=at, created_at=at),
            order(2, submitted_at=at, created_at=early),
        ]
    )
    assert numbers(select_orders(state, OrdersQuery(direction="asc"))[0]) == [2, 1, 3]


@given(states(), queries)
def test_every_matching_order_is_listed_exactly_once(
    state: AccountState, query: OrdersQuery
) -> None:
    """Nested or flat, every order that matches is there exactly once (without a limit)."""
    unlimited = msgspec.structs.replace(query, limit=500)
    flat, _ = select_orders(state, msgspec.structs.replace(unlimited, nested=False))
    nested, _ = select_orders(state, msgspec.structs.replace(unlimited, nested=True))
    standing = [each.id for each in nested] + [leg.id for each in nested for leg in each.legs or ()]
    assert len(standing) == len(set(standing))
    assert {each.id for each in flat} <= set(standing)


@given(states(), queries)
def test_ascending_is_the_reverse_of_descending(state: AccountState, query: OrdersQuery) -> None:
    up = msgspec.structs.replace(query, limit=500, direction="asc")
    down = msgspec.structs.replace(up, direction="desc")
    assert select_orders(state, up)[0] == select_orders(state, down)[0][::-1]


@given(states(), queries)
def test_limit_does_not_change_the_total(state: AccountState, query: OrdersQuery) -> None:
    whole, total = select_orders(state, msgspec.structs.replace(query, limit=500))
    shown, same = select_orders(state, query)
    assert (shown, same, total) == (whole[: query.limit], len(whole), len(whole))


def test_dashboard_keeps_every_open_order_and_the_newest_closed_ones() -> None:
    open_orders = [order(n) for n in range(3)]
    closed = [order(n, status="filled") for n in range(10, 160)]
    recent = recent_orders(state_of([*open_orders, *closed]))
    assert numbers(recent) == [*range(159, 139, -1), 2, 1, 0]
    assert numbers(recent_orders(state_of([*open_orders, *closed]), 1)) == [159, 2, 1, 0]
    assert numbers(recent_orders(state_of([*open_orders, *closed]), 0)) == [2, 1, 0]


def test_dashboard_lists_all_open_orders() -> None:
    state = state_of([*(order(n) for n in range(120)), order(300, status="filled")])
    assert len(recent_orders(state)) == 121
