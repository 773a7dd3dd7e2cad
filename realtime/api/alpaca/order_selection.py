"""The orders that a query selects, if memory has all of them, in an order that is certain.

What is known: every open order, and the newest 500 by submission (`core/eviction.py`). A list that
may reach further back is the broker's to give. So is one whose order depends on more than the time
of submission, which a group's orders share; and one with an order whose document changes without an
event, or that the stream spells in another way than REST.
"""

from collections.abc import Mapping, Sequence

from msgspec import structs

from realtime.api.alpaca.order_query import OrderListQuery
from realtime.core.model import Order, OrderId, position_symbol
from realtime.core.state import CLOSED_ORDERS_KEPT, AccountState
from realtime.core.timestamps import NEVER, microseconds

SIMPLE = (None, "", "simple")
"""Classes of orders that have no legs."""

LegsByParent = Mapping[OrderId, Sequence[Order]]


def select_orders(state: AccountState, query: OrderListQuery) -> list[Order] | None:
    """Return the selected orders, in order; None if the broker must."""
    bounds = _find_bounds(state, query)
    # 1. the list begins or ends at an order that is not known, or among several of one time
    if bounds is None:
        return None
    low, high = bounds
    horizon = None if query.status == "open" else find_horizon(state)
    # 2. the oldest come first, and the oldest may be missing
    if horizon is not None and not query.newest_first and low <= horizon:
        return None
    legs = group_legs(state) if query.nested else {}
    selected: list[tuple[int, Order]] = []
    for at, order in _sort(state, query):
        if not low < at < high:
            continue
        # 3. from here on others may be missing, or its place is not certain
        if (horizon is not None and at <= horizon) or at <= NEVER or is_multileg(order):
            return None
        if not _matches(order, query):
            continue
        # 4. its place among others of the same time is not certain, or its document is not
        is_tied = bool(selected) and selected[-1][0] == at
        if is_tied or not is_certain(order) or not _has_certain_legs(order, query, legs):
            return None
        if len(selected) == query.limit:
            break
        selected.append((at, order))
    else:
        # 5. the list ended before its limit, and older ones may be missing
        if horizon is not None and low <= horizon:
            return None
    return [nest_legs(order, legs) for _, order in selected]


def find_horizon(state: AccountState) -> int | None:
    """Return the time of submission (ns) up to which closed orders may be missing; None if none
    is."""
    if len(state.orders) < CLOSED_ORDERS_KEPT and not state.evicted_before:
        return None
    submitted = sorted((microseconds(o.submitted_at) for o in state.orders.values()), reverse=True)
    return submitted[min(CLOSED_ORDERS_KEPT, len(submitted)) - 1] * 1000 if submitted else 1 << 63


def is_multileg(order: Order) -> bool:
    """Whether it is a multi-leg order or one of its legs: the stream spells them in another way
    than REST does, and lists contain the legs in their parent only."""
    return order.order_class == "mleg" or bool(order.ratio_qty)


def is_certain(order: Order) -> bool:
    """Whether memory has the order as the broker would show it: a trailing stop follows the price
    without an event."""
    return not is_multileg(order) and (order.type != "trailing_stop" or order.is_closed)


def group_legs(state: AccountState) -> LegsByParent:
    """Return order id → its legs, in the order in which they were created."""
    legs: dict[OrderId, list[Order]] = {}
    for leg_id, parent_id in state.parents.items():
        if leg_id in state.orders:
            legs.setdefault(parent_id, []).append(state.orders[leg_id])
    for group in legs.values():
        group.sort(key=lambda leg: microseconds(leg.created_at))
    return legs


def has_certain_legs(order: Order, legs: LegsByParent) -> bool:
    """Whether the legs of an order are known in the broker's order: none was replaced, because the
    broker lists only the last of a leg's replacements, in the place of the first."""
    group = legs.get(order.id, ())
    return (bool(group) or order.order_class in SIMPLE) and all(
        leg.replaces is None and leg.replaced_by is None and is_certain(leg) for leg in group
    )


def nest_legs(order: Order, legs: LegsByParent) -> Order:
    """Return an order with its legs."""
    group = legs.get(order.id)
    return structs.replace(order, legs=tuple(group)) if group else order


def _has_certain_legs(order: Order, query: OrderListQuery, legs: LegsByParent) -> bool:
    return not query.nested or has_certain_legs(order, legs)


def _find_bounds(state: AccountState, query: OrderListQuery) -> tuple[int, int] | None:
    """Return the exclusive bounds in ns; None if they are not known for sure."""
    low = -1 if query.after is None else query.after
    high = 1 << 63 if query.until is None else query.until
    order_id = query.after_order_id or query.before_order_id
    if not order_id:
        return low, high
    order = state.orders.get(OrderId(order_id))
    if order is None or is_multileg(order):
        return None
    at = microseconds(order.submitted_at)
    if sum(1 for o in state.orders.values() if microseconds(o.submitted_at) == at) != 1:
        return None
    return (at * 1000, high) if query.after_order_id else (low, at * 1000)


def _sort(state: AccountState, query: OrderListQuery) -> list[tuple[int, Order]]:
    """Return the orders of a list before its filters, each with its time of submission in ns."""
    dated = [
        (microseconds(order.submitted_at) * 1000, order)
        for order in state.orders.values()
        if _has_status(order, query.status) and not (query.nested and order.id in state.parents)
    ]
    dated.sort(key=lambda item: item[0], reverse=query.newest_first)
    return dated


def _has_status(order: Order, status: str) -> bool:
    if status == "open":
        return not order.is_closed and order.status != "held"
    return status == "all" or order.is_closed


def _matches(order: Order, query: OrderListQuery) -> bool:
    return (
        query.side in ("", order.side)
        and (not query.symbols or position_symbol(order.symbol or "") in query.symbols)
        and (not query.asset_classes or order.asset_class in query.asset_classes)
    )
