"""The next state after an event of the stream.

Idempotent and monotone: an execution counts once, an older version of an order changes nothing, a
closed order stays closed, a position is replaced by what the newest execution contains and never
added to. So any order and any duplication of the same events gives the same state, with one
exception: a version that overtakes the bust it builds on looks like an old one, and is reported as
an anomaly. Also not the same, and provisional until REST has confirmed them, are a position's
average price and what follows from it. What the event leaves uncertain is returned as `anomalies`:
each asks for a read by REST, none is an error.
"""

from msgspec import structs

from realtime.core.anomalies import (
    find_fill_anomalies,
    find_late_anomalies,
    find_order_anomalies,
)
from realtime.core.eviction import evict, is_older_than_evicted
from realtime.core.executions import count_executions, executions_of, is_new_execution, is_reversal
from realtime.core.model import TradeUpdate
from realtime.core.order_versions import flatten, outranks
from realtime.core.outcomes import GAPS, Anomaly, Applied
from realtime.core.persistent_map import put
from realtime.core.position_updates import move_positions
from realtime.core.provisional import mark_provisional
from realtime.core.state import MONEY, ORDERS, AccountState
from realtime.core.timestamps import NEVER, microseconds


def apply(
    state: AccountState, update: TradeUpdate, now: float, positions_read_at: int = NEVER
) -> Applied:
    """The next state; the same object if nothing changed. `now` is our clock, epoch seconds;
    `positions_read_at` the broker's clock (µs) when positions were last read."""
    # 1. An unknown order, older than evicted ones: not applied, at most read by id.
    known = state.orders.get(update.order.id)
    if known is None and is_older_than_evicted(update.order, state):
        anomalies = find_late_anomalies(state, update)
        return Applied(state=_mark(state, anomalies, now), anomalies=anomalies)
    # 2. Any order: its newest version, and its legs'.
    before = state
    state = _merge_orders(state, update)
    executions = executions_of(update, state.orders)
    if executions:
        executions = tuple(e for e in executions if is_new_execution(state, e))
    anomalies = find_order_anomalies(known, state, update.order)
    counted = executions[-1:] if is_reversal(update) else executions
    # 3. Executions that are new: counted once, the position after them, money provisional.
    if executions:
        state = count_executions(state, executions)
        state, position_anomalies = move_positions(
            before, state, update, counted, now, positions_read_at
        )
        anomalies += position_anomalies
        if not state.provisional >= MONEY:
            state = structs.replace(state, provisional=state.provisional | MONEY)
    # 4. Fills without executions: something was missed.
    anomalies += find_fill_anomalies(before, state, update, executions)
    if anomalies:
        state = _mark(state, anomalies, now)
    if len(state.orders) > len(before.orders):
        state = evict(state)
    return Applied(state=state, executions=counted, anomalies=anomalies)


def _mark(state: AccountState, anomalies: tuple[Anomaly, ...], now: float) -> AccountState:
    """Make provisional what these anomalies leave uncertain."""
    if not anomalies:
        return state
    is_missed = any(anomaly.kind in GAPS for anomaly in anomalies)
    return mark_provisional(state, ORDERS | MONEY if is_missed else ORDERS, now)


def _merge_orders(state: AccountState, update: TradeUpdate) -> AccountState:
    """The state with the event's order and its legs, where they are newer."""
    reversed_at = state.reversed_at
    # 1. A reversal starts a new era of its order: older versions never win again.
    if is_reversal(update):
        at = microseconds(update.order.updated_at)
        if at > reversed_at.get(update.order.id, NEVER):
            reversed_at = {**reversed_at, update.order.id: at}
    orders, parents = state.orders, state.parents
    for order, parent in flatten(update.order):
        current = orders.get(order.id)
        # 2. An unknown leg in an old frame: it may be old, too, and evicted long ago.
        if current is None and parent is not None:
            is_old_frame = orders[parent] is state.orders.get(parent)
            if is_old_frame and is_older_than_evicted(order, state):
                continue
        # 3. Unknown, or newer than ours: taken. Older than ours: ours stays.
        if current is None or outranks(order, current, reversed_at.get(order.id, NEVER)):
            orders = put(orders, order.id, order)
        # 4. A leg, whatever its version: its parent is known from now on.
        if parent is not None and parents.get(order.id) != parent:
            parents = put(parents, order.id, parent)
    if orders is state.orders and parents is state.parents and reversed_at is state.reversed_at:
        return state
    return structs.replace(state, orders=orders, parents=parents, reversed_at=reversed_at)
