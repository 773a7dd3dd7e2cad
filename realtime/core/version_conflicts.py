"""Orders that are further along at REST than with us, though our version claims to be the younger.

A lost frame about an order's end, and a later one that tells an old version with a new time, look
like that; so does a list that lags behind an execution undone. Time tells them apart: nothing lags
for as long as this lasts. Until then we keep what we have, and say that orders are provisional.

The same holds for an order that works according to a list, but is unknown and older than orders
that were dropped: a list from before its end shows an order that we have dropped since, and so does
a list of an order that we never knew.
"""

from collections.abc import Iterable
from decimal import Decimal

from realtime.core.decimals import number
from realtime.core.eviction import is_late
from realtime.core.model import Order, OrderId
from realtime.core.order_versions import is_current_at_broker
from realtime.core.state import LAG_S, AccountState, VersionConflict
from realtime.core.timestamps import NEVER, microseconds

BELIEVED_AFTER_S = 2 * LAG_S
"""A first reading may have begun before what it denies happened, and lists lag by `LAG_S`."""


def is_disputed(theirs: Order, ours: Order) -> bool:
    """Whether REST has an order further along than we do, but as of an earlier time."""
    return _progress(theirs) > _progress(ours) and not is_current_at_broker(theirs, ours)


def is_believed(
    theirs: Order, ours: Order | None, state: AccountState, requested_at: float
) -> bool:
    """Whether REST has shown it for longer than anything lags, whatever our version claims."""
    conflict = state.version_conflicts.get(theirs.id)
    return (
        conflict is not None
        and conflict.version == _version(ours)
        and requested_at >= conflict.since + BELIEVED_AFTER_S
        and (ours is None or is_disputed(theirs, ours))
    )


def may_be_dropped(order: Order, state: AccountState) -> bool:
    """Whether an order that works according to REST may be one that ended and was dropped."""
    return not order.is_closed and is_late(order, state)


def disputed(
    told: Iterable[Order], state: AccountState, requested_at: float
) -> dict[OrderId, VersionConflict]:
    """What is disputed of the orders that a reading told, which the state has taken already. A
    newer version of ours begins a dispute of its own."""
    found = {}
    for theirs in told:
        ours = state.orders.get(theirs.id)
        if is_disputed(theirs, ours) if ours is not None else may_be_dropped(theirs, state):
            version, known = _version(ours), state.version_conflicts.get(theirs.id)
            if known is None or known.version != version:
                known = VersionConflict(version=version, since=requested_at)
            found[theirs.id] = known
    return found


def _version(ours: Order | None) -> int:
    return NEVER if ours is None else microseconds(ours.updated_at)


def _progress(order: Order) -> tuple[bool, Decimal]:
    return order.is_closed, number(order.filled_qty)
