"""The routes that read by query: orders, account, positions, one order, budget."""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.api.context import RequestContext
from realtime.api.documents.positions import PositionsQuery
from realtime.api.handlers.account import get_account, get_positions, never_read
from realtime.api.handlers.order_context import (
    AccountQuery,
    Label,
    Labels,
    OrderRequestContext,
    RoutingQuery,
    json_answer,
    order_bytes,
)
from realtime.api.handlers.order_placement import unknown_order
from realtime.api.parameters import NoQuery
from realtime.api.responses import JSON, ApiResponse
from realtime.core.model import Order, OrderId
from realtime.orders.results import Origin
from realtime.orders.routing import Candidate, choose
from realtime.store.store import Record

AT_ONCE = 1000
"""Orders that are looked at before others get their turn: less than a millisecond."""

NANO_LENGTH = len("2026-10-06T14:02:11.519102345")

Found = tuple[str, str, str, Order]
"""When it was submitted, its id, whose it is, the order."""


class OrdersQuery(Struct, frozen=True, kw_only=True):
    """Which orders."""

    account_id: Annotated[
        Labels | None, Meta(description="of these accounts; of all if left out")
    ] = None
    status: Annotated[
        Literal["all", "open", "closed"], Meta(description="by whether they still work")
    ] = "all"
    limit: Annotated[int, Meta(ge=1, le=500, description="how many at most, newest first")] = 100
    symbol: Annotated[Label | None, Meta(description="of this symbol")] = None
    side: Annotated[Literal["buy", "sell"] | None, Meta(description="of this side")] = None
    origin: Annotated[
        Literal["ours", "other", "unknown"] | None,
        Meta(description="placed through here, by another program, or not known"),
    ] = None


class ClientOrderQuery(Struct, frozen=True, kw_only=True):
    """One order by its client order id."""

    client_order_id: Annotated[
        str, Meta(min_length=0, max_length=128, description="the id that the order was sent with")
    ] = ""
    account_id: Annotated[Label | None, Meta(description="the account, if it is known")] = None


class BudgetQuery(Struct, frozen=True, kw_only=True):
    """Nothing to say."""


async def find_orders(asked: OrderRequestContext[OrdersQuery]) -> ApiResponse:
    """Orders of some accounts, newest first, each with its account and origin."""
    query, desk, gateway = asked.query, asked.desk, asked.trading.gateway
    records = [desk.record(label) for label in query.account_id or ()] or list(desk.store)
    for record in records if query.account_id else ():
        if not record.has_data:
            raise never_read(desk, record)
    newest, total = await _newest(records, query, gateway.origin)
    body = b",".join(
        order_bytes(label, order, gateway.origin(label, order)) for _, _, label, order in newest
    )
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-cache",
        "X-Total-Count": str(total),
        "X-Realtime-Stale": "true" if any(r.link.is_stale for r in records) else "false",
    }
    return ApiResponse(body=b"[" + body + b"]", headers=headers)


async def _newest(
    records: Sequence[Record],
    query: OrdersQuery,
    origin: Callable[[str, Order], Origin],
) -> tuple[list[Found], int]:
    """The newest orders that fit, and how many fit; others get their turn meanwhile."""
    found: list[Found] = []
    total = looked_at = 0
    for record in records:
        label, before = record.profile.label, len(found)
        found += [
            (_when(order), order.id, label, order)
            for order in record.state.orders.values()
            if _fits(order, query)
            and (query.origin is None or origin(label, order) == query.origin)
        ]
        total += len(found) - before
        looked_at += len(record.state.orders)
        if looked_at >= AT_ONCE:
            found, looked_at = _top(found, query.limit), 0
            await asyncio.sleep(0)
    return _top(found, query.limit), total


def _top(found: list[Found], limit: int) -> list[Found]:
    return heapq.nlargest(limit, found, key=itemgetter(0, 1))


