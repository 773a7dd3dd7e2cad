"""Which orders are kept."""

from collections.abc import Iterable

import pytest
from msgspec import structs

from realtime.core import eviction
from realtime.core.apply import apply
from realtime.core.eviction import evict, is_older_than_evicted, was_evicted
from realtime.core.model import ExecutionId, Order, OrderId, TradeUpdate
from realtime.core.state import CLOSED_ORDERS_KEPT, EMPTY, EVICTION_SLACK, AccountState, Execution
from realtime.core.timestamps import format_micros, microseconds

T1, T2 = "2026-10-06T14:02:11.519102Z", "2026-10-06T14:02:12Z"


def order(name: str = "o", status: str = "new", at: str = T1, filled: str = "0") -> Order:
    return Order(id=OrderId(name), status=status, updated_at=at, filled_qty=filled)


def crowded(closed: int, working: int = 0) -> AccountState:
    orders = [order(f"c{n:04}", "filled", format_micros(1_000_000 + n)) for n in range(closed)]
    orders += [order(f"w{n:04}", at=format_micros(1)) for n in range(working)]
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
        parents={o.id: OrderId("unknown") for o in orders},
        reversed_at={o.id: 1 for o in orders},
    )


def test_nothing_is_dropped_below_the_limit() -> None:
    """The same object."""
    state = crowded(CLOSED_ORDERS_KEPT + EVICTION_SLACK - 1)
    assert evict(state) is state


def test_the_longest_without_news_are_dropped_with_all_that_is_theirs() -> None:
    """Orders that work stay, however old."""
    state = evict(crowded(CLOSED_ORDERS_KEPT + EVICTION_SLACK, working=300))
    assert sum(o.is_closed for o in state.orders.values()) == CLOSED_ORDERS_KEPT
    assert sum(not o.is_closed for o in state.orders.values()) == 300
    assert "c0099" not in state.orders
    assert "c0100" in state.orders
    for book in (state.executions, state.parents, state.reversed_at):
        assert book.keys() == state.orders.keys()
    assert state.evicted_before == 1_000_000 + 100
    assert evict(state) is state


def test_what_was_dropped_is_not_news() -> None:
    """To the stream neither end nor beginning, to REST's lists only the end."""
    state = AccountState(orders={OrderId("o"): order()}, evicted_before=microseconds(T2))
    for told, forgotten, late in [
        (order("x", "filled"), True, True),
        (order("x"), False, True),
        (order("x", "filled", T2), False, False),
        (order("o", "filled"), False, False),
        (order("x", "filled", "no time"), False, False),
    ]:
        assert (was_evicted(told, state), is_older_than_evicted(told, state)) == (forgotten, late)


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


def holding(orders: Iterable[Order], **fields: object) -> AccountState:
    return structs.replace(EMPTY, orders={o.id: o for o in orders}, **fields)


def test_a_successor_of_a_kept_order_is_kept() -> None:
    """What a kept order names can be read; a chain is dropped from its beginning."""
    replaced = structs.replace(submitted("replaced", T2, T2), replaced_by=OrderId("next"))
    chain = [
        structs.replace(order("next", "replaced", T1), replaces=replaced.id),
        structs.replace(order("last", "canceled", T1), replaces=OrderId("next")),
    ]
    first = order("first", "replaced", format_micros(1))
    second = structs.replace(order("second", "canceled", format_micros(2)), replaces=first.id)
    others = [submitted(f"n{n:04}", T2, T2) for n in range(CLOSED_ORDERS_KEPT + EVICTION_SLACK)]
    kept = evict(holding([replaced, *chain, first, second, *others])).orders
    assert {"replaced", "next"} <= kept.keys()
    assert not {"first", "second"} & kept.keys()


def test_a_leg_of_a_kept_parent_is_kept() -> None:
    """Its parent shows it."""
    leg = order("leg", "canceled", T1)
    others = [submitted(f"n{n:04}", T2, T2) for n in range(CLOSED_ORDERS_KEPT + EVICTION_SLACK)]
    state = holding([leg, *others], parents={leg.id: others[-1].id})
    assert leg.id in evict(state).orders
    assert leg.id not in evict(structs.replace(state, parents={})).orders


def test_a_pass_over_all_orders_is_made_once_in_a_hundred_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where nothing can be dropped: the newest orders closed first, the oldest last."""
    passes = []
    choose_evicted = eviction._choose_evicted

    def counted(state: AccountState, closed: list[Order], surplus: int) -> dict[OrderId, Order]:
        passes.append(len(closed))
        return choose_evicted(state, closed, surplus)

    monkeypatch.setattr(eviction, "_choose_evicted", counted)
    # The case that made a pass due on every event: 618 µs each in place of 20.
    day = [submitted(f"day{n:04}", T2, format_micros(n + 1)) for n in range(520)]
    state = holding([*day, *(submitted(f"gtc{n:04}", T1, T2) for n in range(250))])
    for n in range(1000):
        event = TradeUpdate(event="new", order=structs.replace(order(f"x{n:04}"), submitted_at=T1))
        state = apply(state, event, 0.0).state
    assert 1 <= len(passes) <= 1000 // EVICTION_SLACK + 1
