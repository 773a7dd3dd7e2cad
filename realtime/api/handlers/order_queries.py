"""The routes that read with query parameters: orders, account, positions, one order, budget."""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Annotated, Literal

from msgspec import Meta, Struct

from realtime.api.context import RequestContext
from realtime.api.documents.positions import PositionsQuery
from realtime.api.handlers import account
from realtime.api.handlers.account import never_read
from realtime.api.handlers.order_placement import unknown_order
from realtime.api.handlers.order_requests import (
    AccountQuery,
    Labels,
    RoutingQuery,
    Text,
    encode_order,
    json_response,
)
from realtime.api.parameters import NoQuery
from realtime.api.responses import JSON, ApiResponse
from realtime.core.model import Order, OrderId
from realtime.orders.order_request import Label, Strategy, is_client_order_id
from realtime.orders.results import Origin
from realtime.orders.routing import Candidate, RoutingDecision
from realtime.store.records import Record

SCAN_CHUNK = 1000
"""Orders that are scanned before other tasks run: less than a millisecond."""

NANO_LENGTH = len("2026-10-06T14:02:11.519102345")

OrderRow = tuple[str, str, str, Order]
"""When it was submitted, its id, its account, the order."""


class OrdersQuery(Struct, frozen=True, kw_only=True):
    """Which orders."""

    account_id: Annotated[
        Labels | None, Meta(description="of these accounts; of all if left out")
    ] = None
    routing_key: Annotated[Text | None, Meta(description="of the account of this key")] = None
    strategy: Annotated[Strategy | None, Meta(description="of one account, chosen so")] = None
    tier: Annotated[Text | None, Meta(description="of the accounts of this tier")] = None
    labels: Annotated[Labels | None, Meta(description="the same as `account_id`")] = None
    status: Annotated[
        Literal["all", "open", "closed"], Meta(description="by whether they are open")
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


async def get_orders(request: RequestContext[OrdersQuery]) -> ApiResponse:
    """Orders of some accounts, newest first, each with its account and origin."""
    query, context, gateway = request.query, request.context, request.trading.gateway
    labels = query.account_id or query.labels
    records = [context.record(label) for label in labels or ()] or list(context.store)
    for record in records if labels else ():
        if not record.has_data:
            raise never_read(context, record)
    records = [r for r in records if query.tier is None or r.profile.tier == query.tier]
    decision = None
    if query.strategy is not None or query.routing_key is not None:
        routing = RoutingQuery(
            routing_key=query.routing_key,
            strategy=query.strategy,
            tier=query.tier,
            labels=labels,
        )
        decision = _route(request, routing)
        records = [context.record(decision.account_id)]
    newest, total = await _get_newest(records, query, gateway.get_origin)
    body = b",".join(
        encode_order(label, order, gateway.get_origin(label, order))
        for _, _, label, order in newest
    )
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-cache",
        "X-Total-Count": str(total),
        "X-Realtime-Stale": "true" if any(r.link.is_stale for r in records) else "false",
    }
    response = ApiResponse(body=b"[" + body + b"]", headers=headers)
    return response if decision is None else _add_route(response, decision)


async def _get_newest(
    records: Sequence[Record],
    query: OrdersQuery,
    get_origin: Callable[[str, Order], Origin],
) -> tuple[list[OrderRow], int]:
    """Return the newest orders that match, and how many match; other tasks run in between."""
    rows: list[OrderRow] = []
    total = scanned = 0
    for record in records:
        label, count_before = record.profile.label, len(rows)
        rows += [
            (_get_sort_key(order), order.id, label, order)
            for order in record.state.orders.values()
            if _matches(order, query)
            and (query.origin is None or get_origin(label, order) == query.origin)
        ]
        total += len(rows) - count_before
        scanned += len(record.state.orders)
        if scanned >= SCAN_CHUNK:
            rows, scanned = _select_newest(rows, query.limit), 0
            await asyncio.sleep(0)
    return _select_newest(rows, query.limit), total


def _select_newest(rows: list[OrderRow], limit: int) -> list[OrderRow]:
    return heapq.nlargest(limit, rows, key=itemgetter(0, 1))


