"""The next state after a read by REST, and every discrepancy it revealed.

REST is the broker's own record, but its parts do not move together: positions and account may lag
the orders by up to about ten seconds (Alpaca-API issue 276), FILL activities by a few. So a
position that disagrees with an execution younger than that is not taken yet but reported as
`unsettled`, and what a fill made provisional stays so until a read agrees with it.
"""

from collections.abc import Iterable, Mapping

from msgspec import structs

from realtime.core.decimals import number
from realtime.core.eviction import evict, was_evicted
from realtime.core.executions import execution_id_by_qty
from realtime.core.model import FillActivity, Order, OrderId, Position, Symbol
from realtime.core.order_groups import is_streamed, unknown_successors
from realtime.core.order_versions import differs, flatten, is_at_least_as_new, outranks
from realtime.core.outcomes import Discrepancy, DiscrepancyKind, Reconciled, Snapshot
from realtime.core.persistent_map import put
from realtime.core.position_evidence import (
    add_recovered,
    find_unsettled,
    held_qty,
    may_agree_by_chance,
)
from realtime.core.position_keys import has_shared_symbols, positions_by_key
from realtime.core.provisional import confirm, lagging_since, note_lag
from realtime.core.reversals import remove_reversed
from realtime.core.state import LAG_S, MONEY, ORDERS, AccountState, Execution
from realtime.core.timestamps import NEVER, microseconds, nanoseconds
from realtime.core.version_conflicts import find_conflicts, is_rest_believed, may_be_evicted


def reconcile(state: AccountState, snapshot: Snapshot) -> Reconciled:
    """The state with what REST reports. The first read of an account reveals no discrepancies."""
    first = state.account is None
    # 1. Orders, and which of them REST must report once more.
    next_state, order_discrepancies = _take_orders(state, snapshot)
    next_state = _note_conflicts(next_state, snapshot)
    # 2. Executions: those the stream did not deliver, and those that were reversed.
    next_state, recovered = _take_fills(next_state, snapshot)
    if snapshot.is_full:
        next_state = remove_reversed(next_state, snapshot.orders or (), snapshot.fills)
    # 3. Positions and account, except where REST lags.
    next_state, position_discrepancies, unsettled = _take_positions(next_state, snapshot)
    if snapshot.account is not None and snapshot.account != next_state.account:
        next_state = structs.replace(next_state, account=snapshot.account)
    # 4. What is confirmed now, and what must wait until REST cannot lag any more.
    changed = [d.key for d in order_discrepancies if d.kind in ("order_missing", "order_differs")]
    has_filled = first or _has_filled(state, next_state, changed)
    next_state = note_lag(next_state, snapshot, has_filled=has_filled)
    is_unproven = may_agree_by_chance(next_state.evidence, snapshot.requested_at)
    is_behind = (
        bool(unsettled)
        or (not first and bool(recovered or changed))
        or is_unproven
        or next_state.progress.may_lag_until is not None
        or has_shared_symbols(next_state.positions)
    )
    next_state = _advance_watermark(next_state, snapshot)
    next_state = evict(confirm(next_state, snapshot, is_behind=is_behind))
    if first:
        return Reconciled(state=next_state, unsettled=unsettled)
    missed = tuple(
        Discrepancy("execution_missing", e.execution_id, None, f"{e.side} {e.qty} {e.symbol}")
        for e in recovered
    )
    return Reconciled(
        state=next_state,
        discrepancies=order_discrepancies + missed + position_discrepancies,
        recovered=recovered,
        unsettled=unsettled,
    )


def snapshot_of(state: AccountState, *, requested_at: float) -> Snapshot:
    """The snapshot that a broker with exactly this state would return."""
    return Snapshot(
        requested_at=requested_at,
        account=state.account,
        positions=tuple(state.positions.values()),
        orders=tuple(state.orders.values()),
        covers_anomalies=True,
    )


def merge_response(state: AccountState, order: Order) -> AccountState:
    """The state with an order that the broker returned in response to an order of ours.

    It is no discrepancy, since no event was due before. If it has traded, positions and money are
    not known until they are read.
    """
    response = Snapshot(requested_at=NEVER, orders=(order,), covers_anomalies=True)
    merged, _ = _take_orders(state, response)
    for version, _ in flatten(order):
        before = state.orders.get(version.id)
        traded = number(version.filled_qty) != number(before.filled_qty if before else None)
        if traded and merged.orders.get(version.id) == version:
            merged = structs.replace(merged, provisional=merged.provisional | MONEY)
    if unknown_successors(merged).keys() & {version.id for version, _ in flatten(order)}:
        merged = structs.replace(merged, provisional=merged.provisional | ORDERS)
    return evict(merged)


