"""Which closed orders an account keeps, and which versions are old news of one that was evicted.

Open orders are never evicted, nor are their executions; nor are the most recently submitted ones,
which one list of the broker shows whenever they closed. Of the others those that were updated least
recently go first. An order that replaced a kept one stays, and so does a leg of a kept parent: an
order never names one that is not there.
"""

from operator import attrgetter

from msgspec import structs

from realtime.core.model import Order, OrderId
from realtime.core.state import CLOSED_ORDERS_KEPT, EVICTION_SLACK, AccountState
from realtime.core.timestamps import NEVER, microseconds

_get_id, _get_submitted_at, _get_updated_at = map(attrgetter, ("id", "submitted_at", "updated_at"))


def evict(state: AccountState) -> AccountState:
    """The state without surplus closed orders; the same object while there are few new ones.

    A pass over all orders costs O(n log n), so the next one is due after `EVICTION_SLACK` more
    orders, whether this one evicted any or not.
    """
    if len(state.orders) < state.eviction_due_at:
        return state
    closed = [order for order in state.orders.values() if order.is_closed]
    surplus = len(closed) - CLOSED_ORDERS_KEPT
    evicted = _choose_evicted(state, closed, surplus) if surplus > 0 else {}
    kept = len(state.orders) - len(evicted)
    state = structs.replace(state, eviction_due_at=max(kept, CLOSED_ORDERS_KEPT) + EVICTION_SLACK)
    if not evicted:
        return state
    newest = max(microseconds(order.updated_at) for order in evicted.values())
    return structs.replace(
        state,
        orders={i: o for i, o in state.orders.items() if i not in evicted},
        parents={i: p for i, p in state.parents.items() if i not in evicted},
        executions={i: e for i, e in state.executions.items() if i not in evicted},
        reversed_at={i: at for i, at in state.reversed_at.items() if i not in evicted},
        evicted_before=max(state.evicted_before, newest + 1),
    )


def is_older_than_evicted(order: Order, state: AccountState) -> bool:
    """Whether a version of an unknown order is older than those that were evicted.

    Also if it is open: a stream that repeats an order's end hours later repeats its beginning, too.
    """
    return (
        NEVER < microseconds(order.updated_at) < state.evicted_before
        and order.id not in state.orders
    )


def was_evicted(order: Order, state: AccountState) -> bool:
    """Whether a closed order that REST shows was evicted long ago."""
    return order.is_closed and is_older_than_evicted(order, state)


def _choose_evicted(state: AccountState, closed: list[Order], surplus: int) -> dict[OrderId, Order]:
    """The closed orders to evict, at most `surplus`."""
    orders = list(state.orders.values())
    times = list(map(microseconds, map(_get_submitted_at, orders)))
    newest = sorted(range(len(orders)), key=times.__getitem__, reverse=True)[:CLOSED_ORDERS_KEPT]
    listed = {orders[at].id for at in newest if orders[at].submitted_at}
    # As tuples, so that no function of ours is called for each of some hundred orders.
    updated = map(microseconds, map(_get_updated_at, closed))
    oldest = sorted(zip(updated, map(_get_id, closed), closed, strict=True))[:surplus]
    evicted: dict[OrderId, Order] = {}
    for _, _, order in oldest:
        named_by = (order.replaces, state.parents.get(order.id))
        is_named = any(i in state.orders and i not in evicted for i in named_by if i is not None)
        if order.id not in listed and not is_named:
            evicted[order.id] = order
    return evicted
