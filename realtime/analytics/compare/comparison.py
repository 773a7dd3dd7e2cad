"""A comparison of rows over one window: figures, ranking, pairs, control rows, curves.

All ranked rows share the window. Whether two rows differ is a test of their daily differences that
allows for the number of pairs; "not distinguishable" is a result. Nothing is ranked by a score.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct

from realtime.analytics.compare.book_rows import book_rows
from realtime.analytics.compare.documents import (
    BenchmarkDocument,
    BenchmarkPrices,
    CommonWindow,
    CompareDocument,
    CompareRequest,
    CompareRow,
)
from realtime.analytics.compare.members import Member, make_members
from realtime.analytics.compare.pairs import make_pairs
from realtime.analytics.compare.row_data import AccountProfile, RowData, Window
from realtime.analytics.compare.rows import account_row, group_rows
from realtime.analytics.daily import DailySeries, make_series
from realtime.analytics.estimates import is_not_zero
from realtime.analytics.figure_types import RowInputs
from realtime.analytics.figures import compute
from realtime.analytics.ledger_inputs import (
    AccountHistory,
    read_accounts,
    read_labels,
    read_origins,
    read_prices,
)
from realtime.core.trading_days import (
    close_at,
    is_trading_day,
    previous_trading_day,
    to_date,
    to_number,
    trading_day_at,
    trading_days,
)
from realtime.history.exact import MONEY_SCALE, US, instant, plain
from realtime.history.reading import HistoryReader

CASH = "cash"


DEFAULT_DAYS = 31


class Comparison(Struct, kw_only=True):
    """Rows and window of a request."""

    request: CompareRequest
    window: Window | None
    rows: list[RowData]


def compare(reader: HistoryReader, request: CompareRequest) -> Comparison:
    """Read and group; figures are computed by `document`."""
    profiles = {profile.label: profile for profile in request.accounts}
    if request.has_removed:
        for label in read_labels(reader):
            profiles.setdefault(label, AccountProfile(label=label))
    days = _days(request)
    histories = read_accounts(
        reader, list(profiles), to_number(days[0]), to_number(days[-1]), request.now_us
    )
    window = _window(request, days, histories)
    if window is None:
        return Comparison(request=request, window=None, rows=[])
    members = [
        member
        for label, profile in profiles.items()
        if (history := histories.get(label)) is not None
        for member in make_members(profile, history, by_identity=request.by == "account")
        if member.is_current or member.closes
    ]
    rows = _rows(reader, request, members, window)
    absent = [profile for label, profile in profiles.items() if label not in histories]
    if request.by in ("account", "label"):
        rows += [_absent_row(profile, window) for profile in absent]
    rows += control_rows(window, request.benchmark, {row.key for row in rows})
    return Comparison(request=request, window=window, rows=rows)


def _rows(
    reader: HistoryReader, request: CompareRequest, members: Sequence[Member], window: Window
) -> list[RowData]:
    match request.by:
        case "account" | "label":
            return [account_row(member, window) for member in members]
        case "tier":
            return group_rows(members, window, lambda member: member.profile.tier or "none")
        case "fleet":
            return group_rows(members, window, lambda _: "all")
        case "strategy":
            symbols = {fill.symbol for member in members for fill in member.fills}
            symbols |= {s for member in members for s in member.profile.positions or ()}
            prices = read_prices(reader, symbols, window.base, window.last)
            return book_rows(
                members,
                window,
                request.books,
                lambda label: read_origins(reader, label),
                prices,
            )


def _absent_row(profile: AccountProfile, window: Window) -> RowData:
    return RowData(
        key=profile.label,
        kind="account",
        labels=[profile.label],
        inputs=RowInputs(series=make_series((), None, {}), base_day=window.base),
        tier=profile.tier,
        paper=profile.paper,
        name=profile.name,
        reason="nothing recorded",
    )


def _days(request: CompareRequest) -> list[date]:
    """The trading days that are asked for and over."""
    now = request.now_us / US
    last = trading_day_at(now)
    if now < close_at(last):
        last = previous_trading_day(last)
    if request.until is not None:
        until = date.fromisoformat(request.until)
        last = min(last, until if is_trading_day(until) else previous_trading_day(until))
    first = last - timedelta(days=DEFAULT_DAYS - 1)
    if request.since is not None:
        first = min(date.fromisoformat(request.since), last)
    return trading_days(first, last) or [last]


def _window(
    request: CompareRequest, days: Sequence[date], histories: Mapping[str, AccountHistory]
) -> Window | None:
    """The days as asked for; without a beginning, not earlier than history begins."""
    base = to_number(previous_trading_day(days[0]))
    numbers = [to_number(day) for day in days]
    if request.since is None:
        starts = [s for h in histories.values() if (s := h.first_close()) is not None]
        first = min(starts, default=None)
        if first is not None and first > base:
            base, numbers = first, [day for day in numbers if day > first]
    return Window(numbers, base) if numbers else None


def control_rows(
    window: Window, benchmark: BenchmarkPrices | None, keys: Collection[str] = ()
) -> list[RowData]:
    """What doing nothing, and holding the benchmark, would have made. `keys` are those of other
    rows: a tier may be called `cash`."""
    flat = dict.fromkeys((window.base, *window.days), 10**8)
    series = make_series(window.days, flat[window.base], flat)
    rows = [_control(_free_key(CASH, keys), window, series)]
    if benchmark is None:
        return rows
    closes = {
        to_number(date.fromisoformat(day)): round(price * 10**6)
        for day, price in benchmark.closes.items()
    }
    series = make_series(window.days, closes.get(window.base), closes)
    row = _control(_free_key(benchmark.symbol, keys), window, series)
    if benchmark.reason is not None:
        row.reason = benchmark.reason
    elif not series.is_complete:
        row.reason = "no close of some days"
    return [*rows, row]


def _free_key(key: str, keys: Collection[str]) -> str:
    return f"{key} (control)" if key in keys else key


def _control(key: str, window: Window, series: DailySeries) -> RowData:
    inputs = RowInputs(series=series, base_day=window.base, has_trades=False, hides_money=True)
    return RowData(key=key, kind="control", labels=[], inputs=inputs)


def make_document(comparison: Comparison) -> CompareDocument:
    """The comparison with all figures."""
    request, window = comparison.request, comparison.window
    ranked = [row for row in comparison.rows if row.kind != "control" and row.reason is None]
    controls = [row for row in comparison.rows if row.kind == "control"]
    others = [row for row in comparison.rows if row.kind != "control" and row.reason is not None]
    ranked.sort(key=lambda row: -(row.inputs.series.index[-1] or 0.0))
    pairs, count, omitted = make_pairs(request, ranked, controls, window)
    return CompareDocument(
        by=request.by,
        as_of=instant(request.now_us),
        since=None if window is None else to_date(window.first).isoformat(),
        until=None if window is None else to_date(window.last).isoformat(),
        base=None if window is None else to_date(window.base).isoformat(),
        trading_days=0 if window is None else len(window.days),
        ranked_rows=len(ranked),
        pairs_compared=count,
        pairs_omitted=omitted,
        benchmark=_benchmark(request.benchmark),
        rows=[_row(row, len(ranked)) for row in (*ranked, *controls, *others)],
        pairs=pairs,
        windows=[] if window is None else _windows(window, comparison.rows),
        notes=_notes(comparison),
    )


def _row(row: RowData, ranked: int) -> CompareRow:
    series = row.inputs.series
    is_ranked = row.reason is None and row.kind != "control"
    returns = [r for r in series.returns if r is not None]
    equity = series.equity[-1] if series.equity and row.kind != "control" else None
    return CompareRow(
        key=row.key,
        kind=row.kind,
        name=row.name,
        tier=row.tier,
        paper=row.paper,
        accounts=row.labels,
        ranked=is_ranked,
        reason=row.reason,
        flags=row.flags,
        own_from=None if row.own_from is None else to_date(row.own_from).isoformat(),
        trading_days=sum(value is not None for value in series.equity),
        end_equity=None if row.kind == "book" else plain(equity, MONEY_SCALE),
        differs_from_zero=is_not_zero(returns, ranked) if is_ranked else None,
        figures=compute(row.inputs),
    )


def _windows(window: Window, rows: Sequence[RowData]) -> list[CommonWindow]:
    """Shorter windows that rows with a later start cover, the longest first."""
    starts = sorted({row.own_from for row in rows if row.own_from is not None})
    return [
        CommonWindow(
            since=to_date(start).isoformat(),
            trading_days=sum(day >= start for day in window.days),
            adds=[row.key for row in rows if row.own_from is not None and row.own_from <= start],
        )
        for start in starts
    ]


def _benchmark(prices: BenchmarkPrices | None) -> BenchmarkDocument | None:
    if prices is None:
        return None
    return BenchmarkDocument(
        symbol=prices.symbol,
        feed=prices.feed,
        adjustment=prices.adjustment,
        return_kind=prices.return_kind,
        source=prices.source,
        reason=prices.reason,
    )


def _notes(comparison: Comparison) -> list[str]:
    """Facts of the whole comparison that a reader must know."""
    rows = [row for row in comparison.rows if row.kind != "control"]
    notes = []
    if comparison.window is None:
        notes.append("comparison begins with the first whole trading day that was recorded")
    papers = {row.paper for row in rows if row.paper is not None}
    if True in papers:
        notes.append("paper accounts pay no fees and get no dividends")
    if papers == {True, False}:
        notes.append("paper and real money are compared: fills on paper cost no slippage")
    if comparison.request.by == "strategy":
        notes.append(
            "a book's return is its profit on the equity that its accounts had at the start"
        )
    benchmark = comparison.request.benchmark
    if benchmark is not None and benchmark.return_kind == "price" and not benchmark.reason:
        notes.append(f"{benchmark.symbol} without dividends")
    return notes
