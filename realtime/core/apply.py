"""The next state after an event of the stream.

Idempotent and monotone: an execution counts once, older news of an order changes nothing, a
closed order stays closed, a position is replaced by what the newest execution said and never added
to. So any order and any duplication of the same events gives the same state. What the event makes
doubtful is returned as `doubts`: each asks for a look at REST, none is an error.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, structs

from realtime.core.decimals import ZERO, number
from realtime.core.model import (
    ExecutionId,
    LegFill,
    Order,
    OrderId,
    Position,
    Symbol,
    TradeUpdate,
    position_symbol,
)
from realtime.core.orders import evict, flatten, is_forgotten, outranks
from realtime.core.positions import after_execution
from realtime.core.state import MONEY, ORDERS, AccountState, Execution, PositionMark
from realtime.core.times import microseconds, nanoseconds

KNOWN_EVENTS = frozenset(
    {
        "accepted",
        "calculated",
        "canceled",
        "done_for_day",
        "expired",
        "fill",
        "held",
        "new",
        "order_cancel_rejected",
        "order_replace_rejected",
        "partial_fill",
        "pending_cancel",
        "pending_new",
        "pending_replace",
        "rejected",
        "replaced",
        "stopped",
        "suspended",
        "trade_bust",
        "trade_correct",
    }
)
"""Events with a documented meaning; any other is applied by its order and counted."""

UNDOING = frozenset({"trade_bust", "trade_correct"})
"""Events that take back the execution named by `previous_execution_id`."""

CRYPTO_FEE_MOST = number("0.01")
"""A crypto buy credits the position less than it executed: the fee stays in the coin."""

DoubtKind = Literal[
    "fills_gap", "position_gap", "reopened", "successor_unknown", "superseded_open", "overdue"
]


class Doubt(Struct, frozen=True):
    """Why the state may not be what the broker has."""

    kind: DoubtKind
    order_id: OrderId
    detail: str


class Applied(Struct, frozen=True, kw_only=True):
    """The next state, and what the event meant."""

    state: AccountState
    executions: tuple[Execution, ...] = ()
    """Executions that counted now for the first time."""
    doubts: tuple[Doubt, ...] = ()


def apply(state: AccountState, update: TradeUpdate, now: float) -> Applied:
    """The next state. `now` is our clock, epoch seconds; the state is the same object if nothing
    changed."""
    if is_forgotten(update.order, state):
        return Applied(state=state)
    before = state.orders.get(update.order.id)
    state, took = _take_orders(state, update)
    if update.event in UNDOING:
        return _undo(state, update, now)
    doubts = _order_doubts(state, update.order, before)
    executions = tuple(e for e in _executions_of(update) if _is_news(state, e))
    if executions:
        if took:
            doubts += _fill_doubts(update.order, before, executions)
        state = _count(state, executions)
        state, position_doubts = _move_positions(state, update, executions, now)
        doubts += position_doubts
    provisional = (MONEY if executions else frozenset()) | (ORDERS if doubts else frozenset())
    if not provisional <= state.provisional:
        state = structs.replace(state, provisional=state.provisional | provisional)
    return Applied(state=evict(state), executions=executions, doubts=doubts)


def is_open_question(state: AccountState, doubt: Doubt) -> bool:
    """Whether what came since has not answered the doubt by itself."""
    if doubt.kind in ("superseded_open", "overdue"):
        return (
            not state.orders[doubt.order_id].is_closed if doubt.order_id in state.orders else False
        )
    if doubt.kind == "successor_unknown":
        order = state.orders.get(doubt.order_id)
        return order is None or order.replaced_by not in state.orders
    return True


def _take_orders(state: AccountState, update: TradeUpdate) -> tuple[AccountState, bool]:
    """Merge the event's order and its legs; also whether the order itself was news."""
    busted = state.busted
    if update.event in UNDOING:
        at = microseconds(update.order.updated_at)
        busted = {**busted, update.order.id: max(at, busted.get(update.order.id, 0))}
    orders, parents = state.orders, state.parents
    for order, parent in flatten(update.order):
        current = orders.get(order.id)
        if current is None or outranks(order, current, busted.get(order.id, 0)):
            orders = {**orders, order.id: order}
        if parent is not None and parents.get(order.id) != parent:
            parents = {**parents, order.id: parent}
    took = orders.get(update.order.id) is not state.orders.get(update.order.id)
    if orders is state.orders and parents is state.parents and busted is state.busted:
        return state, False
    return structs.replace(state, orders=orders, parents=parents, busted=busted), took


def _order_doubts(state: AccountState, order: Order, before: Order | None) -> tuple[Doubt, ...]:
    doubts: list[Doubt] = []
    if before is not None and before.is_closed and not order.is_closed:
        later = microseconds(order.updated_at) > microseconds(before.updated_at)
        if later and microseconds(order.updated_at) > state.busted.get(order.id, 0):
            doubts.append(Doubt("reopened", order.id, f"{before.status} → {order.status}"))
    if order.replaced_by is not None and order.replaced_by not in state.orders:
        doubts.append(Doubt("successor_unknown", order.id, f"replaced by {order.replaced_by}"))
    if order.replaces is not None:
        old = state.orders.get(order.replaces)
        if old is not None and not old.is_closed:
            doubts.append(Doubt("superseded_open", old.id, f"replaced by {order.id}"))
    return tuple(doubts)


