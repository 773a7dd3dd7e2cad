"""The next state after a reading by REST, and every difference it brought.

REST is the broker's own record, but its parts do not move together: positions and account may lag
the orders by up to about ten seconds (Alpaca-API issue 276), FILL activities by a few. So a
position that disagrees with an execution of which we learned within that time is not taken yet but
reported as `unsettled`, and what a fill made provisional stays so until a reading agrees with it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from msgspec import Struct, structs

from realtime.core.decimals import number
from realtime.core.eviction import evict, is_forgotten
from realtime.core.executions import identity_by_quantity
from realtime.core.model import (
    Account,
    FillActivity,
    Order,
    OrderId,
    Position,
    Symbol,
)
from realtime.core.order_groups import is_told
from realtime.core.order_versions import (
    contradicts,
    flatten,
    is_current_at_broker,
    outranks,
)
from realtime.core.persistent_map import put
from realtime.core.position_lag import find_unsettled, held, is_unproven, outdate
from realtime.core.reversals import take_back
from realtime.core.state import LAG_S, MONEY, ORDERS, UNSURE_S, AccountState, Execution
from realtime.core.timestamps import NEVER, microseconds, nanoseconds
from realtime.core.version_conflicts import (
    disputed,
    is_believed,
    may_be_dropped,
)

DifferenceKind = Literal[
    "order_missing",
    "order_differs",
    "order_vanished",
    "execution_missing",
    "position_missing",
    "position_extra",
    "position_qty",
]


class Snapshot(Struct, frozen=True, kw_only=True):
    """What one reading brought; `None` for a part that was not read."""

    requested_at: float
    """When the reading began, epoch seconds by our clock."""
    broker_time: int | None = None
    """The broker's clock at that moment, in µs, as far as it is known."""
    account: Account | None = None
    positions: tuple[Position, ...] | None = None
    orders: tuple[Order, ...] | None = None
    """Nested as listed or flat; may hold an order more than once."""
    vanished: tuple[OrderId, ...] = ()
    """Orders that the broker, asked by id, does not know."""
    fills: tuple[FillActivity, ...] = ()
    answers_doubts: bool = False
    """Whether the orders in doubt were among those asked for."""
    is_full: bool = False
    """Whether orders and fills reach back to the state's watermark."""


class Discrepancy(Struct, frozen=True):
    """One thing that was not as the broker has it."""

    kind: DifferenceKind
    key: str
    """The order's id, the execution's id or the symbol."""
    ours: str | None
    theirs: str | None
    is_told: bool = True
    """Whether a stream that hears must have told of it."""


class Reconciled(Struct, frozen=True, kw_only=True):
    """The next state; the same object if the reading told nothing new."""

    state: AccountState
    differences: tuple[Discrepancy, ...] = ()
    recovered: tuple[Execution, ...] = ()
    """Executions that the stream had not told."""
    unsettled: frozenset[Symbol] = frozenset()
    """Symbols whose REST position does not agree yet with what the stream told."""


def reconcile(state: AccountState, snapshot: Snapshot) -> Reconciled:
    """Take what the broker has. The first reading of an account has no differences."""
    first = state.account is None
    next_state, order_differences = _take_orders(state, snapshot)
    next_state = _note_disputes(next_state, snapshot)
    next_state, recovered = _take_fills(next_state, snapshot)
    if snapshot.is_full:
        next_state = take_back(next_state, snapshot.orders or (), snapshot.fills)
    next_state, position_differences, unsettled = _take_positions(next_state, snapshot)
    if snapshot.account is not None and snapshot.account != next_state.account:
        next_state = structs.replace(next_state, account=snapshot.account)
    filled_unseen = any(d.kind in ("order_missing", "order_differs") for d in order_differences)
    unseen = _has_filled_lately(snapshot) if first else bool(recovered) or filled_unseen
    behind = bool(unsettled) or unseen
    behind = behind or is_unproven(next_state.marks, snapshot.requested_at)
    next_state = _confirm(_advance_watermark(next_state, snapshot), snapshot, behind=behind)
    if first:
        return Reconciled(state=evict(next_state), unsettled=unsettled)
    missed = tuple(
        Discrepancy("execution_missing", e.execution_id, None, f"{e.side} {e.qty} {e.symbol}")
        for e in recovered
    )
    return Reconciled(
        state=evict(next_state),
        differences=order_differences + missed + position_differences,
        recovered=recovered,
        unsettled=unsettled,
    )


def _has_filled_lately(snapshot: Snapshot) -> bool:
    """Whether something was executed so short before that positions and money may lag it."""
    if snapshot.broker_time is None:
        return False
    times = [microseconds(f.transaction_time) for f in snapshot.fills]
    times += [microseconds(o.updated_at) for o in snapshot.orders or () if number(o.filled_qty)]
    return max(times, default=NEVER) > _lagging_since(snapshot)


