"""The next state after an event of the stream.

Idempotent and monotone: an execution counts once, older news of an order changes nothing, a
closed order stays closed, a position is replaced by what the newest execution said and never added
to. So any order and any duplication of the same events gives the same state, with one exception: a
version that overtakes the bust it builds on looks like an old one, and is doubted. Also not the
same, and provisional until REST has spoken, are a position's average price and what follows of it.
What the event makes doubtful is returned as `doubts`: each asks for a look at REST, none is an
error.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct, structs

from realtime.core.decimals import ZERO, number
from realtime.core.eviction import evict, is_late
from realtime.core.executions import (
    count,
    executions_told,
    is_multileg,
    is_news,
    is_undoing,
    unexplained,
)
from realtime.core.model import (
    Order,
    OrderId,
    Position,
    Symbol,
    TradeUpdate,
    position_symbol,
)
from realtime.core.order_groups import lacks_legs
from realtime.core.order_versions import flatten, is_later, outranks
from realtime.core.persistent_map import put
from realtime.core.positions import after_execution
from realtime.core.state import (
    LAG_S,
    MONEY,
    ORDERS,
    UNSURE_S,
    AccountState,
    Execution,
    PositionEvidence,
    PositionKey,
    marked,
)
from realtime.core.timestamps import NEVER, microseconds, nanoseconds

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

MAX_CRYPTO_FEE = number("0.01")
"""A crypto buy credits the position less than it executed: the fee stays in the coin."""

DoubtKind = Literal[
    "fills_gap",
    "position_gap",
    "reopened",
    "contradicted",
    "successor_unknown",
    "legs_unknown",
    "superseded_open",
    "late_news",
    "overdue",
]


GAPS = frozenset({"fills_gap", "position_gap"})
"""Doubts that mean an execution nobody told us of: positions and money are behind, too."""


class Anomaly(Struct, frozen=True):
    """Why the state may not be what the broker has."""

    kind: DoubtKind
    order_id: OrderId
    detail: str


class Applied(Struct, frozen=True, kw_only=True):
    """The next state, and what the event meant."""

    state: AccountState
    executions: tuple[Execution, ...] = ()
    """Executions that counted now for the first time."""
    doubts: tuple[Anomaly, ...] = ()


def apply(
    state: AccountState, update: TradeUpdate, now: float, positions_read_at: int = NEVER
) -> Applied:
    """The next state; the same object if nothing changed. `now` is our clock, epoch seconds;
    `positions_read_at` what the broker's clock showed (µs) when positions were last read."""
    if is_late(update.order, state):
        doubts = _late_doubts(state, update)
        return Applied(state=_doubted(state, doubts, now), doubts=doubts)
    before = state
    state = _take_orders(state, update)
    told = executions_told(update, state.orders)
    executions = tuple(e for e in told if is_news(state, e))
    doubts = _order_doubts(before, state, update.order)
    counted = executions[-1:] if is_undoing(update) else executions
    if executions:
        state = count(state, executions)
        state, position_doubts = _move_positions(
            before, state, update, counted, now, positions_read_at
        )
        doubts += position_doubts
        if not state.provisional >= MONEY:
            state = structs.replace(state, provisional=state.provisional | MONEY)
    doubts += _fill_doubts(before, state, update, executions)
    state = _doubted(state, doubts, now)
    if len(state.orders) > len(before.orders):
        state = evict(state)
    return Applied(state=state, executions=counted, doubts=doubts)


def is_open_question(state: AccountState, doubt: Anomaly) -> bool:
    """Whether what came since has not answered the doubt by itself."""
    order = state.orders.get(doubt.order_id)
    if doubt.kind in ("superseded_open", "overdue"):
        return order is not None and not order.is_closed
    if doubt.kind == "successor_unknown":
        return order is None or order.replaced_by not in state.orders
    if doubt.kind == "legs_unknown":
        return order is not None and lacks_legs(state, order)
    if doubt.kind == "fills_gap":
        return order is None or is_multileg(order) or unexplained(state, order.id) != 0
    return True


def _doubted(state: AccountState, doubts: tuple[Anomaly, ...], now: float) -> AccountState:
    if not doubts:
        return state
    unheard = any(doubt.kind in GAPS for doubt in doubts)
    provisional = state.provisional | ORDERS | (MONEY if unheard else frozenset())
    return structs.replace(state, provisional=provisional, doubted_at=now)


