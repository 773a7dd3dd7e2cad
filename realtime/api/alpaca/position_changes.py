"""Closing positions, as Alpaca's clients do it, through the gateway; exercising is passed on."""

import asyncio
from typing import Any

import msgspec
from msgspec import Struct

from realtime.api.alpaca.errors import declined_response, unresolved_response
from realtime.api.alpaca.forwarding import forward_change
from realtime.api.alpaca.open_requests import OpenRequest
from realtime.api.alpaca.order_changes import change_headers, run_order
from realtime.api.alpaca.order_query import parse_flag
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import ApiResponse
from realtime.core.model import position_symbol
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.forwarding import ForwardedRequest
from realtime.orders.numbers import parse_number
from realtime.orders.results import Placed

_encode = msgspec.json.Encoder().encode


class _Held(Struct):
    symbol: str
    asset_class: str = ""
    side: str = ""


_decode_held = msgspec.json.Decoder(list[_Held]).decode


async def close_position(request: AlpacaRequest) -> ApiResponse:
    """Close a position, or `qty` or `percentage` of it; the response is the closing order."""
    query = request.target.query
    if not request.target.is_plain or not query.keys() <= {"qty", "percentage"}:
        raise malformed("only qty or percentage is accepted")
    if query.get("qty") and query.get("percentage"):
        raise malformed("only one of qty or percentage is accepted")
    qty = parse_number(query["qty"], "qty") if query.get("qty") else None
    percentage = (
        parse_number(query["percentage"], "percentage") if query.get("percentage") else None
    )
    if qty is not None and qty <= 0:
        raise malformed("qty must be > 0")

    async def send(open_request: OpenRequest) -> Placed:
        return await request.context.trading.gateway.close_position(
            request.label,
            request.parts["symbol"],
            request.caller.principal,
            qty=qty,
            percentage=percentage,
            key=open_request.key,
            client_order_id=open_request.client_order_id,
        )

    return await run_order(request, send, None)


async def close_all_positions(request: AlpacaRequest) -> ApiResponse:
    """Close every position; with `cancel_orders`, cancel every order before."""
    query = request.target.query
    cancels = parse_flag(query.get("cancel_orders", ""))
    if cancels is None or not request.target.is_plain or not query.keys() <= {"cancel_orders"}:
        raise malformed("invalid cancel_orders")
    before = request.record
    items = await request.context.background.run(
        _close_all(request, cancels), f"alpaca-close-all:{request.label}", request.label
    )
    if before is not None:
        request.context.recent_writes.add(before, *before.state.orders if cancels else ())
    return ApiResponse(status=207, body=_encode(items), headers=change_headers(request))


async def exercise(request: AlpacaRequest) -> ApiResponse:
    """Exercise an option, or instruct not to: no order, so it is passed on as it is."""
    response = await forward_change(request)
    if request.record is not None:
        request.context.recent_writes.add(request.record)
    return response


async def _close_all(request: AlpacaRequest, cancels: bool) -> list[dict[str, Any]]:
    context, label, principal = request.context, request.label, request.caller.principal
    refusal = context.trading.gateway.find_refusal(label, principal)
    if refusal is not None:
        raise refusal
    if cancels:
        await context.trading.gateway.cancel_all([label], principal)
    target = ForwardedRequest(method="GET", target="/v2/positions")
    response = await context.trading.forwarder.read(label, target)
    try:
        held = _decode_held(response.body) if response.status == 200 else None
    except (msgspec.DecodeError, UnicodeError):
        held = None
    if held is None:
        raise Declined("broker_unreachable", "the positions could not be read")
    # Written options first: their cover is available only until it is sold.
    written = [p for p in held if p.asset_class == "us_option" and p.side == "short"]
    others = [p for p in held if p not in written]
    items = await asyncio.gather(*(_close_one(request, p.symbol) for p in written))
    return items + await asyncio.gather(*(_close_one(request, p.symbol) for p in others))


async def _close_one(request: AlpacaRequest, symbol: str) -> dict[str, Any]:
    try:
        placed = await request.context.trading.gateway.close_position(
            request.label,
            symbol,
            request.caller.principal,
            qty=None,
            percentage=None,
            key=None,
        )
    except Declined as error:
        response = declined_response(error)
    except Unresolved as error:
        response = unresolved_response(error)
    else:
        body = msgspec.Raw(placed.body or _encode(placed.order))
        return {"symbol": position_symbol(symbol), "status": 200, "body": body}
    body = msgspec.Raw(response.body)
    return {"symbol": position_symbol(symbol), "status": response.status, "body": body}
