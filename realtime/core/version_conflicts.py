"""Orders that are further along at REST than with us, though our version claims to be the younger.

A lost frame about an order's end, and a later one that tells an old version with a new time, look
like that; so does a list that lags behind an execution undone. Time tells them apart: nothing lags
for as long as this lasts. Until then we keep what we have, and say that orders are provisional.
"""

from collections.abc import Iterable
from decimal import Decimal

from realtime.core.decimals import number
from realtime.core.model import Order, OrderId
from realtime.core.order_versions import is_current_at_broker
from realtime.core.state import LAG_S, AccountState, VersionConflict
from realtime.core.timestamps import microseconds

BELIEVED_AFTER_S = 2 * LAG_S
"""A first reading may have begun before what it denies happened, and lists lag by `LAG_S`."""


def is_disputed(theirs: Order, ours: Order) -> bool:
    """Whether REST has an order further along than we do, but as of an earlier time."""
    return _progress(theirs) > _progress(ours) and not is_current_at_broker(theirs, ours)


def is_believed(theirs: Order, ours: Order, state: AccountState, requested_at: float) -> bool:
    """Whether REST insisted for so long that it is right, whatever time our version claims."""
    version_conflict = state.version_conflicts.get(ours.id)
    return (
        version_conflict is not None
        and version_conflict.version == microseconds(ours.updated_at)
        and requested_at >= version_conflict.since + BELIEVED_AFTER_S
        and is_disputed(theirs, ours)
    )


def disputed(
    told: Iterable[Order], state: AccountState, requested_at: float
) -> dict[OrderId, VersionConflict]:
    """What is disputed of the orders that a reading told, which the state has taken already. A
    newer version of ours begins a dispute of its own."""
    found = {}
    for theirs in told:
        ours = state.orders.get(theirs.id)
        if ours is not None and is_disputed(theirs, ours):
            version, known = microseconds(ours.updated_at), state.version_conflicts.get(ours.id)
            if known is None or known.version != version:
                known = VersionConflict(version=version, since=requested_at)
            found[ours.id] = known
    return found


def _progress(order: Order) -> tuple[bool, Decimal]:
    return order.is_closed, number(order.filled_qty)
