"""Which parts of a state are provisional: not confirmed by the broker yet.

A fill makes positions and account provisional, also one that only REST has shown while they may lag
it; an anomaly makes the orders provisional, and so does an outage. A part is cleared by a read that
agrees and began after the last such event. Orders are provisional as long as one of them names a
successor that is not known.
"""

from msgspec import structs

from realtime.core.decimals import number
from realtime.core.order_groups import unknown_successors
from realtime.core.outcomes import Snapshot
from realtime.core.state import CLOCK_ERROR_S, LAG_S, MONEY, ORDERS, AccountState
from realtime.core.timestamps import NEVER, microseconds


def mark_provisional(state: AccountState, parts: frozenset[str], now: float) -> AccountState:
    """The state with parts that may differ from the broker; only a later read confirms them."""
    return structs.replace(
        state,
        provisional=state.provisional | parts,
        progress=structs.replace(state.progress, anomaly_at=now),
    )


def mark_resumed(state: AccountState, now: float) -> AccountState:
    """The state when the stream is resumed: what it would have delivered meanwhile is only in the
    lists, and they may lag. So orders are provisional until a read that began late enough."""
    if state.account is None:
        return state
    return structs.replace(
        state,
        provisional=state.provisional | ORDERS,
        progress=structs.replace(state.progress, resumed_at=now),
    )


def confirm_orders(state: AccountState) -> AccountState:
    """The state after events have resolved every anomaly; orders stay provisional where only a read
    can confirm them."""
    progress = state.progress
    if not ORDERS & state.provisional:
        return state
    if progress.resumed_at is not None or progress.needs_second_read or unknown_successors(state):
        return state
    return structs.replace(state, provisional=state.provisional - ORDERS)


def confirm(state: AccountState, snapshot: Snapshot, *, is_behind: bool) -> AccountState:
    """The state after a read. `is_behind`: positions or account may lag what was executed."""
    progress, provisional = state.progress, state.provisional
    anomaly_since = progress.anomaly_at is not None and progress.anomaly_at >= snapshot.requested_at
    event_since = anomaly_since or any(
        e.received_at >= snapshot.requested_at for e in state.evidence.values()
    )
    resumed_at = progress.resumed_at
    if snapshot.is_full and resumed_at is not None and snapshot.requested_at >= resumed_at + LAG_S:
        resumed_at = None
    if snapshot.covers_anomalies and not anomaly_since and resumed_at is None:
        provisional -= ORDERS
    if progress.needs_second_read or (snapshot.orders is not None and unknown_successors(state)):
        provisional |= ORDERS
    if is_behind:
        provisional |= MONEY
    elif snapshot.account is not None and snapshot.positions is not None and not event_since:
        provisional -= MONEY
    if provisional == state.provisional and resumed_at == progress.resumed_at:
        return state
    if resumed_at != progress.resumed_at:
        progress = structs.replace(progress, resumed_at=resumed_at)
    return structs.replace(state, provisional=provisional, progress=progress)


def note_lag(state: AccountState, snapshot: Snapshot, *, has_filled: bool) -> AccountState:
    """The state with the time until which positions and account may lack what no event brought.
    `has_filled`: the snapshot shows more filled than was known."""
    until = state.progress.may_lag_until
    if has_filled and _has_filled_lately(snapshot):
        until = snapshot.requested_at + LAG_S
    elif until is not None and snapshot.requested_at >= until:
        until = None
    if until == state.progress.may_lag_until:
        return state
    return structs.replace(state, progress=structs.replace(state.progress, may_lag_until=until))


def _has_filled_lately(snapshot: Snapshot) -> bool:
    """Whether something was executed so shortly before that positions and money may lag it."""
    if snapshot.broker_time is None:
        return False
    times = [microseconds(f.transaction_time) for f in snapshot.fills]
    times += [microseconds(o.updated_at) for o in snapshot.orders or () if number(o.filled_qty)]
    return max(times, default=NEVER) > lagging_since(snapshot)


def lagging_since(snapshot: Snapshot) -> int:
    """Since when what happened may be missing from the positions read, in µs by the broker's
    clock."""
    if snapshot.broker_time is None:
        return NEVER
    return snapshot.broker_time - round((LAG_S + CLOCK_ERROR_S) * 1_000_000)
