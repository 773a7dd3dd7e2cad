"""A comparison of rows over one window: figures, ranking, pairs, control rows, curves.

All ranked rows share the window. Whether two rows differ is a test of their daily differences that
allows for the number of pairs; "not distinguishable" is a result. Nothing is ranked by a score.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations
from typing import Literal

from msgspec import Struct, field

from realtime.analytics.daily import DailySeries, drawdown_curve, make_series
from realtime.analytics.estimates import (
    LEVEL,
    MIN_DAYS,
    Estimate,
    Span,
    is_not_zero,
    paired_difference,
)
from realtime.analytics.figures import Figures, RowInputs, compute
from realtime.analytics.ledger_inputs import (
    AccountHistory,
    read_accounts,
    read_labels,
    read_origins,
    read_prices,
)
from realtime.analytics.rows import (
    AccountProfile,
    By,
    Flag,
    Member,
    RowData,
    Window,
    account_row,
    book_rows,
    group_rows,
    make_members,
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
MAX_PAIR_ROWS = 40
"""Up to this many rows all pairs are compared: 820 of them."""

MAX_POINTS = 500
DEFAULT_DAYS = 31
"""Calendar days of a comparison that names no beginning: about 21 trading days."""

RowKind = Literal["account", "group", "book", "control"]


class BenchmarkPrices(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Daily closes of a symbol. `closes`: ISO date → price; empty with a reason where unknown."""

    symbol: str
    feed: str | None = None
    adjustment: str | None = None
    return_kind: Literal["price", "total"] = "price"
    source: str | None = None
    closes: dict[str, float] = {}
    reason: str | None = None


class CompareRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to compare. Dates are trading days in New York, ISO; None: the default."""

    by: By = "account"
    accounts: list[AccountProfile] = []
    since: str | None = None
    until: str | None = None
    books: dict[str, str] = {}
    benchmark: BenchmarkPrices | None = None
    pairs_of: list[str] = []
    rows: list[str] = []
    """Only these rows of a series; empty: all."""
    has_removed: bool = False
    """Whether labels that are not configured any more are rows too."""
    format: Literal["json", "csv"] = "json"
    now_us: int = 0


class CompareRow(Struct, frozen=True, kw_only=True):
    """One row."""

    key: str
    kind: RowKind
    name: str | None
    tier: str | None
    paper: bool | None
    accounts: list[str]
    ranked: bool
    reason: str | None
    """Why it is not ranked; None: it is, or it is a control row."""
    flags: list[Flag]
    own_from: str | None
    """Its first day, where it begins later than the window."""
    trading_days: int
    end_equity: str | None
    differs_from_zero: bool | None
    """Whether its mean daily return differs from zero, allowing for the number of ranked rows;
    None: not known."""
    figures: Figures


class Pair(Struct, frozen=True, kw_only=True):
    """Two rows of the same days."""

    a: str
    b: str
    difference_pct: Estimate
    """Sum of the daily differences a − b; the interval allows for all pairs."""
    distinguishable: bool | None
    ahead: str | None
    """The row that is ahead, if they can be told apart."""
    days_needed: int | None
    """Further trading days until this difference could be told from noise; None: unknown, or more
    than ten years."""
    reason: str | None = None


class CommonWindow(Struct, frozen=True, kw_only=True):
    """A shorter window that more rows cover."""

    since: str = field(name="from")
    trading_days: int
    adds: list[str]
    """Rows that this window would add."""


class BenchmarkDocument(Struct, frozen=True, kw_only=True):
    """What the benchmark row is: always stated."""

    symbol: str
    feed: str | None
    adjustment: str | None
    return_kind: str
    source: str | None
    reason: str | None


class CompareDocument(Struct, frozen=True, kw_only=True):
    """A comparison. Ranked rows first, by return; then control rows; then rows that cannot be
    ranked."""

    by: By
    as_of: str
    since: str | None = field(name="from")
    until: str | None = field(name="to")
    base: str | None
    """The close from which returns are counted."""
    trading_days: int
    boundary: str = "16:00 New York"
    level: float = LEVEL
    ranked_rows: int
    pairs_compared: int
    pairs_omitted: str | None
    risk_free_pct: float = 0.0
    method: str = "time-weighted; deposits and withdrawals taken out"
    benchmark: BenchmarkDocument | None
    rows: list[CompareRow]
    pairs: list[Pair]
    windows: list[CommonWindow]
    notes: list[str]


class SeriesRow(Struct, frozen=True, kw_only=True):
    """The curve of one row, a value for each of the document's days; null where not known."""

    key: str
    kind: RowKind
    ranked: bool
    own_from: str | None
    return_pct: list[float | None]
    pl: list[str | None] | None
    """Profit since the start; null for a control row."""
    drawdown_pct: list[float | None]


