"""Handlers of the equity curves: of one account, and of all together."""

from collections.abc import Sequence

from realtime.analytics.curve import Point, thin_out
from realtime.analytics.recorder import INTERVAL_S
from realtime.api.context import RequestContext
from realtime.api.documents.csv_format import format_csv
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.history import (
    COLUMNS,
    FleetHistoryQuery,
    HistoryQuery,
    history_rows,
    make_history,
)
from realtime.api.responses import JSON, ApiResponse, csv_headers


def get_history(request: RequestContext[HistoryQuery]) -> ApiResponse:
    """One account's equity; the lists are empty until the first point is recorded."""
    label = request.context.record(request.account_id).profile.label
    points = request.context.recorder.get_account(label)
    return curve_response(points, request.query, f"history-{label}")


def get_fleet_history(request: RequestContext[FleetHistoryQuery]) -> ApiResponse:
    """The equity of all accounts that the client may see, or of those of one kind of money."""
    context, paper = request.context, request.query.paper
    if paper is not None:
        labels = [r.profile.label for r in context.store if r.profile.paper == paper]
        return curve_response(context.recorder.get_sum(labels), request.query, "history")
    if context.labels is None:
        return curve_response(context.recorder.get_fleet(), request.query, "history")
    points = context.recorder.get_sum(context.store.records)
    return curve_response(points, request.query, "history")


def curve_response(points: Sequence[Point], query: HistoryQuery, name: str) -> ApiResponse:
    """Points in the format requested; `name` is that of the CSV file."""
    document = make_history(thin_out(list(points), query.points), f"{INTERVAL_S}Sec")
    if query.format == "csv":
        headers = {**csv_headers(name), "Cache-Control": "no-cache"}
        return ApiResponse(body=format_csv(history_rows(document), COLUMNS), headers=headers)
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"}
    )
