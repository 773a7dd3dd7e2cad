"""Orders that are further along at REST than with us, though our version is the younger one.

A lost frame about an order's end, followed by one that carries an old version with a new time,
looks like that; so does a list that lags behind a reversal. Time distinguishes them: nothing lags
for as long as `BELIEVED_AFTER_S`. Until then we keep what we have, and orders are provisional.

The same holds for an unknown order that is open according to a list, and older than evicted ones: a
list from before its end shows an order that we have evicted since, but so does a list of an order
whose frames were all lost.
"""

from collections.abc import Iterable
from decimal import Decimal

from realtime.core.decimals import number
from realtime.core.eviction import is_older_than_evicted
from realtime.core.model import Order, OrderId
from realtime.core.order_versions import is_at_least_as_new
from realtime.core.state import LAG_S, AccountState, VersionConflict
from realtime.core.timestamps import NEVER, microseconds

BELIEVED_AFTER_S = 2 * LAG_S
"""The first read may have begun before what it contradicts happened, and lists lag by `LAG_S`."""


def is_conflict(theirs: Order, ours: Order) -> bool:
    """Whether REST has an order further along than we do, but as of an earlier time."""
    return _progress(theirs) > _progress(ours) and not is_at_least_as_new(theirs, ours)


def may_be_evicted(order: Order, state: AccountState) -> bool:
    """Whether an order that is open according to REST may be one that closed and was evicted."""
    return not order.is_closed and is_older_than_evicted(order, state)


def is_rest_believed(
    theirs: Order, ours: Order | None, state: AccountState, requested_at: float
) -> bool:
    """Whether REST has reported it for longer than anything lags, whatever our version is."""
    conflict = state.progress.version_conflicts.get(theirs.id)
    return (
        conflict is not None
        and conflict.version == _version(ours)
        and requested_at >= conflict.since + BELIEVED_AFTER_S
        and (ours is None or is_conflict(theirs, ours))
    )


def find_conflicts(
    orders: Iterable[Order], state: AccountState, requested_at: float
) -> dict[OrderId, VersionConflict]:
    """The conflicts among the orders of a read, which the state has taken already. A newer version
    of ours begins a new conflict."""
    conflicts = {}
    for theirs in orders:
        ours = state.orders.get(theirs.id)
        if is_conflict(theirs, ours) if ours is not None else may_be_evicted(theirs, state):
            known = state.progress.version_conflicts.get(theirs.id)
            if known is None or known.version != _version(ours):
                known = VersionConflict(version=_version(ours), since=requested_at)
            conflicts[theirs.id] = known
    return conflicts


def _version(ours: Order | None) -> int:
    return NEVER if ours is None else microseconds(ours.updated_at)


def _progress(order: Order) -> tuple[bool, Decimal]:
    return order.is_closed, number(order.filled_qty)
