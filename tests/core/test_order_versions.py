"""Versions of orders, and which orders are kept."""

from msgspec import structs

from realtime.core.model import ExecutionId, Order, OrderId
from realtime.core.order_versions import (
    EVICTION_SLACK,
    contradicts,
    evict,
    flatten,
    is_current_at_broker,
    is_forgotten,
    is_late,
    is_later,
)
from realtime.core.state import CLOSED_ORDERS_KEPT, EMPTY, AccountState, Execution
from realtime.core.timestamps import from_micros, microseconds

T1, T2 = "2026-10-06T14:02:11.519102Z", "2026-10-06T14:02:12Z"


def order(name: str = "o", status: str = "new", at: str = T1, filled: str = "0") -> Order:
    return Order(id=OrderId(name), status=status, updated_at=at, filled_qty=filled)


def test_flatten() -> None:
    """Each order once, without legs, with its parent's id."""
    leg, other = order("leg"), order("other")
    nested = structs.replace(order("top"), legs=(leg, other))
    assert list(flatten(nested)) == [(order("top"), None), (leg, "top"), (other, "top")]


def test_rest_is_current_unless_older() -> None:
    """It is the broker's record, except within a microsecond, where the further along is newer."""
    for theirs, ours, current in [
        (order(at=T2), order(status="filled", filled="10"), True),
        (order(), order(at=T2), False),
        (order(), order(), True),
        (order(), order(status="filled", filled="10"), False),
        (order(), order(status="pending_cancel"), False),
        (order(filled="2", status="partially_filled"), order(), True),
    ]:
        assert is_current_at_broker(theirs, ours) == current


def test_is_later_within_an_era() -> None:
    """What is from before a bust is not later than anything."""
    assert is_later(order(at=T2), order(), 0)
    assert not is_later(order(), order(), 0)
    assert not is_later(order(at=T2), order(), microseconds(T2) + 1)


def test_contradicts() -> None:
    """Status and filled quantity matter; how a number is written does not."""
    assert contradicts(order(), order(status="filled"))
    assert contradicts(order(), order(filled="1"))
    assert not contradicts(order(filled="1"), order(filled="1.0", at=T2))


def crowded(closed: int, working: int = 0) -> AccountState:
    orders = [order(f"c{n:04}", "filled", from_micros(1_000_000 + n)) for n in range(closed)]
    orders += [order(f"w{n:04}", at=from_micros(1)) for n in range(working)]
    execution = Execution(
        execution_id=ExecutionId("e"),
        order_id=OrderId(""),
        symbol="",
        side="",
        qty="1",
        price="1",
        at=None,
    )
    return AccountState(
        orders={o.id: o for o in orders},
        executions={o.id: {execution.execution_id: execution} for o in orders},
        parents={o.id: OrderId("w0000") for o in orders},
        busted={o.id: 1 for o in orders},
    )


def test_nothing_is_dropped_below_the_limit() -> None:
    """The same object."""
    state = crowded(CLOSED_ORDERS_KEPT + EVICTION_SLACK - 1, working=EVICTION_SLACK)
    assert evict(state) is state


def test_the_longest_without_news_are_dropped_with_all_that_is_theirs() -> None:
    """Orders that work stay, however old."""
    state = evict(crowded(CLOSED_ORDERS_KEPT + EVICTION_SLACK, working=300))
    assert sum(o.is_closed for o in state.orders.values()) == CLOSED_ORDERS_KEPT
    assert sum(not o.is_closed for o in state.orders.values()) == 300
    assert "c0099" not in state.orders
    assert "c0100" in state.orders
    for book in (state.executions, state.parents, state.busted):
        assert book.keys() == state.orders.keys()
    assert state.forgotten_before == 1_000_000 + 100
    assert evict(state) is state


def test_what_was_dropped_is_not_news() -> None:
    """To the stream neither end nor beginning, to REST's lists only the end."""
    state = AccountState(orders={OrderId("o"): order()}, forgotten_before=microseconds(T2))
    for told, forgotten, late in [
        (order("x", "filled"), True, True),
        (order("x"), False, True),
        (order("x", "filled", T2), False, False),
        (order("o", "filled"), False, False),
        (order("x", "filled", "no time"), False, False),
    ]:
        assert (is_forgotten(told, state), is_late(told, state)) == (forgotten, late)


def test_the_newest_are_kept_however_early_they_ended() -> None:
    """One list of the broker shows them; the older ones ended later."""
    early = "2026-10-05T14:02:11Z"
    old = [submitted(f"old{n}", early, T2) for n in range(EVICTION_SLACK + 1)]
    new = [submitted(f"new{n}", T1, T1) for n in range(CLOSED_ORDERS_KEPT)]
    first = submitted("first", "2026-10-04T14:02:11Z", early)
    state = structs.replace(EMPTY, orders={o.id: o for o in [first, *old, *new]})
    kept = evict(state)
    assert {o.id for o in new} <= kept.orders.keys()
    assert first.id not in kept.orders


def submitted(name: str, at: str, ended: str) -> Order:
    return structs.replace(order(name, "canceled", ended), submitted_at=at)
