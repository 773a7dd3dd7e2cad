"""Which orders a query shows, in which order: the broker's `GET /v2/orders` from memory.

Flat, as the broker lists by default, a leg is a row of its own. With `nested`, an order whose
parent is shown stands in that parent's `legs`; a leg that matches while its parent does not keeps
a row, so that no working order is hidden by a parent that has filled.
"""

from collections.abc import Callable, Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct, structs

from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import Sides, Symbols, matches, spelled_alike
from realtime.core.model import Order, OrderId
from realtime.core.state import CLOSED_ORDERS_KEPT, AccountState
from realtime.core.timestamps import NEVER, from_micros, microseconds


class OrdersQuery(Struct, frozen=True, kw_only=True):
    """What a reader may ask of an account's orders."""

    status: Annotated[
        Literal["all", "open", "closed"],
        Meta(description="`open` leaves out legs that are still held, unless `nested`."),
    ] = "all"
    limit: Annotated[
        int, Meta(ge=1, le=CLOSED_ORDERS_KEPT, description="At most so many orders.")
    ] = 100
    symbol: Symbols = ()
    side: Sides = ()
    direction: Annotated[
        Literal["desc", "asc"], Meta(description="`desc`: the newest submitted first.")
    ] = "desc"
    nested: Annotated[
        bool, Meta(description="Roll legs up under their parents' `legs` instead of listing them.")
    ] = False
    format: Format = "json"


RECENT = OrdersQuery()

Age = str
"""When an order was submitted and created, and its id, in one word: what lists are sorted by. A
tuple would be one more object for the garbage collector to visit, for every order."""

_SHORTEST = len("2026-10-06T14:02:11Z")
_LONGEST = len("2026-10-06T14:02:11.519102Z")


def age(order: Order) -> Age:
    """What an order is sorted by: times as letters that sort as times do, without reading them. The
    broker cuts zeros at the end; a filler that is less than any digit stands for them."""
    submitted, created = _in_utc(order.submitted_at), _in_utc(order.created_at)
    return f"{submitted[:-1]:.<26}{created[:-1]:.<26}{order.id}"


def _in_utc(time: str | None) -> str:
    if time is not None and _SHORTEST <= len(time) <= _LONGEST and time[-1] == "Z":
        return time
    micros = microseconds(time)
    return from_micros(micros) if micros != NEVER else ""


def select_orders(
    state: AccountState, query: OrdersQuery, by: Callable[[Order], Age] = age
) -> tuple[list[Order], int]:
    """The orders to show and how many matched before the limit. `by` may know the ages."""
    found = _matching(state, query, by)
    return found[: query.limit], len(found)


def recent_orders(state: AccountState, by: Callable[[Order], Age] = age) -> list[Order]:
    """Every order that is not final, with the newest final ones up to the default limit."""
    orders = _matching(state, RECENT, by)
    if len(orders) <= RECENT.limit:
        return orders
    closed = [order for order in orders if order.is_closed]
    room_for_closed = max(0, RECENT.limit - (len(orders) - len(closed)))
    left_out = {order.id for order in closed[room_for_closed:]}
    return [order for order in orders if order.id not in left_out]


def _matching(state: AccountState, query: OrdersQuery, by: Callable[[Order], Age]) -> list[Order]:
    found = list(state.orders.values())
    if query.symbol or query.side or query.status != "all":
        wanted = spelled_alike(query.symbol)
        found = [order for order in found if _matches(order, query, wanted)]
    if query.nested:
        found = _rolled_up(state, found)
    found.sort(key=by, reverse=query.direction == "desc")
    return found


def _matches(order: Order, query: OrdersQuery, wanted: frozenset[str]) -> bool:
    if query.status == "open" and (order.is_closed or order.status == "held"):
        return False
    if query.status == "closed" and not order.is_closed:
        return False
    if query.side and order.side not in query.side:
        return False
    return matches(order.symbol, wanted)


def _rolled_up(state: AccountState, found: Iterable[Order]) -> list[Order]:
    shown = {order.id: order for order in found}
    legs: dict[OrderId, list[Order]] = {}
    for leg_id, parent_id in state.parents.items():
        if leg_id in state.orders and parent_id in shown and parent_id not in state.parents:
            legs.setdefault(parent_id, []).append(state.orders[leg_id])
    rolled_up = {leg.id for group in legs.values() for leg in group}
    return [
        structs.replace(order, legs=tuple(sorted(legs[order.id], key=_created)))
        if order.id in legs
        else order
        for order in shown.values()
        if order.id not in rolled_up
    ]


def _created(order: Order) -> int:
    # Legs that were created together keep the order in which the broker listed them.
    return microseconds(order.created_at)