def _fill_doubts(
    order: Order, before: Order | None, executions: tuple[Execution, ...]
) -> tuple[Doubt, ...]:
    """`filled_qty` must grow by exactly what was executed, else an execution was missed."""
    own = [e for e in executions if e.order_id == order.id]
    if not own:
        return ()
    grown = number(order.filled_qty) - (number(before.filled_qty) if before else ZERO)
    executed = sum((number(e.qty) for e in own), ZERO)
    if grown == executed:
        return ()
    return (Doubt("fills_gap", order.id, f"filled grew by {grown}, executed {executed}"),)


def _executions_of(update: TradeUpdate) -> tuple[Execution, ...]:
    """What was executed, judged by the fields and not by the event's name."""
    if update.legs:
        by_id = {leg.id: leg for leg in update.order.legs or ()}
        return tuple(
            _leg_execution(leg, by_id[leg.order_id], update)
            for leg in update.legs
            if leg.order_id in by_id and leg.qty and leg.price
        )
    if not update.qty or not update.price or update.event in UNDOING:
        return ()
    order = update.order
    identity = update.execution_id or update.event_id or f"{order.id}@{order.filled_qty}"
    return (
        Execution(
            execution_id=ExecutionId(identity),
            order_id=order.id,
            symbol=order.symbol or "",
            side=order.side or "",
            qty=update.qty,
            price=update.price,
            at=update.timestamp or update.at,
        ),
    )


def _leg_execution(leg: LegFill, order: Order, update: TradeUpdate) -> Execution:
    return Execution(
        execution_id=leg.execution_id or ExecutionId(f"{order.id}@{order.filled_qty}"),
        order_id=order.id,
        symbol=leg.symbol or order.symbol or "",
        side=order.side or "",
        qty=leg.qty or "0",
        price=leg.price or "0",
        at=leg.timestamp or update.timestamp or update.at,
    )


def _is_news(state: AccountState, execution: Execution) -> bool:
    return execution.execution_id not in state.executions.get(execution.order_id, {})


def _count(state: AccountState, executions: tuple[Execution, ...]) -> AccountState:
    book = dict(state.executions)
    for execution in executions:
        known = book.get(execution.order_id, {})
        book[execution.order_id] = {**known, execution.execution_id: execution}
    return structs.replace(state, executions=book)


def _undo(state: AccountState, update: TradeUpdate, now: float) -> Applied:
    """An execution was taken back or corrected. It stays known, with nothing executed."""
    if update.execution_id in state.executions.get(update.order.id, {}):
        return Applied(state=state)
    replacement = update.qty or "0" if update.event == "trade_correct" else "0"
    order, at = update.order, update.timestamp or update.at
    told = [(update.previous_execution_id, "0"), (update.execution_id, replacement)]
    entries = tuple(
        Execution(
            execution_id=identity,
            order_id=order.id,
            symbol=order.symbol or "",
            side=order.side or "",
            qty=qty,
            price=update.price or "0",
            at=at,
        )
        for identity, qty in told
        if identity is not None
    )
    state = _count(state, entries)
    state, _ = _move_positions(state, update, entries[-1:], now)
    state = structs.replace(state, provisional=state.provisional | MONEY)
    return Applied(state=state, executions=entries[-1:])


def _move_positions(
    state: AccountState, update: TradeUpdate, executions: tuple[Execution, ...], now: float
) -> tuple[AccountState, tuple[Doubt, ...]]:
    told = _told_positions(update)
    positions, marks, doubts = dict(state.positions), dict(state.marks), []
    for execution in executions:
        symbol = position_symbol(execution.symbol)
        if symbol not in told:
            continue
        key = (nanoseconds(execution.at), update.event_id or "", str(execution.execution_id))
        if symbol in marks and key <= marks[symbol].key:
            continue
        old = positions.pop(symbol, None)
        if update.event not in UNDOING and not _follows(old, execution, told[symbol]):
            detail = f"{symbol} was {old.qty if old else 0}, is {told[symbol]}"
            doubts.append(Doubt("position_gap", execution.order_id, detail))
        position = after_execution(
            old,
            update.order if not update.legs else _leg_order(update, execution),
            symbol,
            position_qty=told[symbol],
            qty=execution.qty,
            price=execution.price,
        )
        if position is not None:
            positions[symbol] = position
        marks[symbol] = PositionMark(key=key, qty=told[symbol], heard_at=now)
    return structs.replace(state, positions=positions, marks=marks), tuple(doubts)


def _told_positions(update: TradeUpdate) -> Mapping[Symbol, str]:
    """symbol → the whole signed position after the event, as far as it tells."""
    if update.position_qtys:
        return {position_symbol(s): qty for s, qty in update.position_qtys.items()}
    if update.position_qty is None or not update.order.symbol:
        return {}
    return {position_symbol(update.order.symbol): update.position_qty}


def _leg_order(update: TradeUpdate, execution: Execution) -> Order:
    legs = update.order.legs or ()
    return next((leg for leg in legs if leg.id == execution.order_id), update.order)


def _follows(old: Position | None, execution: Execution, told: str) -> bool:
    """Whether the position told is ours plus or minus the execution (less a fee in the coin)."""
    qty = number(execution.qty)
    expected = (number(old.qty) if old else ZERO) + (qty if execution.side == "buy" else -qty)
    off = abs(number(told) - expected)
    return off == 0 or ("/" in execution.symbol and off <= qty * CRYPTO_FEE_MOST)
