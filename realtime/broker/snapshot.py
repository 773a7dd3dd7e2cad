"""Reads a snapshot by REST: at a connect, on a schedule, after fills, to resolve an anomaly.

The order of the requests matters: positions and account lag the orders, so they are read last;
the caller buffers and replays the events that arrive meanwhile. Every snapshot overlaps the one
before by `OVERLAP_S`: orders are listed by submission time with exclusive bounds, activities are
published late, and reading a known order or fill again changes nothing.
"""

from collections.abc import Collection

from msgspec.structs import replace

from realtime.broker.rest_client import RestClient
from realtime.core.model import FillActivity, Order, OrderId
from realtime.core.order_groups import GROUP_CLASSES
from realtime.core.order_versions import flatten
from realtime.core.outcomes import Snapshot
from realtime.core.state import AccountState
from realtime.core.timestamps import format_micros, microseconds

OVERLAP_S = 60
PAGE_SIZE = 500
FILLS_PAGE_SIZE = 100
TRAILING = "trailing_stop"
"""The order type whose `hwm` and `stop_price` change without an event."""
MAX_REPLACED = 50
"""Replaced legs that one snapshot reads by id."""
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
    positions = await rest.fetch_positions()
    account = await rest.fetch_account()
    return Snapshot(
        requested_at=now,
        broker_time=_broker_time(rest, now),
        account=account,
        positions=positions,
        orders=(*orders, *orders_by_id),
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
    return tuple(o for o in await _fetch_open_orders(rest) if o.type == TRAILING)


async def fetch_orders_by_id(rest: RestClient, ids: Collection[OrderId], *, now: float) -> Snapshot:
    """Read orders by id."""
    orders, vanished = await _fetch_by_id(rest, ids)
    return Snapshot(requested_at=now, orders=orders, not_found=vanished, covers_anomalies=True)


def _broker_time(rest: RestClient, now: float) -> int | None:
    """Convert our time to the broker's, in µs, as far as its clock is known."""
    offset_s = rest.clock_offset_s
    return None if offset_s is None else round((now + offset_s) * 1_000_000)


def _since(watermark: str | None) -> int | None:
    return None if watermark is None else microseconds(watermark) - OVERLAP_S * 1_000_000


async def _fetch_orders_since(rest: RestClient, since: int | None) -> tuple[Order, ...]:
    """Read orders from the newest back to `since`; without it one page, and all open orders."""
    page = await rest.fetch_orders(status="all", limit=PAGE_SIZE, direction="desc", nested=True)
    orders = list(page)
    if len(page) < PAGE_SIZE:
        return tuple(orders)
    for _ in range(MAX_PAGES):
        oldest = min(microseconds(o.submitted_at) for o in page)
        if since is None or oldest < since or len(page) < PAGE_SIZE:
            break
        # `until` is exclusive, and several orders may share the last microsecond.
        until = format_micros(oldest + 1)
        page = await rest.fetch_orders(
            status="all", limit=PAGE_SIZE, direction="desc", nested=True, until=until
        )
        orders += page
    orders += await _fetch_open_orders(rest)
    orders += await _fetch_hidden_legs(rest, orders)
    return tuple(orders)


async def _fetch_hidden_legs(rest: RestClient, orders: Collection[Order]) -> list[Order]:
    """Read open legs whose parent is closed and older than everything listed: a nested list of
    open orders does not contain them. Their group was submitted when they were."""
    listed = {order.id for top in orders for order, _ in flatten(top)}
    legs: list[Order] = []
    groups_read = 0
    for order in await _fetch_open_orders(rest, nested=False):
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
    flat = await _fetch_flat_orders_since(rest, since)
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


async def _fetch_flat_orders_since(rest: RestClient, since: int | None) -> list[Order]:
    """Read every order submitted since then, legs beside their parents; without it one page."""
    orders: list[Order] = []
    until = None
    for _ in range(MAX_PAGES):
        page = await rest.fetch_orders(
            status="all",
            limit=PAGE_SIZE,
            direction="desc",
            nested=False,
            after=None if since is None else format_micros(since),
            until=until,
        )
        orders += page
        if since is None or len(page) < PAGE_SIZE:
            break
        until = format_micros(min(microseconds(o.submitted_at) for o in page) + 1)
    return orders


def _is_unlisted(
    replaced: OrderId | None, leg: Order, legs: Collection[Order], state: AccountState
) -> bool:
    return (
        replaced is not None
        and replaced not in state.orders
        and all(replaced != other.id for other in legs)
        and microseconds(leg.submitted_at) >= state.evicted_before
    )


async def _fetch_open_orders(rest: RestClient, *, nested: bool = True) -> list[Order]:
    orders: list[Order] = []
    until = None
    for _ in range(MAX_PAGES):
        page = await rest.fetch_orders(
            status="open", limit=PAGE_SIZE, direction="desc", nested=nested, until=until
        )
        orders += page
        if len(page) < PAGE_SIZE:
            break
        until = format_micros(min(microseconds(o.submitted_at) for o in page) + 1)
    return orders


async def _fetch_fills_since(rest: RestClient, since: int | None) -> tuple[FillActivity, ...]:
    if since is None:
        return await rest.fetch_fills(direction="desc", page_size=FILLS_PAGE_SIZE)
    fills: list[FillActivity] = []
    token = None
    for _ in range(MAX_PAGES):
        page = await rest.fetch_fills(
            after=format_micros(since), direction="asc", page_size=FILLS_PAGE_SIZE, page_token=token
        )
        fills += page
        if len(page) < FILLS_PAGE_SIZE:
            break
        token = page[-1].id
    return tuple(fills)


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