class SeriesDocument(Struct, frozen=True, kw_only=True):
    """Curves of a comparison. The first day is the base: all start at 0."""

    by: By
    days: list[str]
    last_is_open: bool
    """Whether the last day is not over yet; it is in no statistic."""
    rows: list[SeriesRow]


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
    pairs, count, omitted = _pairs(request, ranked, controls, window)
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


def _pairs(
    request: CompareRequest,
    ranked: Sequence[RowData],
    controls: Sequence[RowData],
    window: Window | None,
) -> tuple[list[Pair], int, str | None]:
    """All pairs of ranked rows and of those with control rows; of many rows only those named."""
    usable = [row for row in controls if row.inputs.series.is_complete]
    rows = [*ranked, *usable]
    if window is None or not ranked:
        return [], 0, "no row is ranked"
    if len(rows) <= MAX_PAIR_ROWS:
        chosen = [(a, b) for a, b in combinations(rows, 2) if a.kind != "control"]
    else:
        named = {row.key for row in rows} & set(request.pairs_of)
        chosen = [
            (a, b)
            for a, b in combinations(rows, 2)
            if a.kind != "control" and (a.key in named or b.key in named)
        ]
    span = Span(
        to_date(window.first).isoformat(), to_date(window.last).isoformat(), len(window.days)
    )
    pairs = [_pair(a, b, len(chosen), span) for a, b in chosen]
    omitted = None
    if len(rows) > MAX_PAIR_ROWS:
        omitted = f"more than {MAX_PAIR_ROWS} rows: name some in pairs_of"
    return pairs, len(chosen), omitted


def _pair(a: RowData, b: RowData, comparisons: int, span: Span) -> Pair:
    both = [
        (x, y)
        for x, y in zip(a.inputs.series.returns, b.inputs.series.returns, strict=True)
        if x is not None and y is not None
    ]
    found = paired_difference([x for x, _ in both], [y for _, y in both], comparisons)
    if found is None:
        reason = f"too few days: {len(both)} of {MIN_DAYS}"
        return Pair(
            a=a.key,
            b=b.key,
            difference_pct=span.unknown(reason, n=len(both)),
            distinguishable=None,
            ahead=None,
            days_needed=None,
            reason=reason,
        )
    total, half = found.mean * found.n * 100, found.critical * found.error * found.n * 100
    ahead = a.key if found.mean > 0 else b.key
    return Pair(
        a=a.key,
        b=b.key,
        difference_pct=span.estimate(total, total - half, total + half, n=found.n),
        distinguishable=found.is_distinguishable,
        ahead=ahead if found.is_distinguishable else None,
        days_needed=found.days_needed,
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


def make_series_document(comparison: Comparison) -> SeriesDocument:
    """The curves of a comparison."""
    request, window = comparison.request, comparison.window
    if window is None:
        return SeriesDocument(by=request.by, days=[], last_is_open=False, rows=[])
    rows = [r for r in comparison.rows if not request.rows or r.key in request.rows]
    open_days = [row.open_day for row in rows if row.open_day is not None]
    is_open = request.until is None and bool(open_days)
    days = [window.base, *window.days]
    keep = _thinned(len(days))
    dates = [to_date(days[at]).isoformat() for at in keep]
    if is_open:
        dates.append(to_date(open_days[0][0]).isoformat())
    return SeriesDocument(
        by=request.by,
        days=dates,
        last_is_open=is_open,
        rows=[_series_row(row, days, keep, is_open=is_open) for row in rows],
    )


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
        row
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
