"""Orders that name others: groups (a bracket's entry and exits, an OCO pair, an OTO) and chains of
replacements.

The broker does not stream all that happens to them: the end of a leg that was never sent to a venue
has been seen to come without a frame (alpaca-py issue 198), and whether a parent's frame contains
its legs is not documented. So the members are compared with each other; what does not fit is read
by id.
"""

from realtime.core.decimals import number
from realtime.core.model import Order, OrderId
from realtime.core.state import AccountState

GROUP_CLASSES = frozenset({"bracket", "oco", "oto"})


def group_members(state: AccountState, order: Order) -> tuple[Order, ...]:
    """The known members of an order's group, itself among them."""
    if order.order_class not in GROUP_CLASSES:
        return (order,)
    head = state.parents.get(order.id, order.id)
    ids = [head, *(leg for leg, parent in state.parents.items() if parent == head)]
    return tuple(state.orders[i] for i in ids if i in state.orders)


def unknown_successors(state: AccountState) -> dict[OrderId, OrderId]:
    """Order id → id of the order that replaced it, where that one is not known."""
    return {
        order.id: order.replaced_by
        for order in state.orders.values()
        if order.replaced_by is not None and order.replaced_by not in state.orders
    }


def lacks_legs(state: AccountState, order: Order) -> bool:
    """Whether it belongs to a group of which no other member is known."""
    return (
        order.order_class in GROUP_CLASSES
        and order.id not in state.parents
        and order.id not in state.parents.values()
    )


def is_orphaned(state: AccountState, order: Order) -> bool:
    """Whether it is a leg still held although its group has ended. An order that works has events
    of its own."""
    parent = state.orders.get(state.parents.get(order.id, OrderId("")))
    if order.status != "held" or parent is None:
        return False
    if _has_ended(parent) and (parent.order_class == "oco" or parent.status != "filled"):
        return True
    return any(_has_ended(o) for o in group_members(state, order) if o is not parent)


def is_streamed(before: Order | None, now: Order, *, is_leg: bool) -> bool:
    """Whether a working stream must have delivered this change. For a leg that waits for its group
    no event is certain: neither that it was created, nor that it ended unsent."""
    if now.order_class not in GROUP_CLASSES or number(now.filled_qty):
        return True
    waited = is_leg if before is None else before.status == "held"
    return not (now.status == "held" or (waited and now.is_closed))


def _has_ended(order: Order) -> bool:
    """Whether it is closed for good: a replaced order continues under another id."""
    return order.is_closed and order.status != "replaced"
