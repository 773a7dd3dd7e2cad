"""The routes that place, replace and cancel orders."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, structs

from realtime.api.context import RequestContext
from realtime.api.handlers.order_problems import (
    OrderProblem,
    declined_problem,
    unresolved_problem,
)
from realtime.api.handlers.order_requests import (
    AccountQuery,
    AccountsQuery,
    Labels,
    NumberText,
    RoutingQuery,
    Text,
    encode_order,
    get_set_fields,
    json_response,
    merge,
    placed_response,
)
from realtime.api.problems import Problem, quote
from realtime.api.responses import ApiResponse
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.numbers import parse_number
from realtime.orders.order_request import (
    ClientOrderId,
    Label,
    OrderChanges,
    Placement,
    PositionIntent,
    Strategy,
    TimeInForce,
    read_body,
    read_value,
)
from realtime.orders.results import Placed
from realtime.orders.symbols import is_order_id, may_be_pair
from realtime.orders.validation import get_asset_kind

MAX_BATCH = 2000
"""Orders of one batch."""


class QuickOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quick order: a quantity or an amount, and no more than is needed. Query or body."""

    qty: Annotated[NumberText | None, Meta(description="shares")] = None
    notional: Annotated[NumberText | None, Meta(description="dollars")] = None
    limit_price: Annotated[NumberText | None, Meta(description="makes it a limit order")] = None
    time_in_force: Annotated[TimeInForce | None, Meta(description="day; gtc for coins")] = None
    position_intent: Annotated[
        PositionIntent | None, Meta(description="…_to_close: never more than the position")
    ] = None
    client_order_id: Annotated[
        ClientOrderId | None, Meta(description="your own id of the order")
    ] = None
    account_id: Annotated[Label | None, Meta(description="exactly this account")] = None
    routing_key: Annotated[Text | None, Meta(description="equal keys go to the same account")] = (
        None
    )
    strategy: Annotated[Strategy | None, Meta(description="how to choose among several")] = None
    tier: Annotated[Text | None, Meta(description="among the accounts of this tier")] = None
    labels: Annotated[Labels | None, Meta(description="among these accounts")] = None
    force: Annotated[bool, Meta(description="also an account that is not synced")] = False


class _QuickBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same as JSON, where quantities may be numbers."""

    qty: Decimal | UnsetType | None = UNSET
    notional: Decimal | UnsetType | None = UNSET
    limit_price: Decimal | UnsetType | None = UNSET
    time_in_force: TimeInForce | UnsetType | None = UNSET
    position_intent: PositionIntent | UnsetType | None = UNSET
    client_order_id: ClientOrderId | UnsetType | None = UNSET
    account_id: Label | UnsetType | None = UNSET
    routing_key: Text | UnsetType | None = UNSET
    strategy: Strategy | UnsetType | None = UNSET
    tier: Text | UnsetType | None = UNSET
    labels: Labels | UnsetType | None = UNSET
    force: bool | UnsetType | None = UNSET


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many orders; each is read, and refused, separately."""

    orders: list[Raw]


class BatchItem(Struct, frozen=True, kw_only=True):
    """The result of one order of a batch, in Alpaca's form of a 207."""

    account_id: str | None
    client_order_id: str | None
    status: int
    body: object


async def place(request: RequestContext[RoutingQuery]) -> ApiResponse:
    """Place an order."""
    return await _place(request, _read_placement(request))


async def place_stock(request: RequestContext[RoutingQuery]) -> ApiResponse:
    """Place an order for a stock, checked to be one."""
    order = _read_placement(request)
    if get_asset_kind(order) not in ("stock", "unclear"):
        raise malformed(f"this route is for stocks; {order.symbol or 'mleg'} is none")
    return await _place(request, order)


async def place_option(request: RequestContext[RoutingQuery]) -> ApiResponse:
    """Place an order for one option or several, checked to be one."""
    order = _read_placement(request)
    if get_asset_kind(order) not in ("option", "mleg"):
        raise malformed(f"this route is for options; {order.symbol} is none")
    return await _place(request, order)


async def buy(request: RequestContext[QuickOrder]) -> ApiResponse:
    """Buy by quantity or amount."""
    return await _place_quick(request, "buy")


async def sell(request: RequestContext[QuickOrder]) -> ApiResponse:
    """Sell by quantity or amount."""
    return await _place_quick(request, "sell")


async def place_batch(request: RequestContext[RoutingQuery]) -> ApiResponse:
    """Place many orders at once; a failure stays in its order."""
    bodies = _read_batch(request.body)
    if not 0 < len(bodies) <= MAX_BATCH:
        raise malformed(f"orders: 1–{MAX_BATCH} orders are expected, got {len(bodies)}")
    routing = get_set_fields(request.query)
    requests = [_read_item(bytes(body), routing) for body in bodies]
    results = await request.trading.gateway.place_all(requests, request.principal, key=request.key)
    items = [
        _to_item(request, order, result) for order, result in zip(requests, results, strict=True)
    ]
    return json_response(items, 200 if all(item.status == 200 for item in items) else 207)


async def replace(request: RequestContext[AccountQuery]) -> ApiResponse:
    """Replace an order; the response is its successor."""
    changes = read_body(request.body, OrderChanges)
    label, order_id = _find_order(request)
    placed = await request.trading.gateway.replace(
        label, order_id, changes, request.principal, key=request.key
    )
    return placed_response(request, placed)


