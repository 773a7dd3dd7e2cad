"""Reads a snapshot by REST: at a connect, on a schedule, after fills, to resolve an anomaly.

The order of the requests matters: positions and account lag the orders, so they are read last;
the caller buffers and replays the events that arrive meanwhile. Every snapshot overlaps the one
before by `OVERLAP_S`: orders are listed by submission time with exclusive bounds, activities are
published late, and reading a known order or fill again changes nothing.
"""

from collections.abc import Collection
from typing import Literal

from msgspec.structs import replace

from realtime.broker.rest_client import RestClient
from realtime.core.model import FillActivity, Order, OrderId
from realtime.core.order_groups import GROUP_CLASSES
from realtime.core.order_versions import flatten
from realtime.core.outcomes import Snapshot
from realtime.core.state import AccountState
from realtime.core.timestamps import NEVER, format_micros, microseconds

OVERLAP_S = 60
PAGE_SIZE = 500
FILLS_PAGE_SIZE = 100
TRAILING = "trailing_stop"
"""The order type whose `hwm` and `stop_price` change without an event."""
MAX_REPLACED = 50
"""Replaced legs that one snapshot reads by id."""
MAX_SUCCESSORS = 50
"""Orders that one snapshot reads by id because an order names them as its replacement."""
MAX_GROUPS = 20
"""Pages that one snapshot reads to find the groups of open legs."""
SUBMITTED_TOGETHER_US = 2
"""A leg is submitted with its parent; their times may be rounded differently."""
MAX_PAGES = 40
"""Bounds a snapshot after a very long outage: 20 000 orders."""


async def fetch_snapshot(rest: RestClient, state: AccountState, *, now: float) -> Snapshot:
    """Read everything that changed since the state's watermark; everything open if it has none."""
    since = _since(state.progress.watermark)
    orders = await _add_replaced_legs(rest, await _fetch_orders_since(rest, since), state)
    orders = await _add_unlisted_replacements(rest, orders, since)
    fills = await _fetch_fills_since(rest, since)
    listed = {o.id for top in orders for o, _ in flatten(top)}
    unlisted = [o.id for o in state.orders.values() if not o.is_closed and o.id not in listed]
    unknown = {f.order_id for f in fills if f.order_id} - listed - state.orders.keys()
    ids = [*unlisted, *sorted(unknown)] if since is not None else unlisted
    orders_by_id, vanished = await _fetch_by_id(rest, ids)
    orders = await _add_successors(rest, (*orders, *orders_by_id), state)
    positions = await rest.fetch_positions()
    account = await rest.fetch_account()
    return Snapshot(
        requested_at=now,
        broker_time=_broker_time(rest, now),
        account=account,
        positions=positions,
        orders=orders,
        not_found=vanished,
        fills=fills,
        covers_anomalies=True,
        is_full=True,
    )


async def fetch_balances(rest: RestClient, state: AccountState, *, now: float) -> Snapshot:
    """Read what changes without an event: positions, account, and trailing stops if any are open.

    The account comes last: its money is never older than the positions.
    """
    trailing = await _fetch_trailing_stops(rest) if _has_trailing_stop(state) else None
    positions = await rest.fetch_positions()
    account = await rest.fetch_account()
    return Snapshot(requested_at=now, orders=trailing, positions=positions, account=account)


def _has_trailing_stop(state: AccountState) -> bool:
    return any(o.type == TRAILING and not o.is_closed for o in state.orders.values())


async def _fetch_trailing_stops(rest: RestClient) -> tuple[Order, ...]:
    return tuple(
        o for o in await _fetch_list(rest, status="open", nested=True) if o.type == TRAILING
    )


async def fetch_orders_by_id(
    rest: RestClient, ids: Collection[OrderId], state: AccountState, *, now: float
) -> Snapshot:
    """Read orders by id, and those that replaced them, to the end of the chain."""
    orders, vanished = await _fetch_by_id(rest, ids)
    orders = await _add_successors(rest, orders, state)
    return Snapshot(
        requested_at=now,
        broker_time=_broker_time(rest, now),
        orders=orders,
        not_found=vanished,
        covers_anomalies=True,
    )


