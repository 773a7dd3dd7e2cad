"""Handlers of the routes over all accounts: table of figures, summary, status of the links."""

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.accounts import MARK_COLUMNS, AccountRow, AccountsQuery
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.health import get_condition
from realtime.api.documents.mark_totals import BookMarks, add_up_marks, make_mark_totals
from realtime.api.documents.status import StatusQuery
from realtime.api.documents.summary import make_summary
from realtime.api.documents.timestamps import format_millis
from realtime.api.handlers.past import AsOfQuery, past_state
from realtime.api.history.request import HistoryRequest
from realtime.api.responses import JSON, ApiResponse, csv_response, is_match


def get_accounts(request: RequestContext[AccountsQuery]) -> ApiResponse | HistoryRequest:
    """The fleet as a table. An unknown label is an error, not an empty response."""
    context, query = request.context, request.query
    for label in query.account_id:
        context.record(label)
    if query.as_of is not None:
        return past_state(request, "accounts", query.as_of, lambda past: _csv(query, past))
    headers = context.fleet_version_headers()
    if is_match(request.if_none_match, headers["ETag"]):
        return ApiResponse(status=304, headers=headers)
    rendered = context.list_documents.render_accounts(context.store, query)
    response = ApiResponse(
        body=rendered.body,
        headers={**headers, "Content-Type": JSON, "X-Total-Count": str(rendered.total)},
    )
    has_marks = query.format == "csv" and any(record.mark for record in context.store)
    return _csv(query, response, has_marks=has_marks)


def _csv(query: AccountsQuery, response: ApiResponse, *, has_marks: bool = False) -> ApiResponse:
    if query.format != "csv":
        return response
    columns = AccountRow.__struct_fields__
    if not has_marks:
        columns = tuple(name for name in columns if name not in MARK_COLUMNS)
    return csv_response(response, columns, "accounts", member="accounts")


def get_summary(request: RequestContext[AsOfQuery]) -> ApiResponse | HistoryRequest:
    """The fleet in a few figures."""
    context = request.context
    if request.query.as_of is not None:
        return past_state(request, "summary", request.query.as_of)
    headers = context.fleet_version_headers()
    if is_match(request.if_none_match, headers["ETag"]):
        return ApiResponse(status=304, headers=headers)
    progress = context.count_fleet()
    counts = progress.counts
    changed_at = max((record.as_of for record in context.store), default=context.started_at)
    document = make_summary(
        context.list_documents.get_account_rows(context.store),
        {r.profile.label for r in context.store if r.link.state == "disabled"},
        as_of=format_millis(changed_at),
        status=get_condition(counts, is_started=progress.is_started),
        accounts=counts.enabled,
        synced=counts.connected,
        stale=counts.stale,
        by_book=_marks_by_book(context),
    )
    return ApiResponse(body=ENCODER.encode(document), headers={**headers, "Content-Type": JSON})


def _marks_by_book(context: ApiContext) -> list[BookMarks]:
    if context.marks is None or not context.books:
        return []
    totals = context.marks().totals if context.labels is None else add_up_marks(context.store)
    return make_mark_totals(totals).by_book


def get_status(request: RequestContext[StatusQuery]) -> ApiResponse:
    """The links as of now. It counts seconds, so it is never conditional."""
    context, now = request.context, request.context.clock()
    monitor = context.loop_monitor
    # A client that may see some accounts only learns nothing about the traffic of the others.
    requests, updates = (
        (monitor.requests, monitor.updates) if context.labels is None else (None, None)
    )
    is_shown = context.cluster is not None and context.labels is None
    rendered = context.list_documents.render_status(
        context.store,
        request.query,
        now=now,
        requests=requests,
        updates=updates,
        cluster=context.cluster.get_document() if context.cluster and is_shown else None,
    )
    return ApiResponse(
        body=rendered.body,
        headers={
            "Content-Type": JSON,
            "Cache-Control": "no-store",
            "X-Realtime-As-Of": format_millis(now),
            "X-Total-Count": str(rendered.total),
        },
    )