def _get_sort_key(order: Order) -> str:
    """Return what sorts like the time of submission, in a tenth of the time of parsing it."""
    at = order.submitted_at or ""
    return (at[:-1] if "." in at else at[:-1] + ".").ljust(NANO_LENGTH, "0")


async def get_order(request: RequestContext[AccountQuery]) -> ApiResponse:
    """One order by the broker's id, from memory."""
    order_id = request.parts["order_id"].lower()
    for record in _get_records(request, request.query.account_id):
        order = record.state.orders.get(OrderId(order_id))
        if order is not None:
            return _order_response(request, record.profile.label, order)
    raise unknown_order(order_id)


async def get_by_client_order_id(request: RequestContext[ClientOrderQuery]) -> ApiResponse:
    """One order by our own id: from memory, else looked up at the broker, within a small budget."""
    query = request.query
    records = _get_records(request, query.account_id)
    for record in records:
        for order in record.state.orders.values():
            if order.client_order_id == query.client_order_id:
                return _order_response(request, record.profile.label, order)
    if query.account_id is not None and is_client_order_id(query.client_order_id):
        found = await request.trading.gateway.find(
            query.account_id, query.client_order_id, request.principal
        )
        if found is not None:
            return _order_response(request, query.account_id, found)
    raise unknown_order(query.client_order_id)


async def get_account(request: RequestContext[RoutingQuery]) -> ApiResponse:
    """One account's figures, by name or by routing parameters."""
    decision = _route(request, request.query)
    read = RequestContext(context=request.context, query=NoQuery(), account_id=decision.account_id)
    return _add_route(account.current_account(read), decision)


async def get_positions(request: RequestContext[RoutingQuery]) -> ApiResponse:
    """One account's positions, by name or by routing parameters."""
    decision = _route(request, request.query)
    read = RequestContext(
        context=request.context, query=PositionsQuery(), account_id=decision.account_id
    )
    return _add_route(account.current_positions(read), decision)


async def get_budget(request: RequestContext[NoQuery]) -> ApiResponse:
    """What is left of an account's requests to the broker, and what used them."""
    label = request.parts["account_id"]
    record = request.context.record(label)
    document = request.trading.get_budget(label)
    if document is None:
        raise never_read(request.context, record)
    return json_response(document)


def _matches(order: Order, query: OrdersQuery) -> bool:
    return (
        (query.status == "all" or (query.status == "closed") == order.is_closed)
        and (query.symbol is None or order.symbol == query.symbol)
        and (query.side is None or order.side == query.side)
    )


def _get_records(
    request: RequestContext[AccountQuery] | RequestContext[ClientOrderQuery],
    label: str | None,
) -> list[Record]:
    return list(request.context.store) if label is None else [request.context.record(label)]


def _order_response(
    request: RequestContext[AccountQuery] | RequestContext[ClientOrderQuery],
    label: str,
    order: Order,
) -> ApiResponse:
    body = encode_order(label, order, request.trading.gateway.get_origin(label, order))
    headers = {"Content-Type": JSON, "Cache-Control": "no-cache", "X-Realtime-Account": label}
    return ApiResponse(body=body, headers=headers)


def _route(request: RequestContext[Struct], query: RoutingQuery) -> RoutingDecision:
    """Choose an account to read. No permission to trade is needed, and it need not be synced."""
    gateway = request.trading.gateway
    if query.account_id is not None:
        label = request.context.record(query.account_id).profile.label
        return RoutingDecision(account_id=label, strategy="exact", among=1)
    in_flight = {c.label: c.in_flight for c in gateway.get_candidates()}
    candidates = [
        Candidate(
            label=record.profile.label,
            tier=record.profile.tier,
            is_synced=record.link.is_synced,
            open_orders=record.state.open_orders,
            in_flight=in_flight.get(record.profile.label, 0),
        )
        for record in request.context.store
        if record.has_data
    ]
    return gateway.router.choose(query, candidates, request.principal)


def _add_route(response: ApiResponse, decision: RoutingDecision) -> ApiResponse:
    headers = {
        **response.headers,
        "X-Realtime-Account": decision.account_id,
        "X-Realtime-Route": decision.reason,
    }
    return ApiResponse(status=response.status, body=response.body, headers=headers)