# -- orders ----------------------------------------------------------------------------------------


def _take_orders(
    state: AccountState, snapshot: Snapshot
) -> tuple[AccountState, tuple[Discrepancy, ...]]:
    orders, parents = dict(state.orders), dict(state.parents)
    reversed_at, executions = dict(state.reversed_at), state.executions
    discrepancies: list[Discrepancy] = []
    lists_may_lag = snapshot.is_full or not snapshot.covers_anomalies
    for order, parent in _flat(snapshot.orders or ()):
        ours = orders.get(order.id)
        # 1. Closed and evicted long ago: not news, unless an order that is shown names it.
        if was_evicted(order, state) and parent not in orders and order.replaces not in orders:
            continue
        # 2. Open in a list, but maybe closed and evicted since: believed if REST repeats it.
        if (
            ours is None
            and lists_may_lag
            and may_be_evicted(order, state)
            and not is_rest_believed(order, None, state, snapshot.requested_at)
        ):
            continue
        if parent is not None:
            parents[order.id] = parent
        is_due = is_streamed(ours, order, is_leg=parent is not None)
        # 3. Unknown: the stream did not deliver it.
        if ours is None:
            theirs = _describe(order)
            discrepancies.append(Discrepancy("order_missing", order.id, None, theirs, is_due))
        # 4. Older than ours: a list that lags, unless REST repeats it for long enough.
        elif not (
            is_at_least_as_new(order, ours)
            or is_rest_believed(order, ours, state, snapshot.requested_at)
        ):
            continue
        # 5. Newer than ours and different: an event was missed. If it sets the order back, that
        #    starts a new era of it.
        elif differs(order, ours):
            discrepancies.append(
                Discrepancy("order_differs", order.id, _describe(ours), _describe(order), is_due)
            )
            if outranks(ours, order, NEVER):
                reversed_at[order.id] = microseconds(order.updated_at)
        # 6. In all but cases 1, 2 and 4: REST's version is ours now.
        if ours != order:
            orders[order.id] = order
    # 7. Read by id and not found, twice: the broker does not have it.
    not_found_since = _not_found_since(state, snapshot, orders)
    for order_id in snapshot.not_found:
        if order_id in orders and order_id not in not_found_since:
            ours_described = _describe(orders.pop(order_id))
            discrepancies.append(Discrepancy("order_vanished", order_id, ours_described, None))
            parents.pop(order_id, None)
            reversed_at.pop(order_id, None)
            executions = {i: e for i, e in executions.items() if i != order_id}
    if not_found_since != state.progress.not_found_since:
        progress = structs.replace(state.progress, not_found_since=not_found_since)
        state = structs.replace(state, progress=progress)
    if orders == state.orders and parents == state.parents:
        return state, ()
    next_state = structs.replace(
        state, orders=orders, parents=parents, reversed_at=reversed_at, executions=executions
    )
    return next_state, tuple(discrepancies)


def _not_found_since(
    state: AccountState, snapshot: Snapshot, orders: Mapping[OrderId, Order]
) -> Mapping[OrderId, float]:
    """Orders that the broker does not know, but maybe only not yet: one response drops nothing."""
    at, known = snapshot.requested_at, state.progress.not_found_since
    newly = {i: known.get(i, at) for i in snapshot.not_found if i in orders}
    others = {} if snapshot.is_full else known
    shown = {order.id for order, _ in _flat(snapshot.orders or ())}
    return {i: t for i, t in {**others, **newly}.items() if at < t + LAG_S and i not in shown}


def _note_conflicts(state: AccountState, snapshot: Snapshot) -> AccountState:
    orders = [order for order, _ in _flat(snapshot.orders or ())]
    known = state.progress.version_conflicts
    conflicts = find_conflicts(orders, state, snapshot.requested_at)
    if not snapshot.is_full:  # which shows every open order; another read only those it is about
        read = {order.id for order in orders}
        conflicts |= {
            i: conflict
            for i, conflict in known.items()
            if (i in state.orders or conflict.version == NEVER) and i not in read
        }
    if conflicts == known:
        return state
    return structs.replace(
        state, progress=structs.replace(state.progress, version_conflicts=conflicts)
    )


