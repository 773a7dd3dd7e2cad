"""The routes of the curves: one account's, and everybody's together."""

from collections.abc import Sequence

from realtime.analytics.curve import Point, thinned
from realtime.analytics.recorder import EVERY_S
from realtime.server.answers import JSON, Answer
from realtime.server.desk import Call, Desk
from realtime.views.history import HistoryQuery, history
from realtime.views.rendering import ENCODER


def answer_history(desk: Desk, call: Call, query: HistoryQuery) -> Answer:
    """One account's equity; lists are empty while nothing was noted."""
    record = desk.record(call.account_id)
    return _curve(desk.recorder.account(record.profile.label), query)


def answer_whole_history(desk: Desk, _: Call, query: HistoryQuery) -> Answer:
    """The equity of all accounts that the reader may know of."""
    if desk.only is None:
        return _curve(desk.recorder.whole(), query)
    return _curve(desk.recorder.part(desk.store.records), query)


def _curve(points: Sequence[Point], query: HistoryQuery) -> Answer:
    document = history(thinned(list(points), query.points), f"{EVERY_S}Sec")
    return Answer(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"}
    )
