"""The readings by REST that make a state right: at a connect, after fills, on a doubt.

The order of the calls matters: positions and account lag the orders, so they are read last; what
trades meanwhile is buffered by the caller and replayed. Every reading overlaps the one before by
`OVERLAP_S`: orders are listed by submission time with exclusive bounds, activities come late, and
what is known already costs nothing to hear again.
"""

from collections.abc import Collection

from msgspec.structs import replace

from realtime.broker.rest_client import RestClient
from realtime.core.model import FillActivity, Order, OrderId
from realtime.core.order_groups import GROUPED
from realtime.core.order_versions import flatten
from realtime.core.reconcile import Snapshot
from realtime.core.state import AccountState
from realtime.core.timestamps import from_micros, microseconds

OVERLAP_S = 60
PAGE = 500
FILLS_PAGE = 100
TRAILING = "trailing_stop"
"""The type of order whose `hwm` and `stop_price` move without an event."""
MAX_REPLACED = 50
"""Replaced legs that one reading asks for."""
MAX_GROUPS = 20
"""Pages that one reading asks for to find the groups of working legs."""
SUBMITTED_TOGETHER_US = 2
"""A leg is submitted with its parent; their times may be rounded differently."""
MAX_PAGES = 40
"""Bounds a reading after a very long absence: 20 000 orders."""


async def read_everything(rest: RestClient, state: AccountState, *, now: float) -> Snapshot:
    """Read all that changed since the state's watermark; all that matters if it has none."""
    since = _since(state.watermark)
    orders = await _with_replaced_legs(rest, await _orders_since(rest, since), state)
    orders = await _with_unlisted_replacements(rest, orders, since)
    fills = await _fills_since(rest, since)
    shown = {o.id for top in orders for o, _ in flatten(top)}
    hidden = [o.id for o in state.orders.values() if not o.is_closed and o.id not in shown]
    unknown = {f.order_id for f in fills if f.order_id} - shown - state.orders.keys()
    asked = [*hidden, *sorted(unknown)] if since is not None else hidden
    found, vanished = await _by_id(rest, asked)
    positions = await rest.positions()
    account = await rest.account()
    return Snapshot(
        requested_at=now,
        broker_time=None if rest.offset_s is None else round((now + rest.offset_s) * 1_000_000),
        account=account,
        positions=positions,
        orders=(*orders, *found),
        vanished=vanished,
        fills=fills,
        answers_doubts=True,
        is_full=True,
    )


async def read_money(rest: RestClient, state: AccountState, *, now: float) -> Snapshot:
    """Read what moves without an event: positions, account, and trailing stops if any work.

    The account comes last: its money is never older than the positions.
    """
    trailing = await _trailing_stops(rest) if _has_trailing_stop(state) else None
    positions = await rest.positions()
    account = await rest.account()
    return Snapshot(requested_at=now, orders=trailing, positions=positions, account=account)


def _has_trailing_stop(state: AccountState) -> bool:
    return any(o.type == TRAILING and not o.is_closed for o in state.orders.values())


async def _trailing_stops(rest: RestClient) -> tuple[Order, ...]:
    return tuple(o for o in await _working_orders(rest) if o.type == TRAILING)


async def read_orders(rest: RestClient, ids: Collection[OrderId], *, now: float) -> Snapshot:
    """Read some orders by id."""
    found, vanished = await _by_id(rest, ids)
    return Snapshot(requested_at=now, orders=found, vanished=vanished, answers_doubts=True)


def _since(watermark: str | None) -> int | None:
    return None if watermark is None else microseconds(watermark) - OVERLAP_S * 1_000_000


async def _orders_since(rest: RestClient, since: int | None) -> tuple[Order, ...]:
    """Orders from the newest back to `since`; without it one page, and whatever still works."""
    page = await rest.orders(status="all", limit=PAGE, direction="desc", nested=True)
    orders = list(page)
    if len(page) < PAGE:
        return tuple(orders)
    for _ in range(MAX_PAGES):
        oldest = min(microseconds(o.submitted_at) for o in page)
        if since is None or oldest < since or len(page) < PAGE:
            break
        # `until` is exclusive and several orders may share the border's microsecond.
        border = from_micros(oldest + 1)
        page = await rest.orders(
            status="all", limit=PAGE, direction="desc", nested=True, until=border
        )
        orders += page
    orders += await _working_orders(rest)
    orders += await _crowded_out(rest, orders)
    return tuple(orders)


async def _crowded_out(rest: RestClient, orders: Collection[Order]) -> list[Order]:
    """Working legs whose parent is closed and older than all that was listed: a nested list of
    what works does not show them. Their group was submitted when they were."""
    shown = {order.id for top in orders for order, _ in flatten(top)}
    found: list[Order] = []
    asked = 0
    for order in await _working_orders(rest, nested=False):
        if order.id not in shown:
            found.append(order)
            if order.order_class in GROUPED and asked < MAX_GROUPS:
                asked += 1
                found += await _submitted_with(rest, order)
            shown |= {each.id for top in found for each, _ in flatten(top)}
    return found