def _lagging_since(snapshot: Snapshot) -> int:
    """Since when what happened may be missing from the positions read, in µs by the broker's
    clock."""
    if snapshot.broker_time is None:
        return NEVER
    return snapshot.broker_time - round((LAG_S + UNSURE_S) * 1_000_000)


def snapshot_of(state: AccountState, *, requested_at: float) -> Snapshot:
    """The reading that a broker with exactly this state would give."""
    return Snapshot(
        requested_at=requested_at,
        account=state.account,
        positions=tuple(state.positions.values()),
        orders=tuple(state.orders.values()),
        answers_doubts=True,
    )


def learn(state: AccountState, order: Order) -> AccountState:
    """Take one order that the broker told of in answer to a call of ours.

    No difference: nobody expected the stream to have told it before. If it has traded, positions
    and money are not known until they are read.
    """
    answer = Snapshot(requested_at=NEVER, orders=(order,), answers_doubts=True)
    learned, _ = _take_orders(state, answer)
    for version, _ in flatten(order):
        before = state.orders.get(version.id)
        traded = number(version.filled_qty) != number(before.filled_qty if before else None)
        if traded and learned.orders.get(version.id) == version:
            learned = structs.replace(learned, provisional=learned.provisional | MONEY)
    return evict(learned)


def resume(state: AccountState, now: float) -> AccountState:
    """The stream is taken up again: what it would have told meanwhile, only lists can tell, and
    they may lag. So orders are provisional until a reading that began late enough."""
    if state.account is None:
        return state
    return structs.replace(state, provisional=state.provisional | ORDERS, resumed_at=now)


def _take_orders(
    state: AccountState, snapshot: Snapshot
) -> tuple[AccountState, tuple[Discrepancy, ...]]:
    orders, parents, busted = dict(state.orders), dict(state.parents), dict(state.busted)
    executions = state.executions
    differences: list[Discrepancy] = []
    lists_may_lag = snapshot.is_full or not snapshot.answers_doubts
    for order, parent in _flat(snapshot.orders or ()):
        ours = orders.get(order.id)
        if is_forgotten(order, state):
            continue
        if (
            ours is None
            and lists_may_lag
            and may_be_dropped(order, state)
            and not is_believed(order, None, state, snapshot.requested_at)
        ):
            continue
        if parent is not None:
            parents[order.id] = parent
        is_due = is_told(ours, order, is_leg=parent is not None)
        if ours is None:
            differences.append(Discrepancy("order_missing", order.id, None, _said(order), is_due))
        elif not (
            is_current_at_broker(order, ours)
            or is_believed(order, ours, state, snapshot.requested_at)
        ):
            continue
        elif contradicts(order, ours):
            differences.append(
                Discrepancy("order_differs", order.id, _said(ours), _said(order), is_due)
            )
            if outranks(ours, order, NEVER):
                busted[order.id] = microseconds(order.updated_at)
        if ours != order:
            orders[order.id] = order
    missing = _missing(state, snapshot, orders)
    for vanished in snapshot.vanished:
        if vanished in orders and vanished not in missing:
            differences.append(
                Discrepancy("order_vanished", vanished, _said(orders.pop(vanished)), None)
            )
            parents.pop(vanished, None)
            busted.pop(vanished, None)
            executions = {i: e for i, e in executions.items() if i != vanished}
    if missing != state.missing:
        state = structs.replace(state, missing=missing)
    if orders == state.orders and parents == state.parents:
        return state, ()
    next_state = structs.replace(
        state, orders=orders, parents=parents, busted=busted, executions=executions
    )
    return next_state, tuple(differences)


def _note_disputes(state: AccountState, snapshot: Snapshot) -> AccountState:
    told = [order for order, _ in _flat(snapshot.orders or ())]
    version_conflicts = disputed(told, state, snapshot.requested_at)
    if not snapshot.is_full:
        read = {order.id for order in told}
        version_conflicts |= {
            i: d
            for i, d in state.version_conflicts.items()
            if (i in state.orders or d.version == NEVER) and i not in read
        }
    return (
        state
        if version_conflicts == state.version_conflicts
        else structs.replace(state, version_conflicts=version_conflicts)
    )


def _missing(
    state: AccountState, snapshot: Snapshot, orders: Collection[OrderId]
) -> Mapping[OrderId, float]:
    """Orders that the broker does not know, but may only not know yet: one answer drops nothing."""
    at = snapshot.requested_at
    first = {i: state.missing.get(i, at) for i in snapshot.vanished if i in orders}
    others = {} if snapshot.is_full else state.missing
    shown = {order.id for order, _ in _flat(snapshot.orders or ())}
    return {i: t for i, t in {**others, **first}.items() if at < t + LAG_S and i not in shown}


def _flat(orders: Iterable[Order]) -> Iterable[tuple[Order, OrderId | None]]:
    for order in orders:
        yield from flatten(order)


