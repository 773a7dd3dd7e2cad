"""Placing, replacing and canceling, as Alpaca's clients do it, through the gateway."""

from functools import partial

import msgspec

from realtime.api.alpaca.errors import JSON
from realtime.api.alpaca.freshness import account_headers, budget_headers
from realtime.api.alpaca.open_requests import (
    Answer,
    OpenRequest,
    Send,
    make_request_fingerprint,
)
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import ApiResponse
from realtime.core.model import OrderId
from realtime.core.timestamps import nanoseconds
from realtime.orders.errors import MALFORMED, Declined, Unresolved
from realtime.orders.order_request import OrderChanges, OrderRequest, Placement, read_body
from realtime.orders.results import Placed

CANCELED = frozenset({"canceled", "pending_cancel"})

UNKNOWN_CANCEL_S = 20 * 60.0

IDEMPOTENT_S = 60.0
"""How long after an order an equal body with the same id gets that order, with `idempotent`."""

_encode = msgspec.json.Encoder().encode


async def place_order(request: AlpacaRequest) -> ApiResponse:
    """Place an order."""
    order = read_body(request.body, OrderRequest)
    fields = {name: getattr(order, name) for name in OrderRequest.__struct_fields__}

    async def send(open_request: OpenRequest) -> Placed:
        fields["client_order_id"] = open_request.client_order_id
        placement = Placement(**fields, account_id=request.label)
        gateway = request.context.trading.gateway
        return await gateway.place(placement, request.caller.principal, key=open_request.key)

    return await run_order(request, send, order.client_order_id)


async def replace_order(request: AlpacaRequest) -> ApiResponse:
    """Replace an order; the response is its successor."""
    changes = read_body(request.body, OrderChanges)
    order_id = request.parts["order_id"].lower()

    async def send(open_request: OpenRequest) -> Placed:
        named = msgspec.structs.replace(changes, client_order_id=open_request.client_order_id)
        gateway, principal = request.context.trading.gateway, request.caller.principal
        return await gateway.replace(
            request.label, order_id, named, principal, key=open_request.key
        )

    return await run_order(request, send, changes.client_order_id, order_id)


async def cancel_order(request: AlpacaRequest) -> ApiResponse:
    """Cancel an order."""
    context, order_id = request.context, request.parts["order_id"].lower()
    before, unknown = request.record, context.unknown_cancels
    name = f"alpaca-cancel:{request.label}:{order_id}"
    key, now = (request.label, order_id), context.clock()
    for old in [k for k, until in unknown.items() if until <= now]:
        del unknown[old]
    work = context.trading.gateway.cancel(request.label, order_id, request.caller.principal)
    try:
        await context.background.run(work, name, request.label)
    except Unresolved:
        unknown[key] = now + UNKNOWN_CANCEL_S
        raise
    except Declined as error:
        if not (key in unknown and error.broker_status in (404, 422)):
            raise
        # The first cancel was accepted after all, if the order is canceled now.
        if not is_canceled(request, order_id):
            raise
    unknown.pop(key, None)
    if before is not None:
        context.recent_writes.add(before, order_id)
    return ApiResponse(status=204, headers=change_headers(request))


async def cancel_all_orders(request: AlpacaRequest) -> ApiResponse:
    """Cancel every open order."""
    context, before = request.context, request.record
    work = context.trading.gateway.cancel_all([request.label], request.caller.principal)
    results = await context.background.run(
        work, f"alpaca-cancel-all:{request.label}", request.label
    )
    for result in results:
        if not result.order_id:  # the account as a whole
            message = str(result.body)
            if result.status == 504:
                raise Unresolved(message, account_id=request.label, client_order_id=None)
            code = "trading_disabled" if result.status == 403 else "broker_unreachable"
            raise Declined(code, message)
    if before is not None:
        context.recent_writes.add(before, *(result.order_id for result in results))
    items = [
        {"id": r.order_id, "status": r.status, **({} if r.body is None else {"body": r.body})}
        for r in results
    ]
    return ApiResponse(status=207, body=_encode(items), headers=change_headers(request))


def is_canceled(request: AlpacaRequest, order_id: str) -> bool:
    """Whether memory has the order as canceled, or as being canceled."""
    record = request.record
    order = None if record is None else record.state.orders.get(OrderId(order_id))
    return order is not None and order.status in CANCELED


async def run_order(
    request: AlpacaRequest,
    send: Send,
    client_order_id: str | None,
    *changed_ids: str,
) -> ApiResponse:
    """Send a change that results in an order, or join the open one that is equal to it."""
    context, before = request.context, request.record
    answer = await context.open_requests.run(
        make_request_fingerprint(
            request.label,
            request.caller.principal.user_id,
            request.method,
            request.target.path,
            request.target.raw.partition("?")[2],
            request.body,
        ),
        request.label,
        send,
        partial(_look_up, request),
        user_id=request.caller.principal.user_id,
        client_order_id=client_order_id,
        is_connected=request.is_connected,
    )
    if before is not None:
        context.recent_writes.add(before, *changed_ids)
    if answer.placed.how == "replayed" and not answer.is_repeat:
        if not _is_recent_repeat(request, answer.placed):
            # The broker's own response to an id that an order has.
            text = "client_order_id must be unique"
            raise Declined("broker_refuses", text, alpaca={"code": MALFORMED, "message": text})
        answer = msgspec.structs.replace(answer, is_repeat=True)
    return _order_response(request, answer)


def _is_recent_repeat(request: AlpacaRequest, placed: Placed) -> bool:
    """Whether an equal body with its own id gets the first order, which is young enough."""
    age_s = request.context.clock() - nanoseconds(placed.order.created_at) / 1e9
    return request.context.options.is_idempotent and age_s < IDEMPOTENT_S


async def _look_up(request: AlpacaRequest, open_request: OpenRequest) -> Placed:
    """Return an order of unknown status. Raises `Unresolved` if it is not found."""
    label, client_order_id = request.label, open_request.client_order_id
    gateway = request.context.trading.gateway
    try:
        order = await gateway.find(label, client_order_id, request.caller.principal)
    except Declined as error:
        raise Unresolved(
            error.message, account_id=label, client_order_id=client_order_id
        ) from error
    if order is None:
        raise Unresolved(
            "the broker does not know it, or not yet",
            account_id=label,
            client_order_id=client_order_id,
        )
    return Placed(account_id=label, client_order_id=client_order_id, order=order, how="recovered")


def _order_response(request: AlpacaRequest, answer: Answer) -> ApiResponse:
    placed = answer.placed
    headers = change_headers(request)
    if answer.is_repeat:
        headers["X-Realtime-Repeat"] = f"of {placed.order.id}"
    return ApiResponse(body=placed.body or _encode(placed.order), headers=headers)


def change_headers(request: AlpacaRequest) -> dict[str, str]:
    """Return the headers of a response that says what became of a change."""
    return {
        "Content-Type": JSON,
        "Cache-Control": "no-store",
        "X-Realtime-Source": "upstream",
        **account_headers(request.context, request.label),
        **budget_headers(request.context, request.label),
    }