async def _submitted_with(rest: RestClient, leg: Order) -> tuple[Order, ...]:
    """What was submitted at a leg's moment, and if its group is not there, within the second."""
    at = microseconds(leg.submitted_at)
    page = await rest.orders(
        status="all",
        limit=PAGE,
        direction="desc",
        nested=True,
        after=from_micros(at - SUBMITTED_TOGETHER_US),
        until=from_micros(at + SUBMITTED_TOGETHER_US),
    )
    if any(each.id == leg.id for top in page for each in top.legs or ()):
        return page
    border = from_micros(at + 1_000_000)
    return await rest.orders(status="all", limit=PAGE, direction="desc", nested=True, until=border)


async def _with_replaced_legs(
    rest: RestClient, orders: tuple[Order, ...], state: AccountState
) -> tuple[Order, ...]:
    """Put beside each leg the one it replaced, and what that replaced: a nested list shows only
    the last of them."""
    asked = 0
    whole: list[Order] = []
    for top in orders:
        legs = list(top.legs or ())
        for leg in legs:  # which grows while it is walked
            if asked < MAX_REPLACED and _is_unlisted(leg.replaces, leg, legs, state):
                asked += 1
                before = await rest.order(leg.replaces, nested=True) if leg.replaces else None
                legs += [before] if before is not None else []
        whole.append(top if len(legs) == len(top.legs or ()) else replace(top, legs=tuple(legs)))
    return tuple(whole)


async def _with_unlisted_replacements(
    rest: RestClient, orders: tuple[Order, ...], since: int | None
) -> tuple[Order, ...]:
    """Put beside each leg the orders that were to replace it and never did (canceled meanwhile, or
    still waiting): a nested list shows only what took effect, a flat one shows everything."""
    if not any(top.legs and top.order_class in GROUPED for top in orders):
        return orders
    flat = await _flat_orders_since(rest, since)
    shown = {order.id for top in orders for order, _ in flatten(top)}
    unlisted: dict[OrderId, list[Order]] = {}
    for order in flat:
        if order.id not in shown and order.replaces is not None:
            unlisted.setdefault(order.replaces, []).append(order)
    return tuple(
        replace(top, legs=(*legs, *added))
        if (legs := top.legs or ())
        and (added := [o for leg in legs for o in unlisted.get(leg.id, ())])
        else top
        for top in orders
    )


async def _flat_orders_since(rest: RestClient, since: int | None) -> list[Order]:
    """Every order submitted since then, legs beside their parents; without it one page."""
    orders: list[Order] = []
    until = None
    for _ in range(MAX_PAGES):
        page = await rest.orders(
            status="all",
            limit=PAGE,
            direction="desc",
            nested=False,
            after=None if since is None else from_micros(since),
            until=until,
        )
        orders += page
        if since is None or len(page) < PAGE:
            break
        until = from_micros(min(microseconds(o.submitted_at) for o in page) + 1)
    return orders


def _is_unlisted(
    replaced: OrderId | None, leg: Order, legs: Collection[Order], state: AccountState
) -> bool:
    return (
        replaced is not None
        and replaced not in state.orders
        and all(replaced != other.id for other in legs)
        and microseconds(leg.submitted_at) >= state.forgotten_before
    )


async def _working_orders(rest: RestClient, *, nested: bool = True) -> list[Order]:
    orders: list[Order] = []
    until = None
    for _ in range(MAX_PAGES):
        page = await rest.orders(
            status="open", limit=PAGE, direction="desc", nested=nested, until=until
        )
        orders += page
        if len(page) < PAGE:
            break
        until = from_micros(min(microseconds(o.submitted_at) for o in page) + 1)
    return orders


async def _fills_since(rest: RestClient, since: int | None) -> tuple[FillActivity, ...]:
    if since is None:
        return await rest.fills(direction="desc", page_size=FILLS_PAGE)
    fills: list[FillActivity] = []
    token = None
    for _ in range(MAX_PAGES):
        page = await rest.fills(
            after=from_micros(since), direction="asc", page_size=FILLS_PAGE, page_token=token
        )
        fills += page
        if len(page) < FILLS_PAGE:
            break
        token = page[-1].id
    return tuple(fills)


async def _by_id(
    rest: RestClient, ids: Collection[OrderId]
) -> tuple[tuple[Order, ...], tuple[OrderId, ...]]:
    found: list[Order] = []
    vanished: list[OrderId] = []
    for order_id in ids:
        order = await rest.order(order_id, nested=True)
        if order is None:
            vanished.append(order_id)
        else:
            found.append(order)
    return tuple(found), tuple(vanished)