def _said(order: Order) -> str:
    return f"{order.status} {order.filled_qty or 0}/{order.qty or order.notional or '?'}"


def _take_fills(
    state: AccountState, snapshot: Snapshot
) -> tuple[AccountState, tuple[Execution, ...]]:
    """Count executions that only REST told; the newest of a symbol outdates older frames."""
    book = dict(state.executions)
    marks = dict(state.marks)
    counted = {identity for known in book.values() for identity in known}
    # Positions may lag an execution that only now we heard of; but not what is history to us.
    heard_at = snapshot.requested_at if state.account is not None else float("-inf")
    lagging_since = _lagging_since(snapshot) * 1000
    recovered: list[Execution] = []
    for fill in sorted(snapshot.fills, key=lambda fill: nanoseconds(fill.transaction_time)):
        if fill.order_id is None or fill.order_id not in state.orders:
            continue
        if {fill.execution_id, identity_by_quantity(fill.order_id, fill.cum_qty)} & counted:
            continue
        execution = _execution(fill, fill.order_id)
        book[fill.order_id] = put(book.get(fill.order_id, {}), execution.execution_id, execution)
        counted.add(execution.execution_id)
        recovered.append(execution)
        may_lag = nanoseconds(execution.at) > lagging_since
        outdate(marks, execution, heard_at, state.positions if may_lag else None)
    if not recovered:
        return state, ()
    return structs.replace(state, executions=book, marks=marks), tuple(recovered)


def _execution(fill: FillActivity, order_id: OrderId) -> Execution:
    return Execution(
        execution_id=fill.execution_id,
        order_id=order_id,
        symbol=fill.symbol or "",
        side="buy" if fill.side == "buy" else "sell",
        qty=fill.qty or "0",
        price=fill.price or "0",
        at=fill.transaction_time,
    )


def _take_positions(
    state: AccountState, snapshot: Snapshot
) -> tuple[AccountState, tuple[Discrepancy, ...], frozenset[Symbol]]:
    if snapshot.positions is None:
        return state, (), frozenset()
    theirs = {p.symbol: p for p in snapshot.positions if number(p.qty) != 0}
    unsettled = frozenset(find_unsettled(state.marks, theirs, snapshot.requested_at))
    positions: dict[Symbol, Position] = {}
    differences: list[Discrepancy] = []
    for symbol in sorted(theirs.keys() | state.positions.keys()):
        ours, read = state.positions.get(symbol), theirs.get(symbol)
        taken = ours if symbol in unsettled else read
        if taken is not None:
            positions[symbol] = ours if ours == taken else taken
        if symbol not in unsettled and held(ours) != held(read):
            differences.append(_position_difference(symbol, ours, read))
    if positions == state.positions:
        return state, (), unsettled
    return structs.replace(state, positions=positions), tuple(differences), unsettled


def _position_difference(
    symbol: Symbol, ours: Position | None, theirs: Position | None
) -> Discrepancy:
    kind: DifferenceKind = (
        "position_missing"
        if ours is None
        else "position_extra"
        if theirs is None
        else "position_qty"
    )
    return Discrepancy(kind, symbol, ours.qty if ours else None, theirs.qty if theirs else None)


def _advance_watermark(state: AccountState, snapshot: Snapshot) -> AccountState:
    if not snapshot.is_full:
        return state
    told = [o.submitted_at for o in snapshot.orders or ()]
    told += [f.transaction_time for f in snapshot.fills]
    newest = max((t for t in [*told, state.watermark] if t), key=nanoseconds, default=None)
    if newest == state.watermark:
        return state
    return structs.replace(state, watermark=newest)


def _confirm(state: AccountState, snapshot: Snapshot, *, behind: bool) -> AccountState:
    """What is provisional now: cleared by a reading that agrees and began after the last fill or
    doubt."""
    doubted_since = state.doubted_at is not None and state.doubted_at >= snapshot.requested_at
    heard_since = doubted_since or any(
        m.heard_at >= snapshot.requested_at for m in state.marks.values()
    )
    provisional, resumed_at = state.provisional, state.resumed_at
    if snapshot.is_full and resumed_at is not None and _is_past_lag(resumed_at, snapshot):
        resumed_at = None
    if snapshot.answers_doubts and not doubted_since and resumed_at is None:
        provisional -= ORDERS
    if state.asks_again:
        provisional |= ORDERS
    if behind:
        provisional |= MONEY
    elif snapshot.account is not None and snapshot.positions is not None and not heard_since:
        provisional -= MONEY
    if provisional == state.provisional and resumed_at == state.resumed_at:
        return state
    return structs.replace(state, provisional=provisional, resumed_at=resumed_at)


def _is_past_lag(since: float, snapshot: Snapshot) -> bool:
    return snapshot.requested_at >= since + LAG_S
