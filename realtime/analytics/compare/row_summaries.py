"""What a table shows of rows, computed once: a thousand rows of a year take 0.3 s otherwise."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence

from msgspec import Struct, structs

from realtime.analytics.compare.row_data import Flag, Row, RowData, RowKind
from realtime.analytics.estimates import LogReturns, daily_returns
from realtime.analytics.figure_types import Figures
from realtime.analytics.figures import compute

MAX_SUMMARIES = 3_000
"""Rows in memory, 7 kB each."""

MAX_KEPT = 50
"""Rows of a comparison whose days stay in memory until its pairs are compared."""


class RowSummary(Struct, frozen=True, kw_only=True):
    """A row without its days."""

    key: str
    kind: RowKind
    labels: list[str]
    name: str | None
    tier: str | None
    paper: bool | None
    reason: str | None
    flags: list[Flag]
    own_from: int | None
    growth: float | None
    """Of 1.0, until the last day."""
    logs: LogReturns | None
    trading_days: int
    end_equity: int | None
    is_complete: bool
    figures: Figures


def summarize(data: RowData) -> RowSummary:
    """What a table shows of a row."""
    series = data.inputs.series
    returns = daily_returns(series.returns)
    return RowSummary(
        key=data.key,
        kind=data.kind,
        labels=data.labels,
        name=data.name,
        tier=data.tier,
        paper=data.paper,
        reason=data.reason,
        flags=data.flags,
        own_from=data.own_from,
        growth=series.index[-1] if series.index else None,
        logs=returns.logs,
        trading_days=len(series.equity) - list(series.equity).count(None),
        end_equity=series.equity[-1] if series.equity else None,
        is_complete=series.is_complete,
        figures=compute(data.inputs, returns),
    )


class RowCache:
    """Summaries by everything that they depend on. Not for two threads at a time."""

    def __init__(self) -> None:
        self._summaries: OrderedDict[Hashable, RowSummary] = OrderedDict()

    def summaries(self, rows: Sequence[Row]) -> list[RowSummary]:
        """A summary of each row, with the figures of this moment."""
        keeps_days = len(rows) <= MAX_KEPT
        found = []
        for row in rows:
            found.append(_with_counts(self._get(row), row))
            if not keeps_days:
                row.release()
        while len(self._summaries) > MAX_SUMMARIES:
            self._summaries.popitem(last=False)
        return found

    def _get(self, row: Row) -> RowSummary:
        if row.identity is None:
            return summarize(row.data)
        summary = self._summaries.get(row.identity)
        if summary is None:
            summary = self._summaries[row.identity] = summarize(row.data)
        else:
            self._summaries.move_to_end(row.identity)
        return summary


def _with_counts(summary: RowSummary, row: Row) -> RowSummary:
    figures, now = summary.figures, row.now
    if now is None or (
        figures.rejected_24h == now.rejected
        and figures.errors_24h == now.errors
        and figures.open_trips == now.open_trips
    ):
        return summary
    changed = structs.replace(
        figures, rejected_24h=now.rejected, errors_24h=now.errors, open_trips=now.open_trips
    )
    return structs.replace(summary, figures=changed)