def _broker_time(rest: RestClient, now: float) -> int | None:
    """Convert our time to the broker's, in µs, as far as its clock is known."""
    offset_s = rest.clock_offset_s
    return None if offset_s is None else round((now + offset_s) * 1_000_000)


def _since(watermark: str | None) -> int | None:
    return None if watermark is None else microseconds(watermark) - OVERLAP_S * 1_000_000


async def _fetch_orders_since(rest: RestClient, since: int | None) -> tuple[Order, ...]:
    """Read orders from the newest back to `since`; without it the newest, the newest closed ones,
    and all open ones."""
    max_pages = 1 if since is None else MAX_PAGES
    orders = await _fetch_list(rest, status="all", nested=True, since=since, max_pages=max_pages)
    if len(orders) < PAGE_SIZE:
        return tuple(orders)
    orders += await _fetch_list(rest, status="open", nested=True)
    if since is None:
        # Many open orders leave no room for closed ones in a list of both. After the open ones: an
        # order that closes between the two lists is in both and not in none.
        orders += await _fetch_list(rest, status="closed", nested=True, max_pages=1)
    orders += await _fetch_hidden_legs(rest, orders)
    return tuple(orders)


async def _fetch_list(
    rest: RestClient,
    *,
    status: Literal["open", "closed", "all"],
    nested: bool,
    since: int | None = None,
    max_pages: int = MAX_PAGES,
) -> list[Order]:
    """Read a list page by page, from the newest back to `since`, without duplicates.

    Pages follow each other by time. `until` is exclusive and several orders may share a
    microsecond, so pages overlap by one. If that brings nothing new, a whole page shares one
    microsecond, and the pages follow by order id, which the broker does not combine with a time
    (PROTOCOL 4). A page that still brings nothing new ends the list.
    """
    orders: dict[OrderId, Order] = {}
    until: str | None = None
    before: OrderId | None = None
    for _ in range(max_pages):
        page = await rest.fetch_orders(
            status=status,
            limit=PAGE_SIZE,
            direction="desc",
            nested=nested,
            until=until,
            before_order_id=before,
        )
        is_new = any(order.id not in orders for order in page)
        orders |= {order.id: order for order in page}
        oldest = min((microseconds(order.submitted_at) for order in page), default=NEVER)
        if len(page) < PAGE_SIZE or (since is not None and oldest < since):
            break
        if is_new and before is None:
            until = format_micros(oldest + 1)
        elif is_new or before is None:
            until, before = None, page[-1].id
        else:
            break
    return list(orders.values())


async def _fetch_hidden_legs(rest: RestClient, orders: Collection[Order]) -> list[Order]:
    """Read open legs whose parent is closed and older than everything listed: a nested list of
    open orders does not contain them. Their group was submitted when they were."""
    listed = {order.id for top in orders for order, _ in flatten(top)}
    legs: list[Order] = []
    groups_read = 0
    for order in await _fetch_list(rest, status="open", nested=False):
        if order.id not in listed:
            legs.append(order)
            if order.order_class in GROUP_CLASSES and groups_read < MAX_GROUPS:
                groups_read += 1
                legs += await _fetch_submitted_with(rest, order)
            listed |= {member.id for top in legs for member, _ in flatten(top)}
    return legs


async def _fetch_submitted_with(rest: RestClient, leg: Order) -> tuple[Order, ...]:
    """Read what was submitted with a leg, or within the second if its group is not there."""
    at = microseconds(leg.submitted_at)
    page = await rest.fetch_orders(
        status="all",
        limit=PAGE_SIZE,
        direction="desc",
        nested=True,
        after=format_micros(at - SUBMITTED_TOGETHER_US),
        until=format_micros(at + SUBMITTED_TOGETHER_US),
    )
    if any(member.id == leg.id for top in page for member in top.legs or ()):
        return page
    until = format_micros(at + 1_000_000)
    return await rest.fetch_orders(
        status="all", limit=PAGE_SIZE, direction="desc", nested=True, until=until
    )


