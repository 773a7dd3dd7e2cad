"""Executions that were undone while nobody told us: a bust or a correction that no frame brought.

REST has no list of busts: what was undone is only missing from the FILL activities, and so are
executions that are too young or too old for the list. So an execution is taken back only where the
broker's own version of its order says that it has fewer executions than we count.
"""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from msgspec import structs

from realtime.core.decimals import ZERO, number
from realtime.core.executions import count, identity_by_quantity, unexplained
from realtime.core.model import ExecutionId, FillActivity, Order, OrderId
from realtime.core.order_versions import flatten
from realtime.core.state import AccountState, Execution
from realtime.core.timestamps import microseconds, nanoseconds


def take_back(
    state: AccountState, told: Iterable[Order], fills: Collection[FillActivity]
) -> AccountState:
    """Take back what the orders told, already taken, leave no room for and the list lacks."""
    listed = {fill.execution_id for fill in fills}
    listed |= {identity_by_quantity(f.order_id, f.cum_qty) for f in fills if f.order_id}
    for top in told:
        for order, _ in flatten(top):
            excess = -unexplained(state, order.id) if _is_taken(state, order) else ZERO
            if excess > 0:
                state = count(state, _undone(state, order.id, listed, excess))
    return state


def _is_taken(state: AccountState, order: Order) -> bool:
    """Whether our version is the broker's, and not one that we heard since."""
    ours = state.orders.get(order.id)
    return ours is not None and (
        microseconds(ours.updated_at) == microseconds(order.updated_at)
        and number(ours.filled_qty) == number(order.filled_qty)
    )


def _undone(
    state: AccountState, order_id: OrderId, listed: Collection[ExecutionId], excess: Decimal
) -> tuple[Execution, ...]:
    """The unlisted executions that make up the excess: all together, or the oldest that is it."""
    known = state.executions.get(order_id, {}).values()
    unlisted = [e for e in known if number(e.qty) != 0 and e.execution_id not in listed]
    unlisted.sort(key=lambda e: nanoseconds(e.at))
    undone: Sequence[Execution] = unlisted
    if sum((number(e.qty) for e in unlisted), ZERO) != excess:
        undone = [e for e in unlisted if number(e.qty) == excess][:1]
    return tuple(structs.replace(e, qty="0") for e in undone)
