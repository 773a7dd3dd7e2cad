"""Which closed orders an account keeps, and what is old news about one that was dropped.

Open orders are never dropped, nor are their executions; nor are the most recently submitted ones,
which one list of the broker shows whenever they closed. Of the others the ones without news for
longest go first. An order that replaced a kept one stays, and so does a leg of a kept parent: what
an order names is there to be read.
"""

from heapq import nlargest

from msgspec import structs

from realtime.core.model import Order, OrderId
from realtime.core.state import CLOSED_ORDERS_KEPT, EVICTION_SLACK, AccountState
from realtime.core.timestamps import NEVER, microseconds


def evict(state: AccountState) -> AccountState:
    """The state without surplus closed orders; the same object while there are few new ones.

    A pass over all orders costs O(n log n), so the next one is due after `EVICTION_SLACK` more
    orders, whether this one dropped any or not.
    """
    if len(state.orders) < state.eviction_due_at:
        return state
    closed = [order for order in state.orders.values() if order.is_closed]
    surplus = len(closed) - CLOSED_ORDERS_KEPT
    dropped = _droppable(state, closed, surplus) if surplus > 0 else {}
    kept = len(state.orders) - len(dropped)
    state = structs.replace(state, eviction_due_at=max(kept, CLOSED_ORDERS_KEPT) + EVICTION_SLACK)
    if not dropped:
        return state
    newest = max(microseconds(order.updated_at) for order in dropped.values())
    return structs.replace(
        state,
        orders={i: o for i, o in state.orders.items() if i not in dropped},
        parents={i: p for i, p in state.parents.items() if i not in dropped},
        executions={i: e for i, e in state.executions.items() if i not in dropped},
        busted={i: at for i, at in state.busted.items() if i not in dropped},
        forgotten_before=max(state.forgotten_before, newest + 1),
    )


def is_late(order: Order, state: AccountState) -> bool:
    """Whether a version is of an unknown order and older than what was dropped.

    Also if it is open: a stream that repeats an order's end hours later repeats its beginning, too.
    """
    return (
        order.id not in state.orders
        and NEVER < microseconds(order.updated_at) < state.forgotten_before
    )


def is_forgotten(order: Order, state: AccountState) -> bool:
    """Whether a closed order that REST shows was dropped long ago. One that replaced a known order
    is taken all the same."""
    return order.is_closed and is_late(order, state) and order.replaces not in state.orders


def _droppable(state: AccountState, closed: list[Order], surplus: int) -> dict[OrderId, Order]:
    """The closed orders to drop, at most `surplus`."""
    newest = nlargest(
        CLOSED_ORDERS_KEPT, state.orders.values(), key=lambda o: microseconds(o.submitted_at)
    )
    listed = {order.id for order in newest if order.submitted_at}
    closed.sort(key=lambda order: (microseconds(order.updated_at), order.id))
    dropped: dict[OrderId, Order] = {}
    for order in closed[:surplus]:
        named_by = (order.replaces, state.parents.get(order.id))
        is_named = any(i in state.orders and i not in dropped for i in named_by if i is not None)
        if order.id not in listed and not is_named:
            dropped[order.id] = order
    return dropped
