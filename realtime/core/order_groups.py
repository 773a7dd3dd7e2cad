"""Orders that stand and fall together: a bracket's entry and exits, an OCO pair, an OTO.

The broker does not tell everything of them: the end of a leg that was never sent to a venue has
been seen to come without a frame (alpaca-py issue 198), and whether a parent's frame shows its legs
is not written. So members are held against each other; what does not fit is read by id.
"""

from realtime.core.decimals import number
from realtime.core.model import Order, OrderId
from realtime.core.state import AccountState

GROUPED = frozenset({"bracket", "oco", "oto"})


def group(state: AccountState, order: Order) -> tuple[Order, ...]:
    """The known members of an order's group, itself among them."""
    if order.order_class not in GROUPED:
        return (order,)
    head = state.parents.get(order.id, order.id)
    ids = [head, *(leg for leg, parent in state.parents.items() if parent == head)]
    return tuple(state.orders[i] for i in ids if i in state.orders)


def lacks_legs(state: AccountState, order: Order) -> bool:
    """Whether it is of a group of which no other member is known."""
    return (
        order.order_class in GROUPED
        and order.id not in state.parents
        and order.id not in state.parents.values()
    )


def has_outlived(state: AccountState, order: Order) -> bool:
    """Whether it is a leg still held although its group has ended. What works tells its own end."""
    parent = state.orders.get(state.parents.get(order.id, OrderId("")))
    if order.status != "held" or parent is None:
        return False
    if _has_ended(parent) and (parent.order_class == "oco" or parent.status != "filled"):
        return True
    return any(_has_ended(o) for o in group(state, order) if o is not parent)


def is_told(before: Order | None, now: Order, *, is_leg: bool) -> bool:
    """Whether a stream that hears must have told of this change. Of a leg that waits for its
    group nothing needs to be told: not that it came to be, nor that it ended unsent."""
    if now.order_class not in GROUPED or number(now.filled_qty):
        return True
    waited = is_leg if before is None else before.status == "held"
    return not (now.status == "held" or (waited and now.is_closed))


def _has_ended(order: Order) -> bool:
    """Closed for good: who was replaced goes on under another id."""
    return order.is_closed and order.status != "replaced"
