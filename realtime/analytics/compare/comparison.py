"""A comparison of rows over one window: figures, ranking, pairs, control rows, curves.

All ranked rows share the window. Whether two rows differ is a test of their daily differences that
allows for the number of pairs; "not distinguishable" is a result. Nothing is ranked by a score.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct

from realtime.analytics.account_history import AccountHistory
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
from realtime.analytics.compare.row_data import AccountProfile, Row, RowData, Window
from realtime.analytics.compare.row_summaries import RowCache, RowSummary
from realtime.analytics.compare.rows import account_row, group_rows
from realtime.analytics.daily import DailySeries, make_series
from realtime.analytics.figure_types import RowInputs
from realtime.analytics.ledger_cache import LedgerCache
from realtime.analytics.ledger_inputs import read_labels, read_origins, read_prices
from realtime.analytics.recent import read_accounts
from realtime.core.trading_days import (
    close_at,
    is_trading_day,
    next_trading_day,
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
    rows: list[Row]
    open_day: int | None = None
    """The trading day after the window that is not over."""


class Memory:
    """What comparisons keep between requests. Not for two threads at a time."""

    def __init__(self) -> None:
        self.ledger = LedgerCache()
        self.rows = RowCache()


def compare(
    reader: HistoryReader, request: CompareRequest, memory: Memory | None = None
) -> Comparison:
    """Read and group; figures are computed by `make_document`."""
    profiles = {profile.label: profile for profile in request.accounts}
    if request.has_removed:
        for label in read_labels(reader):
            profiles.setdefault(label, AccountProfile(label=label))
    days = _days(request)
    read = read_accounts if memory is None else memory.ledger.read
    histories = read(reader, list(profiles), to_number(days[0]), request.now_us)
    window = _window(request, days, histories)
    if window is None:
        return Comparison(request=request, window=None, rows=[])
    members = [
        member
        for label, profile in profiles.items()
        if (history := histories.get(label)) is not None
        for member in make_members(profile, history, by_identity=request.by == "account")
        if member.is_current or member.closes(window)
    ]
    rows = _rows(reader, request, members, window)
    absent = [profile for label, profile in profiles.items() if label not in histories]
    if request.by in ("account", "label"):
        rows += [_absent_row(profile, window) for profile in absent]
    rows += control_rows(window, request.benchmark, {row.key for row in rows})
    after = to_number(next_trading_day(to_date(window.last)))
    opened = {h.now.open_close[0] for h in histories.values() if h.now.open_close is not None}
    open_day = after if after in opened else None
    return Comparison(request=request, window=window, rows=rows, open_day=open_day)


def _rows(
    reader: HistoryReader, request: CompareRequest, members: Sequence[Member], window: Window
) -> list[Row]:
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


def _absent_row(profile: AccountProfile, window: Window) -> Row:
    data = RowData(
        key=profile.label,
        kind="account",
        labels=[profile.label],
        inputs=RowInputs(series=make_series((), None, {}), base_day=window.base),
        tier=profile.tier,
        paper=profile.paper,
        name=profile.name,
        reason="nothing recorded",
    )
    return known_row(data)


def _days(request: CompareRequest) -> list[date]:
    """The trading days of the request that are over."""
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
    """The days as requested; without a beginning, not earlier than history begins."""
    base = to_number(previous_trading_day(days[0]))
    numbers = [to_number(day) for day in days]
    if request.since is None:
        starts = [s for h in histories.values() if (s := h.closes.first) is not None]
        first = min(starts, default=None)
        if first is not None and first > base:
            base, numbers = first, [day for day in numbers if day > first]
    return Window(numbers, base) if numbers else None


def control_rows(
    window: Window, benchmark: BenchmarkPrices | None, keys: Collection[str] = ()
) -> list[Row]:
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
    reason = benchmark.reason
    if reason is None and not series.is_complete:
        reason = "no close of some days"
    return [*rows, _control(_free_key(benchmark.symbol, keys), window, series, reason)]


def _free_key(key: str, keys: Collection[str]) -> str:
    return f"{key} (control)" if key in keys else key


def _control(key: str, window: Window, series: DailySeries, reason: str | None = None) -> Row:
    inputs = RowInputs(series=series, base_day=window.base, has_trades=False, hides_money=True)
    return known_row(RowData(key=key, kind="control", labels=[], inputs=inputs, reason=reason))


def known_row(data: RowData) -> Row:
    """A row whose data is at hand."""
    return Row(data.key, data.kind, lambda: data)


def make_document(comparison: Comparison, memory: Memory | None = None) -> CompareDocument:
    """The comparison with all figures."""
    request, window = comparison.request, comparison.window
    cache = RowCache() if memory is None else memory.rows
    found = list(zip(cache.summaries(comparison.rows), comparison.rows, strict=True))
    ranked = [pair for pair in found if pair[0].kind != "control" and pair[0].reason is None]
    controls = [pair for pair in found if pair[0].kind == "control"]
    others = [pair for pair in found if pair[0].kind != "control" and pair[0].reason is not None]
    ranked.sort(key=lambda pair: -(pair[0].growth or 0.0))
    pairs, count, omitted = make_pairs(
        request, [row for _, row in ranked], [row for _, row in controls], window
    )
    summaries = [summary for summary, _ in (*ranked, *controls, *others)]
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
        rows=[_row(summary, len(ranked)) for summary in summaries],
        pairs=pairs,
        windows=[] if window is None else _windows(window, summaries),
        notes=_notes(comparison, summaries),
    )


def _row(row: RowSummary, ranked: int) -> CompareRow:
    is_ranked = row.reason is None and row.kind != "control"
    has_equity = row.kind in ("account", "group")
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
        trading_days=row.trading_days,
        end_equity=plain(row.end_equity, MONEY_SCALE) if has_equity else None,
        differs_from_zero=row.logs.is_not_zero(ranked) if is_ranked and row.logs else None,
        figures=row.figures,
    )


def _windows(window: Window, rows: Sequence[RowSummary]) -> list[CommonWindow]:
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


def _notes(comparison: Comparison, summaries: Sequence[RowSummary]) -> list[str]:
    """Facts of the whole comparison that a reader must know."""
    rows = [row for row in summaries if row.kind != "control"]
    notes = []
    if comparison.window is None:
        notes.append("comparison begins with the first whole trading day that was recorded")
    since, window = comparison.request.since, comparison.window
    if since is not None and window is not None and to_date(window.first).isoformat() < since:
        notes.append(f"no trading day since {since} is over: the last one before is shown")
    papers = {profile.paper for profile in comparison.request.accounts} if rows else set()
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
