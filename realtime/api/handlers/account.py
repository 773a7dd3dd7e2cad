"""The routes of one account: dashboard, account, positions, orders."""

import math
from collections.abc import Callable

from realtime.api.context import ApiContext, RequestContext
from realtime.api.csv_responses import as_sheet
from realtime.api.documents.document_cache import RenderedDocument
from realtime.api.documents.health import count_fleet
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse, is_match
from realtime.core.link import LinkState
from realtime.core.model import Order, Position
from realtime.store.store import Record

SOON_S = 2
"""Retry-After while accounts are loading: a thousand take less than ten seconds."""

LATER_S = 60
"""Retry-After while someone must change something first."""

WHY_UNREAD: dict[LinkState, str] = {
    "waiting": "account_unreachable",
    "refused": "account_refused",
    "disabled": "account_disabled",
}
"""Link state → the problem of an account that was never read. In any other state it is being
tried: for the first time, or again."""


def answer_dashboard(desk: ApiContext, call: RequestContext, _: NoQuery) -> ApiResponse:
    """All of one account; its figures are null while nothing has been read."""
    record = desk.record(call.account_id)
    return _conditional(desk, record, call, lambda: desk.views.dashboard(record))


def answer_account(desk: ApiContext, call: RequestContext, _: NoQuery) -> ApiResponse:
    """The broker's account object."""
    record = _with_data(desk, call)
    return _conditional(desk, record, call, lambda: desk.views.account(record))


def answer_positions(desk: ApiContext, call: RequestContext, query: PositionsQuery) -> ApiResponse:
    """The broker's list of positions."""
    record = _with_data(desk, call)
    answer = _conditional(desk, record, call, lambda: desk.views.positions(record, query))
    if query.format == "csv":
        return as_sheet(answer, Position.__struct_fields__, f"positions-{call.account_id}")
    return answer


def answer_orders(desk: ApiContext, call: RequestContext, query: OrdersQuery) -> ApiResponse:
    """The broker's list of orders."""
    record = _with_data(desk, call)
    answer = _conditional(desk, record, call, lambda: desk.views.orders(record, query))
    if query.format == "csv":
        return as_sheet(answer, Order.__struct_fields__, f"orders-{call.account_id}")
    return answer


def _with_data(desk: ApiContext, call: RequestContext) -> Record:
    record = desk.record(call.account_id)
    if not record.has_data:
        raise unread(desk, record)
    return record


def unread(desk: ApiContext, record: Record) -> Problem:
    """The problem of an account that was never read: why, and when to ask again."""
    link = record.link
    trying = "starting" if link.last_error_at is None else "account_unreachable"
    code = WHY_UNREAD.get(link.state, trying)
    detail = f"account {record.profile.label} has never been read (link {link.state})"
    wait_s = SOON_S
    if code == "starting":
        census = count_fleet(desk.store)
        loaded = sum(1 for each in desk.store if each.has_data)
        detail = f"{detail}; {loaded} of {census.enabled} accounts loaded"
    elif link.next_attempt_at is not None:
        wait_s = max(1, math.ceil(link.next_attempt_at - desk.clock()))
    elif code != "account_unreachable":
        wait_s = LATER_S
    if link.last_error_message and code != "starting":
        detail = f"{detail}: {link.last_error_message}"
    return Problem(code, detail, remedy=link.remedy, headers={"Retry-After": str(wait_s)})


def _conditional(
    desk: ApiContext, record: Record, call: RequestContext, render: Callable[[], RenderedDocument]
) -> ApiResponse:
    headers = desk.freshness(record)
    if is_match(call.if_none_match, headers["ETag"]):
        return ApiResponse(status=304, headers=headers)
    rendered = render()
    headers = {**headers, "Content-Type": JSON}
    if rendered.total is not None:
        headers["X-Total-Count"] = str(rendered.total)
    return ApiResponse(body=rendered.body, headers=headers)
