"""Which anomalies an event reveals, and whether one is resolved.

The stream has no sequence numbers, so an event is checked against the state: versions must not
contradict each other, `filled_qty` must grow by exactly what was executed, and what an order names
(successor, legs) must be known.
"""

from collections.abc import Iterable
from decimal import Decimal

from realtime.core.decimals import ZERO, number
from realtime.core.executions import executions_of, is_multileg, unexplained_qty
from realtime.core.model import Order, OrderId, TradeUpdate, position_symbol
from realtime.core.order_groups import lacks_legs
from realtime.core.order_versions import flatten, is_later
from realtime.core.outcomes import Anomaly, AnomalyKind
from realtime.core.position_updates import evidence_key, was_in_last_read
from realtime.core.state import AccountState, Execution
from realtime.core.timestamps import NEVER


def find_order_anomalies(
    known: Order | None, state: AccountState, order: Order
) -> tuple[Anomaly, ...]:
    """What does not fit between the event's order, the version known before, and the orders known
    after it."""
    if known is None and order.replaced_by is None and order.replaces is None:
        return ()
    anomalies: list[Anomaly] = []
    if known is not None and _contradicts_time(known, order, state):
        kind: AnomalyKind = "reopened" if known.is_closed > order.is_closed else "contradicted"
        detail = f"{_describe(known)} → {_describe(order)}"
        anomalies.append(Anomaly(kind, order.id, detail))
    if order.replaced_by is not None and order.replaced_by not in state.orders:
        detail = f"replaced by {order.replaced_by}"
        anomalies.append(Anomaly("successor_unknown", order.id, detail))
    if order.replaces is not None:
        old = state.orders.get(order.replaces)
        if old is not None and not old.is_closed:
            anomalies.append(Anomaly("superseded_open", old.id, f"replaced by {order.id}"))
    return tuple(anomalies)


def find_fill_anomalies(
    before: AccountState,
    state: AccountState,
    update: TradeUpdate,
    executions: tuple[Execution, ...],
) -> tuple[Anomaly, ...]:
    """Fills that no execution explains: `filled_qty` must grow by exactly what was executed.

    What an order lacked before, because its history was never read, it may continue to lack.
    """
    anomalies: list[Anomaly] = []
    for order, _ in flatten(update.order):
        own = [e for e in executions if e.order_id == order.id]
        old, new = before.orders.get(order.id), state.orders.get(order.id)
        # 1. The event changed nothing of this order.
        if not own and new is old:
            continue
        # 2. It grew by what was executed.
        if _growth(old, new) == (_executed(before, own, order.id) if own else ZERO):
            continue
        # 3. It did not, and more is unexplained than before.
        lacked, lacks = unexplained_qty(before, order.id), unexplained_qty(state, order.id)
        if lacks > max(lacked, ZERO) or lacks < min(lacked, ZERO):
            detail = f"filled is off its executions by {lacks}"
            anomalies.append(Anomaly("fills_gap", order.id, detail))
    if is_multileg(update.order) and update.qty and update.price and not update.legs:
        detail = "filled without its legs' executions"
        anomalies.append(Anomaly("fills_gap", update.order.id, detail))
    for execution in executions:
        if execution.order_id not in state.orders:
            detail = "executed while unknown"
            anomalies.append(Anomaly("fills_gap", execution.order_id, detail))
    return tuple(anomalies)


def find_late_anomalies(state: AccountState, update: TradeUpdate) -> tuple[Anomaly, ...]:
    """What to read after an event of an unknown order that is older than evicted ones.

    Nearly always it is a repetition, and the order was evicted, too. So it is not applied; but an
    order that is still open, or an execution newer than all of its symbol, is worth a read.
    """
    order = update.order
    if not order.is_closed:
        return (Anomaly("late_news", order.id, f"{order.status}, {order.updated_at}"),)
    for execution in executions_of(update, state.orders):
        symbol = position_symbol(execution.symbol)
        newest = state.evidence.get(symbol)
        is_newer = newest is None or evidence_key(update, execution) > newest.key
        if is_newer and not was_in_last_read(state, execution):
            return (Anomaly("position_gap", order.id, f"{symbol} executed {execution.at}"),)
    return ()


def is_unresolved(state: AccountState, anomaly: Anomaly) -> bool:
    """Whether the events since have not resolved an anomaly."""
    order = state.orders.get(anomaly.order_id)
    if anomaly.kind in ("superseded_open", "overdue"):
        return order is not None and not order.is_closed
    if anomaly.kind == "successor_unknown":
        return order is None or order.replaced_by not in state.orders
    if anomaly.kind == "legs_unknown":
        return order is not None and lacks_legs(state, order)
    if anomaly.kind == "fills_gap":
        return order is None or is_multileg(order) or unexplained_qty(state, order.id) != 0
    return True


def _contradicts_time(known: Order, order: Order, state: AccountState) -> bool:
    """Whether the version that was not kept says that it is the younger one."""
    if state.orders[order.id] is known:
        return is_later(order, known, state.reversed_at.get(order.id, NEVER))
    return is_later(known, order, state.reversed_at.get(order.id, NEVER))


def _describe(order: Order) -> str:
    return f"{order.status} {order.filled_qty or 0}"


def _growth(old: Order | None, new: Order | None) -> Decimal:
    return number(new.filled_qty if new else None) - number(old.filled_qty if old else None)


def _executed(before: AccountState, executions: Iterable[Execution], order_id: OrderId) -> Decimal:
    """What these executions of an order add to those known before."""
    known, total = before.executions.get(order_id, {}), ZERO
    for execution in executions:
        old = known.get(execution.execution_id)
        total += number(execution.qty) - (number(old.qty) if old is not None else ZERO)
    return total