def _when(order: Order) -> str:
    """What sorts like the time of submission, and is had in a tenth of the time."""
    at = order.submitted_at or ""
    return (at[:-1] if "." in at else at[:-1] + ".").ljust(NANO_LENGTH, "0")


async def find_order(asked: OrderRequestContext[AccountQuery]) -> ApiResponse:
    """One order by the broker's id, from memory."""
    order_id = asked.parts["order_id"].lower()
    for record in _records(asked, asked.query.account_id):
        order = record.state.orders.get(OrderId(order_id))
        if order is not None:
            return _order(asked, record.profile.label, order)
    raise unknown_order(order_id)


async def find_by_client_order_id(asked: OrderRequestContext[ClientOrderQuery]) -> ApiResponse:
    """One order by our own id: from memory, else the broker is asked."""
    query = asked.query
    records = _records(asked, query.account_id)
    for record in records:
        for order in record.state.orders.values():
            if order.client_order_id == query.client_order_id:
                return _order(asked, record.profile.label, order)
    if query.account_id is not None:
        found = await asked.trading.gateway.find(
            query.account_id, query.client_order_id, asked.principal
        )
        if found is not None:
            return _order(asked, query.account_id, found)
    raise unknown_order(query.client_order_id)


async def account(asked: OrderRequestContext[RoutingQuery]) -> ApiResponse:
    """One account's figures, by name or by the words of routing."""
    label = _routed(asked)
    answer = get_account(RequestContext(context=asked.desk, query=NoQuery(), account_id=label))
    return _named(answer, label)


async def positions(asked: OrderRequestContext[RoutingQuery]) -> ApiResponse:
    """One account's positions, by name or by the words of routing."""
    label = _routed(asked)
    answer = get_positions(
        RequestContext(context=asked.desk, query=PositionsQuery(), account_id=label)
    )
    return _named(answer, label)


async def budget(asked: OrderRequestContext[BudgetQuery]) -> ApiResponse:
    """What is left of an account's requests to the broker, and who spent them."""
    label = asked.parts["account_id"]
    record = asked.desk.record(label)
    document = asked.trading.budget(label)
    if document is None:
        raise never_read(asked.desk, record)
    return json_answer(document)


def _fits(order: Order, query: OrdersQuery) -> bool:
    return (
        (query.status == "all" or (query.status == "closed") == order.is_closed)
        and (query.symbol is None or order.symbol == query.symbol)
        and (query.side is None or order.side == query.side)
    )


def _records(
    asked: OrderRequestContext[AccountQuery] | OrderRequestContext[ClientOrderQuery],
    label: str | None,
) -> list[Record]:
    return list(asked.desk.store) if label is None else [asked.desk.record(label)]


def _order(
    asked: OrderRequestContext[AccountQuery] | OrderRequestContext[ClientOrderQuery],
    label: str,
    order: Order,
) -> ApiResponse:
    body = order_bytes(label, order, asked.trading.gateway.origin(label, order))
    headers = {"Content-Type": JSON, "Cache-Control": "no-cache", "X-Realtime-Account": label}
    return ApiResponse(body=body, headers=headers)


def _routed(asked: OrderRequestContext[RoutingQuery]) -> str:
    """Reading needs no permission to trade, and an account that is not live may be read."""
    if asked.query.account_id is not None:
        return asked.desk.record(asked.query.account_id).profile.label
    busy = {c.label: c for c in asked.trading.gateway.candidates()}
    candidates = [
        Candidate(
            label=record.profile.label,
            tier=record.profile.tier,
            is_synced=record.link.is_synced,
            open_orders=record.state.open_orders,
            in_flight=busy[record.profile.label].in_flight if record.profile.label in busy else 0,
        )
        for record in asked.desk.store
        if record.has_data
    ]
    return choose(asked.query, candidates, asked.principal, turn=0, draw=0.5).account_id


def _named(answer: ApiResponse, label: str) -> ApiResponse:
    return ApiResponse(
        status=answer.status,
        body=answer.body,
        headers={**answer.headers, "X-Realtime-Account": label},
    )
