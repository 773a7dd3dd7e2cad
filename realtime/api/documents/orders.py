"""The orders that a query selects, sorted: the broker's `GET /v2/orders` from memory.

Flat, as the broker lists by default, each leg has its own row. With `nested`, a leg whose parent is
selected is in that parent's `legs`; a leg that matches while its parent does not keeps its row, so
that a filled parent hides no open order.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import AsOf, Sides, Symbols, has_symbol, normalize_symbols
from realtime.core.model import Order, OrderId
from realtime.core.state import CLOSED_ORDERS_KEPT, AccountState
from realtime.core.timestamps import NEVER, format_micros, microseconds


class OrdersQuery(Struct, frozen=True, kw_only=True):
    """Parameters of an account's list of orders."""

    status: Annotated[
        Literal["all", "open", "closed"],
        Meta(description="`open` leaves out legs that are still held, unless `nested`."),
    ] = "all"
    limit: Annotated[
        int, Meta(ge=1, le=CLOSED_ORDERS_KEPT, description="At most this many orders.")
    ] = 100
    symbol: Symbols = ()
    side: Sides = ()
    direction: Annotated[
        Literal["desc", "asc"], Meta(description="`desc`: the newest submitted first.")
    ] = "desc"
    nested: Annotated[
        bool, Meta(description="List legs in their parents' `legs` instead of as rows.")
    ] = False
    format: Format = "json"
    as_of: AsOf = None


ALL_ORDERS = OrdersQuery()

RECENT_CLOSED = 20
"""Closed orders in a dashboard by default. With a hundred, they were 90 of its 97 KB."""

SortKey = str
"""When an order was submitted and created, and its id, in one string: what lists are sorted by. A
tuple would be one more object for the garbage collector to visit, for every order."""

KEY_PREFIX_LENGTH = 2 * len("2026-10-06T14:02:11.519102")
"""Where the order's id begins in a sort key."""

_MIN_LENGTH = len("2026-10-06T14:02:11Z")
_MAX_LENGTH = len("2026-10-06T14:02:11.519102Z")


def sort_key(order: Order) -> SortKey:
    """The key that sorts an order: times as text that sorts as times do, without parsing them. The
    broker cuts trailing zeros; a filler that is less than any digit replaces them."""
    submitted, created = _in_utc(order.submitted_at), _in_utc(order.created_at)
    return f"{submitted[:-1]:.<26}{created[:-1]:.<26}{order.id}"


def _in_utc(time: str | None) -> str:
    if time is not None and _MIN_LENGTH <= len(time) <= _MAX_LENGTH and time[-1] == "Z":
        return time
    micros = microseconds(time)
    return format_micros(micros) if micros != NEVER else ""


def select_orders(
    state: AccountState, query: OrdersQuery, key: Callable[[Order], SortKey] = sort_key
) -> tuple[list[Order], int]:
    """The selected orders, and how many matched before the limit. `key` may be cached."""
    orders = _select(state, query, key)
    return orders[: query.limit], len(orders)


def recent_orders(
    state: AccountState, max_closed: int = RECENT_CLOSED, key: Callable[[Order], SortKey] = sort_key
) -> list[Order]:
    """Every open order and the newest `max_closed` closed ones, newest first."""
    orders = _select(state, ALL_ORDERS, key)
    closed = [order for order in orders if order.is_closed]
    left_out = {order.id for order in closed[max_closed:]}
    return [order for order in orders if order.id not in left_out]


def _select(
    state: AccountState, query: OrdersQuery, key: Callable[[Order], SortKey]
) -> list[Order]:
    orders = list(state.orders.values())
    if query.symbol or query.side or query.status != "all":
        symbols = normalize_symbols(query.symbol)
        orders = [order for order in orders if _matches(order, query, symbols)]
    if query.nested:
        orders = _nest_legs(state, orders)
    orders.sort(key=key, reverse=query.direction == "desc")
    return orders


def _matches(order: Order, query: OrdersQuery, symbols: frozenset[str]) -> bool:
    if query.status == "open" and (order.is_closed or order.status == "held"):
        return False
    if query.status == "closed" and not order.is_closed:
        return False
    if query.side and order.side not in query.side:
        return False
    return has_symbol(order.symbol, symbols)


def _nest_legs(state: AccountState, orders: Iterable[Order]) -> list[Order]:
    selected = {order.id: order for order in orders}
    legs: dict[OrderId, list[Order]] = {}
    for leg_id, parent_id in state.parents.items():
        if leg_id in state.orders and parent_id in selected and parent_id not in state.parents:
            legs.setdefault(parent_id, []).append(state.orders[leg_id])
    nested = {leg.id for group in legs.values() for leg in group}
    return [
        structs.replace(order, legs=tuple(sorted(legs[order.id], key=_created_at)))
        if order.id in legs
        else order
        for order in selected.values()
        if order.id not in nested
    ]


def _created_at(order: Order) -> int:
    # Legs that were created at the same time keep the order of the broker's list.
    return microseconds(order.created_at)
