"""Which of two versions of one order is the newer, and how versions enter the flat book of orders.

The stream promises no order and repeats itself, REST lists may be older than an event already
heard, and a replaced order may be reported with nothing executed although it filled. So a version
heard on the stream wins only by a higher rank: closed over open, more filled over less, later
`updated_at` (at microseconds), further along by status; ties keep what is there. An execution that
was undone starts a new era of its order: versions from before it never win again.

REST is the broker's own record: it wins when its `updated_at` is newer than ours, whatever it says;
if it sets an order back, that starts a new era, too. Within a microsecond the higher rank is the
newer again; of two equals REST's form is taken (trailing stops move there without an event).
"""

from collections.abc import Mapping

from msgspec import structs

from realtime.core.decimals import number
from realtime.core.model import Order, OrderId
from realtime.core.timestamps import NEVER, microseconds

PROGRESS: Mapping[str, int] = {
    "held": 0,
    "pending_new": 1,
    "accepted": 2,
    "accepted_for_bidding": 2,
    "new": 3,
    "stopped": 4,
    "suspended": 4,
    "partially_filled": 5,
    "pending_replace": 6,
    "pending_cancel": 6,
    "done_for_day": 7,
    "calculated": 8,
}
"""How far along an open order is: decides between versions of one microsecond."""


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


def outranks(candidate: Order, current: Order, busted_at: int) -> bool:
    """Whether a version heard on the stream is newer than the one we have."""
    return _rank(candidate, busted_at) > _rank(current, busted_at)


def is_later(candidate: Order, current: Order, busted_at: int) -> bool:
    """Whether a version says that it is younger than ours, of the present era."""
    at = microseconds(candidate.updated_at)
    return at > microseconds(current.updated_at) and at >= busted_at


def is_current_at_broker(candidate: Order, current: Order) -> bool:
    """Whether a version read by REST is at least as new as the one we have."""
    theirs, ours = microseconds(candidate.updated_at), microseconds(current.updated_at)
    return theirs > ours or (theirs == ours and not outranks(current, candidate, NEVER))


def contradicts(candidate: Order, current: Order) -> bool:
    """Whether the two differ in what matters: status or filled quantity."""
    return candidate.status != current.status or number(candidate.filled_qty) != number(
        current.filled_qty
    )


def _rank(order: Order, busted_at: int) -> tuple[bool, bool, object, int, int]:
    updated_at = microseconds(order.updated_at)
    return (
        updated_at >= busted_at,
        order.is_closed,
        number(order.filled_qty),
        updated_at,
        PROGRESS.get(order.status, 3),
    )