def _take_orders(state: AccountState, update: TradeUpdate) -> AccountState:
    """Merge the event's order and its legs."""
    busted = state.busted
    if is_undoing(update):
        at = microseconds(update.order.updated_at)
        if at > busted.get(update.order.id, 0):
            busted = {**busted, update.order.id: at}
    orders, parents = state.orders, state.parents
    for order, parent in flatten(update.order):
        current = orders.get(order.id)
        if current is None:
            # Unknown legs of an old frame may be old, too, and dropped long ago.
            old_frame = parent is not None and orders[parent] is state.orders.get(parent)
            if old_frame and is_late(order, state):
                continue
        if current is None or outranks(order, current, busted.get(order.id, 0)):
            orders = put(orders, order.id, order)
        if parent is not None and parents.get(order.id) != parent:
            parents = put(parents, order.id, parent)
    if orders is state.orders and parents is state.parents and busted is state.busted:
        return state
    return structs.replace(state, orders=orders, parents=parents, busted=busted)


def _late_doubts(state: AccountState, update: TradeUpdate) -> tuple[Anomaly, ...]:
    """News of an order that is unknown although newer ones were finished and dropped already.

    Nearly always it is a repetition, and the order was dropped, too. So it is not taken; but one
    that still works, or an execution newer than all of its symbol, is worth a look.
    """
    order = update.order
    if not order.is_closed:
        return (Anomaly("late_news", order.id, f"{order.status}, {order.updated_at}"),)
    for execution in executions_told(update, state.orders):
        symbol = position_symbol(execution.symbol)
        mark = state.marks.get(symbol)
        newer = mark is None or _key(update, execution) > mark.key
        if newer and not _is_in_last_reading(state, execution):
            return (Anomaly("position_gap", order.id, f"{symbol} executed {execution.at}"),)
    return ()


def _order_doubts(before: AccountState, state: AccountState, order: Order) -> tuple[Anomaly, ...]:
    doubts: list[Anomaly] = []
    known = before.orders.get(order.id)
    if known is not None and _contradict(known, order, state):
        kind: DoubtKind = "reopened" if known.is_closed > order.is_closed else "contradicted"
        doubts.append(Anomaly(kind, order.id, f"{_said(known)} → {_said(order)}"))
    if order.replaced_by is not None and order.replaced_by not in state.orders:
        doubts.append(Anomaly("successor_unknown", order.id, f"replaced by {order.replaced_by}"))
    if order.replaces is not None:
        old = state.orders.get(order.replaces)
        if old is not None and not old.is_closed:
            doubts.append(Anomaly("superseded_open", old.id, f"replaced by {order.id}"))
    return tuple(doubts)


def _contradict(known: Order, order: Order, state: AccountState) -> bool:
    """Whether time says that the other of two versions is the newer than their contents say."""
    if state.orders[order.id] is known:
        return is_later(order, known, state.busted.get(order.id, NEVER))
    return is_later(known, order, state.busted.get(order.id, NEVER))


def _said(order: Order) -> str:
    return f"{order.status} {order.filled_qty or 0}"


def _fill_doubts(
    before: AccountState,
    state: AccountState,
    update: TradeUpdate,
    executions: tuple[Execution, ...],
) -> tuple[Anomaly, ...]:
    """`filled_qty` must grow by exactly what was executed, else an execution was missed.

    What an order lacked before, because its history was never read, it may go on lacking.
    """
    doubts: list[Anomaly] = []
    for told, _ in flatten(update.order):
        own = [e for e in executions if e.order_id == told.id]
        if not own and state.orders.get(told.id) is before.orders.get(told.id):
            continue
        if _grown(before, state, told.id) == _executed(before, own, told.id):
            continue
        lacked, lacks = unexplained(before, told.id), unexplained(state, told.id)
        if lacks > max(lacked, ZERO) or lacks < min(lacked, ZERO):
            doubts.append(Anomaly("fills_gap", told.id, f"filled is off its executions by {lacks}"))
    if is_multileg(update.order) and update.qty and update.price and not update.legs:
        doubts.append(Anomaly("fills_gap", update.order.id, "filled without its legs' executions"))
    doubts += [
        Anomaly("fills_gap", e.order_id, "executed while unknown")
        for e in executions
        if e.order_id not in state.orders
    ]
    return tuple(doubts)


def _grown(before: AccountState, state: AccountState, order_id: OrderId) -> object:
    old, new = before.orders.get(order_id), state.orders.get(order_id)
    return number(new.filled_qty if new else None) - number(old.filled_qty if old else None)


def _executed(before: AccountState, executions: Iterable[Execution], order_id: OrderId) -> object:
    """What these executions of an order add to those known before."""
    known, total = before.executions.get(order_id, {}), ZERO
    for execution in executions:
        old = known.get(execution.execution_id)
        total += number(execution.qty) - (number(old.qty) if old is not None else ZERO)
    return total