def _flat(orders: Iterable[Order]) -> Iterable[tuple[Order, OrderId | None]]:
    for order in orders:
        yield from flatten(order)


def _describe(order: Order) -> str:
    return f"{order.status} {order.filled_qty or 0}/{order.qty or order.notional or '?'}"


# -- executions ------------------------------------------------------------------------------------


def _take_fills(
    state: AccountState, snapshot: Snapshot
) -> tuple[AccountState, tuple[Execution, ...]]:
    """Count executions that only REST reported; the newest of a symbol outdates older frames."""
    executions, evidence = dict(state.executions), dict(state.evidence)
    counted = {execution_id for known in executions.values() for execution_id in known}
    # Positions may lag an execution that arrived only now, but not one from before the first read.
    received_at = snapshot.requested_at if state.account is not None else float("-inf")
    lagging = lagging_since(snapshot) * 1000
    recovered: list[Execution] = []
    for fill in sorted(snapshot.fills, key=lambda fill: nanoseconds(fill.transaction_time)):
        if fill.order_id is None or fill.order_id not in state.orders:
            continue
        if {fill.execution_id, execution_id_by_qty(fill.order_id, fill.cum_qty)} & counted:
            continue
        execution = _execution(fill, fill.order_id)
        known = executions.get(fill.order_id, {})
        executions[fill.order_id] = put(known, execution.execution_id, execution)
        counted.add(execution.execution_id)
        recovered.append(execution)
        may_lag = nanoseconds(execution.at) > lagging
        add_recovered(evidence, execution, received_at, state.positions if may_lag else None)
    if not recovered:
        return state, ()
    return structs.replace(state, executions=executions, evidence=evidence), tuple(recovered)


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


# -- positions -------------------------------------------------------------------------------------


def _take_positions(
    state: AccountState, snapshot: Snapshot
) -> tuple[AccountState, tuple[Discrepancy, ...], frozenset[Symbol]]:
    if snapshot.positions is None:
        return state, (), frozenset()
    theirs = positions_by_key(snapshot.positions, state.positions)
    unsettled = frozenset(find_unsettled(state.evidence, theirs, snapshot.requested_at))
    positions: dict[Symbol, Position] = {}
    for symbol in (*theirs, *(symbol for symbol in state.positions if symbol not in theirs)):
        ours, read = state.positions.get(symbol), theirs.get(symbol)
        chosen = ours if symbol in unsettled else read
        if chosen is not None:  # in the broker's order: its list is answered from here
            positions[symbol] = ours if ours == chosen else chosen
    discrepancies: list[Discrepancy] = []
    for symbol in sorted(theirs.keys() | state.positions.keys()):
        ours, read = state.positions.get(symbol), theirs.get(symbol)
        if symbol not in unsettled and held_qty(ours) != held_qty(read):
            discrepancies.append(_position_discrepancy(symbol, ours, read))
    if positions == state.positions and list(positions) == list(state.positions):
        return state, (), unsettled
    return structs.replace(state, positions=positions), tuple(discrepancies), unsettled


def _position_discrepancy(
    symbol: Symbol, ours: Position | None, theirs: Position | None
) -> Discrepancy:
    kind: DiscrepancyKind = (
        "position_missing"
        if ours is None
        else "position_extra"
        if theirs is None
        else "position_qty"
    )
    return Discrepancy(kind, symbol, ours.qty if ours else None, theirs.qty if theirs else None)


# -- what is confirmed -----------------------------------------------------------------------------


def _has_filled(before: AccountState, after: AccountState, changed: Iterable[str]) -> bool:
    """Whether more of an order is filled after a read than before."""
    for order_id in map(OrderId, changed):
        ours, theirs = before.orders.get(order_id), after.orders.get(order_id)
        if theirs and number(theirs.filled_qty) != number(ours.filled_qty if ours else None):
            return True
    return False


def _advance_watermark(state: AccountState, snapshot: Snapshot) -> AccountState:
    if not snapshot.is_full:
        return state
    old = state.progress.watermark
    times = [o.submitted_at for o in snapshot.orders or ()]
    times += [f.transaction_time for f in snapshot.fills]
    newest = max((t for t in [*times, old] if t), key=nanoseconds, default=None)
    if newest == old:
        return state
    return structs.replace(state, progress=structs.replace(state.progress, watermark=newest))
