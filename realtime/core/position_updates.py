"""Positions after the executions of an event, and when not to believe the event's position.

An event contains the whole position after it, so the newest execution decides: `position_qty`
replaces, it is never added. Executions arrive in any order and late, so "newest" is decided by the
broker's publication, and a position that REST or another order contradicts is not shown.
"""

from collections.abc import Iterable, Mapping

from msgspec import structs

from realtime.core.decimals import ZERO, number
from realtime.core.executions import is_reversal, unexplained_qty
from realtime.core.model import Order, Position, Symbol, TradeUpdate, position_symbol
from realtime.core.order_versions import flatten
from realtime.core.outcomes import Anomaly
from realtime.core.position_evidence import next_evidence
from realtime.core.positions import after_execution
from realtime.core.state import (
    CLOCK_ERROR_S,
    LAG_S,
    AccountState,
    EvidenceKey,
    Execution,
    PositionEvidence,
)
from realtime.core.timestamps import NEVER, microseconds, nanoseconds

MAX_CRYPTO_FEE = number("0.01")
"""A crypto buy credits the position less than it executed: the fee stays in the coin."""


def move_positions(
    before: AccountState,
    state: AccountState,
    update: TradeUpdate,
    executions: tuple[Execution, ...],
    now: float,
    positions_read_at: int,
) -> tuple[AccountState, tuple[Anomaly, ...]]:
    """The state with the positions after these executions of an event, and what does not fit."""
    position_qtys = _position_qtys(update)
    undoes = is_reversal(update)
    positions, evidence = dict(state.positions), dict(state.evidence)
    anomalies: list[Anomaly] = []
    for execution in executions:
        symbol, key = position_symbol(execution.symbol), evidence_key(update, execution)
        newest, qty = evidence.get(symbol), position_qtys.get(symbol)
        old = positions.get(symbol)
        # 1. A newer execution of the symbol is known, or REST has shown this one: nothing to do.
        if (newest and key <= newest.key) or was_in_last_read(state, execution):
            continue
        # 2. The position does not follow from ours: executions are missing, or it is old.
        follows = qty is None or (
            _follows_reversal(old, execution, qty, _undone(before, update))
            if undoes
            else _follows(old, execution, qty)
        )
        if not follows:
            detail = f"{symbol} was {old.qty if old else 0}, is {qty} as of {execution.at}"
            anomalies.append(Anomaly("position_gap", execution.order_id, detail))
            if microseconds(execution.at) < positions_read_at + CLOCK_ERROR_S * 1_000_000:
                continue  # REST has shown more since then, or a split
        # 3. An order shows that the symbol traded again since: the position is held back.
        overtaken = not undoes and _is_overtaken(before, state, update, execution)
        evidence[symbol] = next_evidence(
            newest,
            key=key,
            qty=qty or "",
            side="" if undoes else execution.side,
            now=now,
            held_back=execution if overtaken else None,
        )
        if overtaken:
            detail = f"{symbol} executed {execution.at}, and again by an unknown execution"
            anomalies.append(Anomaly("position_gap", execution.order_id, detail))
        # 4. It is the newest, and the event contains the position after it.
        elif qty is not None:
            _set_position(positions, _order_of(state, execution, update), execution, qty)
        # 5. It is the newest, but the event has no position: it stays, provisional.
    for execution in executions:
        symbol = position_symbol(execution.symbol)
        newest = evidence.get(symbol)
        execution_held_back = _released(state, newest, positions_read_at)
        if newest is not None and execution_held_back is not None:
            order = _order_of(state, execution_held_back, update)
            _set_position(positions, order, execution_held_back, newest.qty)
            evidence[symbol] = structs.replace(newest, held_back=None)
    return structs.replace(state, positions=positions, evidence=evidence), tuple(anomalies)


def evidence_key(update: TradeUpdate, execution: Execution) -> EvidenceKey:
    """Sorts the executions of a symbol as the broker booked them: as it published them.

    Venues' clocks differ, so the time of execution decides only where nothing else is known.
    """
    return (
        nanoseconds(update.at or update.order.updated_at or execution.at),
        update.event_id or "",
        microseconds(update.order.updated_at),
        number(update.order.filled_qty),
        str(execution.execution_id),
    )