async def cancel(request: RequestContext[AccountQuery]) -> ApiResponse:
    """Cancel an order."""
    label, order_id = _find_order(request)
    await request.trading.gateway.cancel(label, order_id, request.principal)
    headers = {"Cache-Control": "no-store", "X-Realtime-Account": label}
    return ApiResponse(status=204, headers=headers)


async def cancel_all(request: RequestContext[AccountsQuery]) -> ApiResponse:
    """Cancel every open order of some accounts, or of all."""
    labels = select_labels(request, request.query.account_id)
    orders = await request.trading.gateway.cancel_all(labels, request.principal)
    items = [
        {"account_id": o.account_id, "id": o.order_id, "status": o.status, "body": o.body}
        for o in orders
    ]
    return json_response(items, 207)


def select_labels(
    request: RequestContext[AccountsQuery], labels: tuple[str, ...] | None
) -> list[str]:
    """Return the accounts that are named, or all that the principal may use."""
    visible = [label for label in request.trading.labels if request.principal.can_see(label)]
    for label in labels or ():
        if label not in visible:
            raise request.context.unknown_account(label)
    return list(dict.fromkeys(labels)) if labels else visible


def unknown_order(order_id: str) -> Problem:
    """Return the problem of an order that no account is known to have."""
    return OrderProblem("unknown_order", f"no account is known to have {quote(order_id)}")


def _read_placement(request: RequestContext[RoutingQuery]) -> Placement:
    return _add_routing(read_body(request.body, Placement), get_set_fields(request.query))


def _add_routing(order: Placement, routing: dict[str, object]) -> Placement:
    """Return an order with the routing of the query. Raises `Declined` if both contradict."""
    if not routing:
        return order
    body = {name: value for name in routing if (value := getattr(order, name)) not in (None, False)}
    return structs.replace(order, **merge(routing, body))


async def _place(request: RequestContext[RoutingQuery], order: Placement) -> ApiResponse:
    placed = await request.trading.gateway.place(order, request.principal, key=request.key)
    return placed_response(request, placed)


async def _place_quick(request: RequestContext[QuickOrder], side: str) -> ApiResponse:
    query = get_set_fields(request.query)
    body = structs.asdict(read_body(request.body, _QuickBody)) if request.body.strip() else {}
    fields = merge(
        {name: _read_query_number(name, value) for name, value in query.items()},
        {name: value for name, value in body.items() if value is not UNSET and value is not None},
    )
    # Capitals only once it is known to be a symbol: those of `ſ` and `ß` are `S` and `SS`.
    symbol = request.parts["symbol"]
    is_coin = "/" in symbol or may_be_pair(symbol.upper())
    fields.setdefault("time_in_force", "gtc" if is_coin else "day")
    order_type = "limit" if "limit_price" in fields else "market"
    order = read_value({**fields, "symbol": symbol, "side": side, "type": order_type}, Placement)
    placed = await request.trading.gateway.place(order, request.principal, key=request.key)
    return placed_response(request, placed)


def _read_query_number(name: str, value: object) -> object:
    """Read a number of the query, so that it equals the same number in the body."""
    if name in ("qty", "notional", "limit_price") and isinstance(value, str):
        return parse_number(value, name)
    return value


def _read_batch(body: bytes) -> list[Raw]:
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[Raw])
        return msgspec.json.decode(body, type=Batch).orders
    except msgspec.ValidationError as error:
        raise malformed(str(error)[:200]) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise malformed("the body is not JSON") from None


def _read_item(body: bytes, routing: dict[str, object]) -> Placement | Declined:
    try:
        return _add_routing(read_body(body, Placement), routing)
    except Declined as error:
        return error


def _to_item(
    request: RequestContext[RoutingQuery],
    order: Placement | Declined,
    result: Placed | Declined | Unresolved,
) -> BatchItem:
    if isinstance(result, Placed):
        origin = request.trading.gateway.get_origin(result.account_id, result.order)
        return BatchItem(
            account_id=result.account_id,
            client_order_id=result.client_order_id,
            status=200,
            body=Raw(encode_order(result.account_id, result.order, origin)),
        )
    account_id = order.account_id if isinstance(order, Placement) else None
    client_order_id = order.client_order_id if isinstance(order, Placement) else None
    if isinstance(result, Unresolved):
        problem = unresolved_problem(result).answer()
        account_id, client_order_id = result.account_id, result.client_order_id
    else:
        problem = declined_problem(result).answer()
    return BatchItem(
        account_id=account_id,
        client_order_id=client_order_id,
        status=problem.status,
        body=Raw(problem.body),
    )


def _find_order(request: RequestContext[AccountQuery]) -> tuple[str, str]:
    """Return the account of an order, the named one or the one that has it, and the order's id."""
    order_id, label = request.parts["order_id"].lower(), request.query.account_id
    if not is_order_id(order_id):
        raise unknown_order(order_id)
    if label is not None:
        request.context.record(label)
        return label, order_id
    for record in request.context.store:
        if order_id in record.state.orders:
            return record.profile.label, order_id
    raise unknown_order(order_id)
