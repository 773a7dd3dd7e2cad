"""Handlers of the equity curves over the last day: of one account, and of all together.

A curve is in memory from the daemon's start on; what is older comes from the history files.
"""

from collections.abc import Sequence
from functools import partial

from realtime.analytics.curve import TIERS, Point
from realtime.api.context import RequestContext
from realtime.api.documents.history import FleetHistoryQuery, HistoryQuery
from realtime.api.history.curves import curve_response
from realtime.api.history.messages import HistoryCall
from realtime.api.history.request import HistoryRequest
from realtime.api.responses import ApiResponse
from realtime.history.exact import DAY_US, US, epoch_us
from realtime.store.records import Record

LAST_WINDOW_S = TIERS[-1][0]


def get_history(request: RequestContext[HistoryQuery]) -> ApiResponse | HistoryRequest:
    """One account's equity; the lists are empty where nothing was recorded."""
    record = request.context.record(request.account_id)
    label = record.profile.label
    points = request.context.recorder.get_account(label)
    return _curve(request, [record], points, f"history-{label}")


def get_fleet_history(
    request: RequestContext[FleetHistoryQuery],
) -> ApiResponse | HistoryRequest:
    """The equity of all accounts that the client may see, or of those of one kind of money."""
    context, paper = request.context, request.query.paper
    records = [r for r in context.store if paper is None or r.profile.paper == paper]
    if paper is None and context.labels is None:
        points = context.recorder.get_fleet()
    else:
        points = context.recorder.get_sum([record.profile.label for record in records])
    return _curve(request, records, points, "history")


def _curve(
    request: RequestContext[HistoryQuery],
    records: Sequence[Record],
    points: Sequence[Point],
    name: str,
) -> ApiResponse | HistoryRequest:
    """The points in memory, and before them those of the files."""
    now_us = epoch_us(request.context.clock())
    until_us = points[0][0] * US if points else now_us
    in_memory = partial(curve_response, points, request.query, name)
    if request.context.history is None or until_us - now_us < LAST_WINDOW_S * US - DAY_US:
        return in_memory()
    call = HistoryCall(
        kind="curve",
        labels=[record.profile.label for record in records],
        from_us=now_us - DAY_US,
        to_us=until_us,
        query={"points": request.query.points, "format": request.query.format},
        points=list(points),
        name=name,
    )
    return HistoryRequest(call=call, fallback=in_memory)
