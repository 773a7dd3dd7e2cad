"""Equity over the last day: what is in memory, and before it what is in the files."""

from collections.abc import Iterator, Sequence

from realtime.analytics.curve import Point, sum_curves, thin_out
from realtime.analytics.recorder import INTERVAL_S
from realtime.api.documents.csv_format import format_csv
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.history import COLUMNS, HistoryQuery, history_rows, make_history
from realtime.api.responses import JSON, ApiResponse, csv_headers
from realtime.history.exact import MINUTE_S, MINUTE_US, QUARTER_US, US
from realtime.history.queries import identity_starts
from realtime.history.reading import HistoryReader, days, read_day

MAX_MINUTE_ACCOUNTS = 25
"""Curves of more accounts are of quarters of an hour: a minute of 1000 accounts is 1000 rows."""

MILLIONTHS = 100
"""Money in files is of 10⁻⁴."""


def curve_response(points: Sequence[Point], query: HistoryQuery, name: str) -> ApiResponse:
    """Points in the format requested; `name` is that of the CSV file."""
    document = make_history(thin_out(list(points), query.points), f"{INTERVAL_S}Sec")
    if query.format == "csv":
        headers = {**csv_headers(name), "Cache-Control": "no-cache"}
        return ApiResponse(body=format_csv(history_rows(document), COLUMNS), headers=headers)
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-cache"}
    )


def recorded_curve(
    reader: HistoryReader, labels: Sequence[str], from_us: int, to_us: int
) -> list[Point]:
    """The sum of accounts between two times. Each point is a window's start and the last value in
    it; nothing was observed while an account was stale, or another one of the broker's."""
    if not labels:
        return []
    starts = identity_starts(reader, labels)
    read = _minutes if len(labels) <= MAX_MINUTE_ACCOUNTS else _quarters
    curves: dict[str, list[Point]] = {label: [] for label in labels}
    for label, at, equity in read(reader, labels, from_us, to_us):
        if at * US >= starts.get(label, 0):
            curves[label].append((at, equity * MILLIONTHS))
    return curves[labels[0]] if len(labels) == 1 else sum_curves(list(curves.values()))


Value = tuple[str, int, int]
"""Label, epoch seconds, equity of 10⁻⁴."""


def _minutes(
    reader: HistoryReader, labels: Sequence[str], from_us: int, to_us: int
) -> Iterator[Value]:
    marks = ",".join("?" * len(labels))
    for file in days(reader, from_us, to_us):
        for label, minute, equity in read_day(
            reader,
            file,
            "SELECT label, minute, equity FROM equity JOIN account ON account.n = acc"
            f" WHERE label IN ({marks}) AND minute > ? AND minute <= ? AND stale = 0"
            " AND equity IS NOT NULL ORDER BY minute",
            (*labels, from_us // MINUTE_US, to_us // MINUTE_US),
        ):
            yield label, (minute - 1) * MINUTE_S, equity


def _quarters(
    reader: HistoryReader, labels: Sequence[str], from_us: int, to_us: int
) -> Iterator[Value]:
    marks = ",".join("?" * len(labels))
    for label, slot, equity in reader.read_ledger(
        "SELECT label, slot, close FROM equity15 JOIN account ON account.n = acc"
        f" WHERE label IN ({marks}) AND slot >= ? AND slot < ? AND close IS NOT NULL"
        " ORDER BY slot",
        (*labels, from_us // QUARTER_US, to_us // QUARTER_US),
    ):
        yield label, slot * QUARTER_US // US, equity
