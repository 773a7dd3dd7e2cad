"""Orders from memory: the list with all of its filters, one by either id."""

import msgspec
from msgspec import structs

from realtime.api.alpaca.freshness import get_current_record, memory_response
from realtime.api.alpaca.order_query import parse_flag, parse_order_query
from realtime.api.alpaca.order_selection import (
    group_legs,
    has_certain_legs,
    is_certain,
    nest_legs,
    select_orders,
)
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import ApiResponse
from realtime.core.model import Order, OrderId
from realtime.store.records import Record

_encode = msgspec.json.Encoder().encode


def get_orders(request: AlpacaRequest) -> ApiResponse | None:
    """Return the orders that a query selects."""
    record = get_current_record(request, "orders")
    query = parse_order_query(request.target)
    if record is None or query is None:
        return None
    orders = select_orders(record.state, query)
    return None if orders is None else memory_response(request, record, _encode(orders), as_of=None)


def get_order(request: AlpacaRequest) -> ApiResponse | None:
    """Return one order by the broker's id."""
    record = get_current_record(request, "orders")
    if record is None:
        return None
    order = record.state.orders.get(OrderId(request.parts["order_id"].lower()))
    return _make_response(request, record, order)


def get_by_client_order_id(request: AlpacaRequest) -> ApiResponse | None:
    """Return one order by the client's id."""
    record = get_current_record(request, "orders")
    if record is None:
        return None
    return _make_response(request, record, find_by_client_order_id(request, record))


def complete_missing(request: AlpacaRequest, response: ApiResponse, sent_at: float) -> ApiResponse:
    """Return the order that is in memory where the broker does not list it yet."""
    record = request.record
    if response.status != 404 or record is None or not record.has_data:
        return response
    if "order_id" in request.parts:
        order = record.state.orders.get(OrderId(request.parts["order_id"].lower()))
    else:
        order = find_by_client_order_id(request, record)
    if order is None or order.is_closed:
        return response
    is_nested = parse_flag(request.target.query.get("nested", ""))
    shown = nest_legs(order, group_legs(record.state)) if is_nested else order
    return memory_response(
        structs.replace(request, allows_stale=True), record, _encode(shown), as_of=None
    )


def find_by_client_order_id(request: AlpacaRequest, record: Record) -> Order | None:
    """Return the order of the query's `client_order_id`; None unless exactly one has it."""
    wanted = request.target.query.get("client_order_id")
    orders = [o for o in record.state.orders.values() if wanted and o.client_order_id == wanted]
    return orders[0] if len(orders) == 1 else None


def _make_response(
    request: AlpacaRequest, record: Record, order: Order | None
) -> ApiResponse | None:
    query = request.target.query
    is_nested = parse_flag(query.get("nested", ""))
    if order is None or is_nested is None or not is_certain(order):
        return None
    if not query.keys() <= {"nested", "client_order_id"}:
        return None
    if is_nested:
        legs = group_legs(record.state)
        if not has_certain_legs(order, legs):
            return None
        order = nest_legs(order, legs)
    return memory_response(request, record, _encode(order), as_of=None)