def was_in_last_read(state: AccountState, execution: Execution) -> bool:
    """Whether the positions of the last full read contain it, however much they lagged."""
    at, seen = nanoseconds(execution.at), nanoseconds(state.progress.watermark)
    return NEVER < at < seen - int(LAG_S * 1_000_000_000)


def _position_qtys(update: TradeUpdate) -> Mapping[Symbol, str]:
    """symbol → the whole signed position after the event, as far as it contains it."""
    if update.position_qtys:
        return {position_symbol(s): qty for s, qty in update.position_qtys.items()}
    if update.position_qty is None or not update.order.symbol:
        return {}
    return {position_symbol(update.order.symbol): update.position_qty}


def _follows(old: Position | None, execution: Execution, after: str) -> bool:
    """Whether the position after is ours plus or minus the execution (less a fee in the coin)."""
    qty, step = number(execution.qty), number(after) - (number(old.qty) if old else ZERO)
    if execution.side == "buy":
        fee = qty - step
        return fee == 0 or ("/" in execution.symbol and 0 < fee <= qty * MAX_CRYPTO_FEE)
    return step == -qty or (not execution.side and step == qty)


def _undone(before: AccountState, update: TradeUpdate) -> Execution | None:
    """The execution that a reversal undoes, as it was known before; None if it was not."""
    if update.previous_execution_id is None:
        return None
    return before.executions.get(update.order.id, {}).get(update.previous_execution_id)


def _follows_reversal(
    old: Position | None, execution: Execution, after: str, undone: Execution | None
) -> bool:
    """Whether the position after a reversal is ours less what it undoes; or ours as it is, if a
    read has shown the reversal already."""
    step = number(after) - (number(old.qty) if old else ZERO)
    if step == 0 or undone is None:
        return step == 0
    change = number(execution.qty) - number(undone.qty)
    return step == (change if execution.side == "buy" else -change)


def _is_overtaken(
    before: AccountState, state: AccountState, update: TradeUpdate, execution: Execution
) -> bool:
    """Whether an order that was known before this event shows a later execution of the symbol of
    which no event arrived: then the position after this one is no longer true."""
    ours = state.orders.get(execution.order_id)
    if ours is None or ours is not before.orders.get(execution.order_id):
        return False
    version = next((o for o, _ in flatten(update.order) if o.id == ours.id), ours)
    # The filled quantity of its own order shows exactly whether more was executed after it.
    return number(ours.filled_qty) > number(version.filled_qty) or _shows_later_execution(
        (o for o in state.orders.values() if o.id != ours.id), state, execution
    )


def _shows_later_execution(
    orders: Iterable[Order], state: AccountState, execution: Execution
) -> bool:
    """Whether one of the orders traded the symbol later, by an execution that is not known. An
    order's time may be of a later event than its execution: then this is wrong, until the execution
    is known."""
    at = nanoseconds(execution.at)
    return any(
        order.symbol == execution.symbol
        and nanoseconds(order.filled_at or order.updated_at) > at
        and unexplained_qty(state, order.id) > 0
        for order in orders
    )


def _released(
    state: AccountState, newest: PositionEvidence | None, positions_read_at: int
) -> Execution | None:
    """The execution held back whose position is the newest after all: no order shows a later
    execution any more, and REST has not been read since."""
    execution = None if newest is None else newest.held_back
    if newest is None or execution is None or not newest.qty:
        return None
    if microseconds(execution.at) < positions_read_at + CLOCK_ERROR_S * 1_000_000:
        return None
    return None if _shows_later_execution(state.orders.values(), state, execution) else execution


def _order_of(state: AccountState, execution: Execution, update: TradeUpdate) -> Order:
    return state.orders.get(execution.order_id, update.order)


def _set_position(
    positions: dict[Symbol, Position], order: Order, execution: Execution, qty: str
) -> None:
    """Make the position after an execution `qty`."""
    symbol = position_symbol(execution.symbol)
    old = positions.pop(symbol, None)
    position = after_execution(
        old, order, symbol, position_qty=qty, qty=execution.qty, price=execution.price
    )
    if position is not None:
        positions[symbol] = position
