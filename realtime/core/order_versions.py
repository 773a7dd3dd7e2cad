"""Which of two versions of one order is the newer.

The stream guarantees no order and repeats itself, REST lists may be older than an event that
arrived already, and a replaced order may be reported with nothing executed although it filled. So a
version from the stream wins only by a higher rank: closed over open, more filled over less, later
`updated_at` (at microseconds), further along by status; ties keep what is there. A reversal starts
a new era of its order: versions from before it never win again.

REST is the broker's own record: it wins when its `updated_at` is newer than ours, whatever it
contains; if it sets an order back, that starts a new era, too. Within a microsecond the higher rank
is the newer again; of two equals REST's form is taken (trailing stops move there without an event).
"""

from msgspec import structs

from realtime.core.decimals import number
from realtime.core.model import Order, OrderId
from realtime.core.order_status import CLOSED, PROGRESS, UNKNOWN_PROGRESS
from realtime.core.timestamps import NEVER, microseconds


def flatten(
    order: Order, parent: OrderId | None = None
) -> tuple[tuple[Order, OrderId | None], ...]:
    """The order without its legs, then each leg; each with its parent's id."""
    if order.legs is None:
        return ((order, parent),)
    flat = [(structs.replace(order, legs=None), parent)]
    for leg in order.legs:
        flat += flatten(leg, order.id)
    return tuple(flat)


def outranks(candidate: Order, current: Order, era_since: int) -> bool:
    """Whether a version from the stream is newer than the one we have."""
    return _rank(candidate, era_since) > _rank(current, era_since)


def is_later(candidate: Order, current: Order, era_since: int) -> bool:
    """Whether a version is younger than ours by its own time, and of the present era."""
    at = microseconds(candidate.updated_at)
    return at > microseconds(current.updated_at) and at >= era_since


def is_at_least_as_new(candidate: Order, current: Order) -> bool:
    """Whether a version read by REST is at least as new as the one we have."""
    theirs, ours = microseconds(candidate.updated_at), microseconds(current.updated_at)
    return theirs > ours or (theirs == ours and not outranks(current, candidate, NEVER))


def differs(candidate: Order, current: Order) -> bool:
    """Whether two versions differ in what matters: status or filled quantity."""
    return candidate.status != current.status or number(candidate.filled_qty) != number(
        current.filled_qty
    )


def _rank(order: Order, era_since: int) -> tuple[bool, bool, object, int, int]:
    updated_at = microseconds(order.updated_at)
    return (
        updated_at >= era_since,
        order.status in CLOSED,
        number(order.filled_qty),
        updated_at,
        PROGRESS.get(order.status, UNKNOWN_PROGRESS),
    )
