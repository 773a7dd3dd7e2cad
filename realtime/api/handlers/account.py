"""Handlers of the routes of one account: dashboard, account, positions, orders."""

import math
from collections.abc import Callable

from msgspec import Struct

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.dashboard import DashboardQuery
from realtime.api.documents.document_cache import RenderedDocument
from realtime.api.documents.health import count_fleet
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.handlers.past import AsOfQuery, past_state
from realtime.api.history.request import HistoryRequest
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, csv_response, is_match
from realtime.core.link import LinkState
from realtime.core.model import Order, Position
from realtime.store.records import Record

SOON_S = 2
"""Retry-After while accounts are loading: a thousand take less than ten seconds."""

LATER_S = 60
"""Retry-After while a person must change something first."""

PROBLEM_OF_LINK_STATE: dict[LinkState, str] = {
    "waiting": "account_unreachable",
    "refused": "account_refused",
    "disabled": "account_disabled",
}
"""Link state → the problem of an account that was never read. In any other state an attempt is
under way: the first, or another."""


def get_dashboard(request: RequestContext[DashboardQuery]) -> ApiResponse | HistoryRequest:
    """All of one account; its figures are null until the first read."""
    if request.query.as_of is not None:
        return past_state(request, "dashboard", request.query.as_of)
    record, documents = request.context.record(request.account_id), request.context.documents
    return _conditional(request, record, lambda: documents.render_dashboard(record, request.query))


def get_account(request: RequestContext[AsOfQuery]) -> ApiResponse | HistoryRequest:
    """The broker's account object."""
    if request.query.as_of is not None:
        return past_state(request, "account", request.query.as_of)
    return current_account(request)


def current_account(request: RequestContext[Struct]) -> ApiResponse:
    """The broker's account object as it is now."""
    record = _get_record_with_data(request)
    return _conditional(request, record, lambda: request.context.documents.render_account(record))


def get_positions(request: RequestContext[PositionsQuery]) -> ApiResponse | HistoryRequest:
    """The broker's list of positions."""
    if request.query.as_of is not None:
        return past_state(
            request, "positions", request.query.as_of, lambda past: _positions_csv(request, past)
        )
    return current_positions(request)


def current_positions(request: RequestContext[PositionsQuery]) -> ApiResponse:
    """The broker's list of positions as it is now."""
    record, query = _get_record_with_data(request), request.query
    documents = request.context.documents
    response = _conditional(request, record, lambda: documents.render_positions(record, query))
    return _positions_csv(request, response)


def _positions_csv(request: RequestContext[PositionsQuery], response: ApiResponse) -> ApiResponse:
    if request.query.format != "csv":
        return response
    return csv_response(response, Position.__struct_fields__, f"positions-{request.account_id}")


def get_orders(request: RequestContext[OrdersQuery]) -> ApiResponse | HistoryRequest:
    """The broker's list of orders."""
    query = request.query
    if query.as_of is not None:
        return past_state(request, "orders", query.as_of, lambda past: _orders_csv(request, past))
    record = _get_record_with_data(request)
    documents = request.context.documents
    response = _conditional(request, record, lambda: documents.render_orders(record, query))
    return _orders_csv(request, response)


def _orders_csv(request: RequestContext[OrdersQuery], response: ApiResponse) -> ApiResponse:
    if request.query.format != "csv":
        return response
    return csv_response(response, Order.__struct_fields__, f"orders-{request.account_id}")


def _get_record_with_data(request: RequestContext[Struct]) -> Record:
    record = request.context.record(request.account_id)
    if not record.has_data:
        raise never_read(request.context, record)
    return record


def never_read(context: ApiContext, record: Record) -> Problem:
    """The problem of an account that was never read: the reason, and when to try again."""
    link = record.link
    default = "starting" if link.last_error_at is None else "account_unreachable"
    code = PROBLEM_OF_LINK_STATE.get(link.state, default)
    detail = f"account {record.profile.label} has never been read (link {link.state})"
    wait_s = SOON_S
    if code == "starting":
        counts = count_fleet(context.store)
        loaded = sum(1 for other in context.store if other.has_data)
        detail = f"{detail}; {loaded} of {counts.enabled} accounts loaded"
    elif link.next_attempt_at is not None:
        wait_s = max(1, math.ceil(link.next_attempt_at - context.clock()))
    elif code != "account_unreachable":
        wait_s = LATER_S
    if link.last_error_message and code != "starting":
        detail = f"{detail}: {link.last_error_message}"
    return Problem(code, detail, remedy=link.remedy, headers={"Retry-After": str(wait_s)})


def _conditional(
    request: RequestContext[Struct], record: Record, render: Callable[[], RenderedDocument]
) -> ApiResponse:
    headers = request.context.version_headers(record)
    if is_match(request.if_none_match, headers["ETag"]):
        return ApiResponse(status=304, headers=headers)
    rendered = render()
    headers = {**headers, "Content-Type": JSON}
    if rendered.total is not None:
        headers["X-Total-Count"] = str(rendered.total)
    return ApiResponse(body=rendered.body, headers=headers)
