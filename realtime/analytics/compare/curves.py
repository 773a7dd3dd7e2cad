"""The curves of a comparison, and its daily returns as a table."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from realtime.analytics.compare.comparison import CASH, Comparison
from realtime.analytics.compare.documents import SeriesDocument, SeriesRow
from realtime.analytics.compare.row_data import Row, RowData
from realtime.analytics.daily import drawdown_curve
from realtime.core.trading_days import to_date
from realtime.history.exact import MONEY_SCALE, plain

MAX_POINTS = 500


def make_series_document(comparison: Comparison) -> SeriesDocument:
    """The curves of a comparison."""
    window, keep = comparison.window, _kept_days(comparison)
    if window is None:
        return _series_document(comparison, [])
    days = [window.base, *window.days]
    is_open = _is_open(comparison)
    return _series_document(
        comparison,
        [_stream(row, days, keep, is_open=is_open) for row in _wanted_rows(comparison)],
    )


def _series_document(comparison: Comparison, rows: list[SeriesRow]) -> SeriesDocument:
    request, window = comparison.request, comparison.window
    dates: list[str] = []
    if window is not None:
        days = [window.base, *window.days]
        dates = [to_date(days[at]).isoformat() for at in _kept_days(comparison)]
        if _is_open(comparison):
            assert comparison.open_day is not None
            dates.append(to_date(comparison.open_day).isoformat())
    return SeriesDocument(by=request.by, days=dates, last_is_open=_is_open(comparison), rows=rows)


def _wanted_rows(comparison: Comparison) -> list[Row]:
    keys = comparison.request.rows
    return [row for row in comparison.rows if not keys or row.key in keys]


def _kept_days(comparison: Comparison) -> list[int]:
    window = comparison.window
    return [] if window is None else _thinned(len(window.days) + 1)


def _is_open(comparison: Comparison) -> bool:
    """Whether the request includes the current day, which is not over."""
    return comparison.request.until is None and comparison.open_day is not None


def encode_series(comparison: Comparison, encode: Callable[[Struct], bytes]) -> bytes:
    """The document of the curves as JSON: a row at a time, for a thousand rows have 60 MB."""
    head = encode(_series_document(comparison, []))
    window, keep = comparison.window, _kept_days(comparison)
    if window is None:
        return head
    rows = (
        encode(_stream(row, [window.base, *window.days], keep, is_open=_is_open(comparison)))
        for row in _wanted_rows(comparison)
    )
    return head.removesuffix(b"]}") + b",".join(rows) + b"]}"


def _stream(row: Row, days: Sequence[int], keep: Sequence[int], *, is_open: bool) -> SeriesRow:
    curve = _series_row(row.data, days, keep, is_open=is_open)
    row.release()
    return curve


def _series_row(
    row: RowData, days: Sequence[int], keep: Sequence[int], *, is_open: bool
) -> SeriesRow:
    series = row.inputs.series
    at = {day: number for number, day in enumerate(series.days)}
    falls = drawdown_curve(series.index)
    base = row.inputs.base_day
    returns: list[float | None] = []
    profits: list[str | None] = []
    drawdowns: list[float | None] = []
    for number in keep:
        day = days[number]
        position = at.get(day)
        if day == base and series.base is not None:
            returns.append(0.0)
            profits.append("0")
            drawdowns.append(0.0)
            continue
        index = None if position is None or series.base is None else series.index[position]
        returns.append(None if index is None else round((index - 1) * 100, 6))
        drawdowns.append(None if index is None or position is None else falls[position])
        profit = None if index is None or position is None else series.pl[position]
        profits.append(plain(profit, MONEY_SCALE))
    if is_open:
        _add_open_day(row, returns, profits, drawdowns)
    return SeriesRow(
        key=row.key,
        kind=row.kind,
        ranked=row.reason is None and row.kind != "control",
        own_from=None if row.own_from is None else to_date(row.own_from).isoformat(),
        return_pct=returns,
        pl=None if row.inputs.hides_money else profits,
        drawdown_pct=drawdowns,
    )


def make_returns(comparison: Comparison) -> list[dict[str, object]]:
    """A line for each trading day: its date, and the day's return of each row as a fraction.

    The first column is an index of dates, so `pandas.read_csv(…, index_col=0, parse_dates=True)`
    is what quantstats takes. What is not known is empty.
    """
    window, request = comparison.window, comparison.request
    if window is None:
        return []
    rows = [
        row.data
        for row in comparison.rows
        if (row.key in request.rows if request.rows else row.key != CASH)
    ]
    by_day = [
        (row.key, dict(zip(row.inputs.series.days, row.inputs.series.returns, strict=True)))
        for row in rows
    ]
    return [
        {
            "date": to_date(day).isoformat(),
            **{key: _fraction(returns.get(day)) for key, returns in by_day},
        }
        for day in window.days
    ]


def _fraction(value: float | None) -> str | None:
    return None if value is None else format(value, ".12f")


def _add_open_day(
    row: RowData,
    returns: list[float | None],
    profits: list[str | None],
    drawdowns: list[float | None],
) -> None:
    """The day that is not over."""
    series = row.inputs.series
    last = series.equity[-1] if series.equity else None
    index = series.index[-1] if series.index else None
    if row.open_day is None or not last or index is None or series.base is None:
        for values in (returns, profits, drawdowns):
            values.append(None)
        return
    profit = row.open_day[2]
    now = index * (1 + profit / last)
    high = max(1.0, *(value for value in series.index if value is not None), now)
    returns.append(round((now - 1) * 100, 6))
    profits.append(plain((series.pl[-1] or 0) + profit, MONEY_SCALE))
    drawdowns.append(round((now / high - 1) * 100, 6))


def _thinned(count: int) -> list[int]:
    """At most `MAX_POINTS` numbers of so many, evenly; the first and the last are among them."""
    if count <= MAX_POINTS:
        return list(range(count))
    last = count - 1
    return [round(last * number / (MAX_POINTS - 1)) for number in range(MAX_POINTS)]
