"""The routes of the curves: one account's, and everybody's together."""

from collections.abc import Sequence

from realtime.analytics.curve import Point, thinned
from realtime.analytics.recorder import EVERY_S
from realtime.api.context import ApiContext, RequestContext
from realtime.api.csv_responses import sheet_headers
from realtime.api.documents.csv_format import sheet
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.history import COLUMNS, HistoryQuery, history, history_rows
from realtime.api.responses import JSON, ApiResponse


def answer_history(desk: ApiContext, call: RequestContext, query: HistoryQuery) -> ApiResponse:
    """One account's equity; lists are empty while nothing was noted."""
    label = desk.record(call.account_id).profile.label
    return answer_curve(desk.recorder.account(label), query, f"history-{label}")


def answer_whole_history(desk: ApiContext, _: RequestContext, query: HistoryQuery) -> ApiResponse:
    """The equity of all accounts that the reader may know of."""
    if desk.only is None:
        return answer_curve(desk.recorder.whole(), query, "history")
    return answer_curve(desk.recorder.part(desk.store.records), query, "history")


def answer_curve(points: Sequence[Point], query: HistoryQuery, name: str) -> ApiResponse:
    """Points in the form that was asked for."""
    document = history(thinned(list(points), query.points), f"{EVERY_S}Sec")
    if query.format == "csv":
        headers = {**sheet_headers(name), "Cache-Control": "no-cache"}
        return ApiResponse(body=sheet(history_rows(document), COLUMNS), headers=headers)
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"}
    )