async def _add_replaced_legs(
    rest: RestClient, orders: tuple[Order, ...], state: AccountState
) -> tuple[Order, ...]:
    """Add to each leg the leg that it replaced, and its predecessors: a nested list contains only
    the last of them."""
    orders_read = 0
    complete: list[Order] = []
    for top in orders:
        legs = list(top.legs or ())
        for leg in legs:  # the list grows during the iteration
            if orders_read < MAX_REPLACED and _is_unlisted(leg.replaces, leg, legs, state):
                orders_read += 1
                before = await rest.fetch_order(leg.replaces, nested=True) if leg.replaces else None
                legs += [before] if before is not None else []
        complete.append(top if len(legs) == len(top.legs or ()) else replace(top, legs=tuple(legs)))
    return tuple(complete)


async def _add_unlisted_replacements(
    rest: RestClient, orders: tuple[Order, ...], since: int | None
) -> tuple[Order, ...]:
    """Add to each leg the orders that were to replace it and did not (canceled meanwhile, or still
    pending): a nested list contains only replacements that took effect, a flat one all of them."""
    if not any(top.legs and top.order_class in GROUP_CLASSES for top in orders):
        return orders
    max_pages = 1 if since is None else MAX_PAGES
    flat = await _fetch_list(rest, status="all", nested=False, since=since, max_pages=max_pages)
    listed = {order.id for top in orders for order, _ in flatten(top)}
    unlisted: dict[OrderId, list[Order]] = {}
    for order in flat:
        if order.id not in listed and order.replaces is not None:
            unlisted.setdefault(order.replaces, []).append(order)
    return tuple(
        replace(top, legs=(*legs, *added))
        if (legs := top.legs or ())
        and (added := [o for leg in legs for o in unlisted.get(leg.id, ())])
        else top
        for top in orders
    )


def _is_unlisted(
    replaced: OrderId | None, leg: Order, legs: Collection[Order], state: AccountState
) -> bool:
    return (
        replaced is not None
        and replaced not in state.orders
        and all(replaced != other.id for other in legs)
        and microseconds(leg.submitted_at) >= state.evicted_before
    )


async def _fetch_fills_since(rest: RestClient, since: int | None) -> tuple[FillActivity, ...]:
    if since is None:
        return await rest.fetch_fills(direction="desc", page_size=FILLS_PAGE_SIZE)
    fills: dict[str, FillActivity] = {}
    token = None
    for _ in range(MAX_PAGES):
        page = await rest.fetch_fills(
            after=format_micros(since), direction="asc", page_size=FILLS_PAGE_SIZE, page_token=token
        )
        is_new = any(fill.id not in fills for fill in page)
        fills |= {fill.id: fill for fill in page}
        if len(page) < FILLS_PAGE_SIZE or not is_new:
            break
        token = page[-1].id
    return tuple(fills.values())


async def _add_successors(
    rest: RestClient, orders: tuple[Order, ...], state: AccountState
) -> tuple[Order, ...]:
    """Add the orders that replaced these and are neither among them nor known: a list may lag, and
    an order read by id may have been replaced several times."""
    flat = [order for top in orders for order, _ in flatten(top)]
    listed = {order.id for order in flat} | state.orders.keys()
    successors: list[Order] = []
    for order in flat:  # grows during the iteration
        if order.replaced_by is None or order.replaced_by in listed:
            continue
        if len(successors) == MAX_SUCCESSORS:
            break
        successor = await rest.fetch_order(order.replaced_by, nested=True)
        if successor is not None:
            successors.append(successor)
            flat += [version for version, _ in flatten(successor)]
            listed |= {version.id for version, _ in flatten(successor)}
    return (*orders, *successors)


async def _fetch_by_id(
    rest: RestClient, ids: Collection[OrderId]
) -> tuple[tuple[Order, ...], tuple[OrderId, ...]]:
    """Read orders by id; return those that exist, and the ids that the broker does not know."""
    orders: list[Order] = []
    vanished: list[OrderId] = []
    for order_id in ids:
        order = await rest.fetch_order(order_id, nested=True)
        if order is None:
            vanished.append(order_id)
        else:
            orders.append(order)
    return tuple(orders), tuple(vanished)
