"""Executions that were reversed without an event: busts and corrections that no frame delivered.

REST has no list of busts: a reversed execution is only missing from the FILL activities, and so are
executions that are too young or too old for the list. So one is removed only where the broker's own
version of its order shows less filled than we count.
"""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from msgspec import structs

from realtime.core.decimals import ZERO, number
from realtime.core.executions import count_executions, execution_id_by_qty, unexplained_qty
from realtime.core.model import ExecutionId, FillActivity, Order, OrderId
from realtime.core.order_versions import flatten
from realtime.core.state import AccountState, Execution
from realtime.core.timestamps import microseconds, nanoseconds


def remove_reversed(
    state: AccountState, orders: Iterable[Order], fills: Collection[FillActivity]
) -> AccountState:
    """The state without executions that exceed what these orders, as read, have filled and that
    the FILL activities do not list."""
    listed = {fill.execution_id for fill in fills}
    listed |= {execution_id_by_qty(f.order_id, f.cum_qty) for f in fills if f.order_id}
    for top in orders:
        for order, _ in flatten(top):
            excess = -unexplained_qty(state, order.id) if _is_ours(state, order) else ZERO
            if excess > 0:
                state = count_executions(state, _reversed(state, order.id, listed, excess))
    return state


def _is_ours(state: AccountState, order: Order) -> bool:
    """Whether our version is the one that was read, and not a newer one from the stream."""
    ours = state.orders.get(order.id)
    return ours is not None and (
        microseconds(ours.updated_at) == microseconds(order.updated_at)
        and number(ours.filled_qty) == number(order.filled_qty)
    )


def _reversed(
    state: AccountState, order_id: OrderId, listed: Collection[ExecutionId], excess: Decimal
) -> tuple[Execution, ...]:
    """The unlisted executions that make up the excess: all together, or the oldest one equal."""
    known = state.executions.get(order_id, {}).values()
    unlisted = [e for e in known if number(e.qty) != 0 and e.execution_id not in listed]
    unlisted.sort(key=lambda e: nanoseconds(e.at))
    chosen: Sequence[Execution] = unlisted
    if sum((number(e.qty) for e in unlisted), ZERO) != excess:
        chosen = [e for e in unlisted if number(e.qty) == excess][:1]
    return tuple(structs.replace(e, qty="0") for e in chosen)