def _key(update: TradeUpdate, execution: Execution) -> PositionKey:
    """Orders the executions of a symbol as the broker booked them: as it published them.

    Venues' clocks differ, so the time of execution decides only where nothing else was told.
    """
    return (
        nanoseconds(update.at or update.order.updated_at or execution.at),
        update.event_id or "",
        microseconds(update.order.updated_at),
        number(update.order.filled_qty),
        str(execution.execution_id),
    )


def _is_in_last_reading(state: AccountState, execution: Execution) -> bool:
    """Whether the last full reading's positions contain it, however much they lagged."""
    at, seen = nanoseconds(execution.at), nanoseconds(state.watermark)
    return NEVER < at < seen - int(LAG_S * 1_000_000_000)


def _is_overtaken(
    before: AccountState, state: AccountState, update: TradeUpdate, execution: Execution
) -> bool:
    """Whether an order that was known before this frame shows a later execution of the symbol that
    has no frame yet: then the position after this one is no longer true."""
    ours = state.orders.get(execution.order_id)
    if ours is None or ours is not before.orders.get(execution.order_id):
        return False
    version = next((o for o, _ in flatten(update.order) if o.id == ours.id), ours)
    # Of its own order the filled quantity says exactly whether more came after it.
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
        and unexplained(state, order.id) > 0
        for order in orders
    )


def _move_positions(
    before: AccountState,
    state: AccountState,
    update: TradeUpdate,
    executions: tuple[Execution, ...],
    now: float,
    positions_read_at: int,
) -> tuple[AccountState, tuple[Anomaly, ...]]:
    told = _told_positions(update)
    positions, marks, doubts = dict(state.positions), dict(state.marks), []
    for execution in executions:
        symbol, key = position_symbol(execution.symbol), _key(update, execution)
        mark = marks.get(symbol)
        if (mark and key <= mark.key) or _is_in_last_reading(state, execution):
            continue
        qty, undoes = told.get(symbol), is_undoing(update)
        old = positions.get(symbol)
        fits = undoes or qty is None or _follows(old, execution, qty)
        if not fits:
            detail = f"{symbol} was {old.qty if old else 0}, is {qty} as of {execution.at}"
            doubts.append(Anomaly("position_gap", execution.order_id, detail))
            if microseconds(execution.at) < positions_read_at + UNSURE_S * 1_000_000:
                continue  # REST told of more since then, or of a split
        overtaken = not undoes and _is_overtaken(before, state, update, execution)
        side = "" if undoes else execution.side
        marks[symbol] = marked(
            mark,
            key=key,
            qty=qty or "",
            side=side,
            now=now,
            held_back=execution if overtaken else None,
        )
        if overtaken:
            detail = f"{symbol} executed {execution.at}, and again before we heard"
            doubts.append(Anomaly("position_gap", execution.order_id, detail))
        elif qty is not None:
            order = state.orders.get(execution.order_id, update.order)
            _set_position(positions, order, execution, qty)
    for symbol in {position_symbol(e.symbol) for e in executions}:
        mark = marks.get(symbol)
        if mark is not None and _is_released(state, mark, positions_read_at):
            assert mark.held_back is not None
            order = state.orders.get(mark.held_back.order_id, update.order)
            _set_position(positions, order, mark.held_back, mark.qty)
            marks[symbol] = structs.replace(mark, held_back=None)
    return structs.replace(state, positions=positions, marks=marks), tuple(doubts)


def _is_released(state: AccountState, mark: PositionEvidence, positions_read_at: int) -> bool:
    """Whether a position held back is the newest after all: no order shows a later execution any
    more, and REST has not been read since."""
    return (
        mark.held_back is not None
        and mark.qty != ""
        and microseconds(mark.held_back.at) >= positions_read_at + UNSURE_S * 1_000_000
        and not _shows_later_execution(state.orders.values(), state, mark.held_back)
    )


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


def _told_positions(update: TradeUpdate) -> Mapping[Symbol, str]:
    """symbol → the whole signed position after the event, as far as it tells."""
    if update.position_qtys:
        return {position_symbol(s): qty for s, qty in update.position_qtys.items()}
    if update.position_qty is None or not update.order.symbol:
        return {}
    return {position_symbol(update.order.symbol): update.position_qty}


def _follows(old: Position | None, execution: Execution, told: str) -> bool:
    """Whether the position told is ours plus or minus the execution (less a fee in the coin)."""
    qty, step = number(execution.qty), number(told) - (number(old.qty) if old else ZERO)
    if execution.side == "buy":
        fee = qty - step
        return fee == 0 or ("/" in execution.symbol and 0 < fee <= qty * MAX_CRYPTO_FEE)
    return step == -qty or (not execution.side and step == qty)
