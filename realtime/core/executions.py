"""The executions of an event, and whether they explain an order's filled quantity.

Recognized by the fields and not by the event's name: a price and a quantity are an execution. An
execution counts by its id, the same in the stream and in FILL activities; one that was reversed
stays known with a quantity of zero, so that its own late frame cannot count it again.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import structs

from realtime.core.decimals import ZERO, number, plain
from realtime.core.model import ExecutionId, LegFill, Order, OrderId, TradeUpdate
from realtime.core.order_status import REVERSALS
from realtime.core.persistent_map import put
from realtime.core.state import AccountState, Execution


def is_reversal(update: TradeUpdate) -> bool:
    """Whether an event undoes an execution, whatever its name."""
    return update.event in REVERSALS or update.previous_execution_id is not None


def executions_of(update: TradeUpdate, orders: Mapping[OrderId, Order]) -> tuple[Execution, ...]:
    """The executions of an event; one that it undoes has a quantity of zero."""
    if update.legs:
        nested = {leg.id: leg for leg in update.order.legs or ()}
        return tuple(
            _leg_execution(leg, nested.get(leg.order_id) or orders.get(leg.order_id), update)
            for leg in update.legs
            if leg.order_id is not None and leg.qty and leg.price
        )
    if is_reversal(update):
        qty = update.qty or "0" if update.event == "trade_correct" else "0"
        own = _execution(update, qty)
        if update.previous_execution_id is None:
            return (own,)
        undone = structs.replace(own, execution_id=update.previous_execution_id, qty="0")
        # Of an unknown event it is unclear whether something took its place: REST lists it if so.
        return (undone, own) if update.event in REVERSALS else (undone,)
    if not update.qty or not update.price or is_multileg(update.order):
        return ()
    return (_execution(update, update.qty),)


def is_multileg(order: Order) -> bool:
    """Whether it is the parent of a multi-leg order: only its legs have executions."""
    return order.order_class == "mleg" and not order.symbol


def is_new_execution(state: AccountState, execution: Execution) -> bool:
    """Whether counting the execution changes anything."""
    known = state.executions.get(execution.order_id, {}).get(execution.execution_id)
    return known is None or (number(execution.qty) == 0 and number(known.qty) != 0)


def count_executions(state: AccountState, executions: tuple[Execution, ...]) -> AccountState:
    """The state with executions that are new."""
    all_executions = state.executions
    for execution in executions:
        known = all_executions.get(execution.order_id, {})
        known = put(known, execution.execution_id, execution)
        all_executions = put(all_executions, execution.order_id, known)
    return structs.replace(state, executions=all_executions)


def unexplained_qty(state: AccountState, order_id: OrderId) -> Decimal:
    """The filled quantity of an order less its known executions."""
    order = state.orders.get(order_id)
    if order is None or is_multileg(order):
        return ZERO
    executed = (number(e.qty) for e in state.executions.get(order_id, {}).values())
    return number(order.filled_qty) - sum(executed, ZERO)


def execution_id_by_qty(order_id: OrderId, cumulative: str | None) -> ExecutionId:
    """Substitute for a missing execution id, the same for the stream and for activities."""
    return ExecutionId(f"{order_id}@{plain(number(cumulative))}")


def _execution(update: TradeUpdate, qty: str) -> Execution:
    order = update.order
    return Execution(
        execution_id=update.execution_id or _execution_id(update),
        order_id=order.id,
        symbol=order.symbol or "",
        side=order.side or "",
        qty=qty,
        price=update.price or "0",
        at=update.timestamp or update.at,
    )


def _execution_id(update: TradeUpdate) -> ExecutionId:
    if update.event in REVERSALS:
        return ExecutionId(f"{update.event}:{update.previous_execution_id}")
    return execution_id_by_qty(update.order.id, update.order.filled_qty)


def _leg_execution(leg: LegFill, order: Order | None, update: TradeUpdate) -> Execution:
    order_id = leg.order_id or update.order.id
    filled = order.filled_qty if order is not None else leg.qty
    return Execution(
        execution_id=leg.execution_id or execution_id_by_qty(order_id, filled),
        order_id=order_id,
        symbol=leg.symbol or (order.symbol if order is not None else "") or "",
        side=(order.side if order is not None else "") or "",
        qty=leg.qty or "0",
        price=leg.price or "0",
        at=leg.timestamp or update.timestamp or update.at,
    )
