"""The figures of one row: an account, a group of accounts, a book, or a control row.

Every estimate has its interval, its number of observations and its days. What is not known is None
with a reason, never 0 or infinity. Money is computed as integers of 10⁻⁴ and written as decimals.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from realtime.analytics.daily import DailySeries, Drawdown, drawdown
from realtime.analytics.estimates import (
    MIN_ANNUAL_DAYS,
    MIN_DAYS,
    YEAR_DAYS,
    Estimate,
    Span,
    moments,
    return_interval,
    sharpe_ratio,
    wilson,
)
from realtime.analytics.round_trips import Fill, RoundTrip, shares_of
from realtime.core.trading_days import to_date
from realtime.history.exact import MONEY_SCALE, QTY_SCALE, plain

Z95 = 1.959963984540054


class Money(Struct, frozen=True, kw_only=True):
    """An amount, or why it is not known."""

    amount: str | None
    reason: str | None = None


class Contracts(Struct, frozen=True, kw_only=True):
    """Contracts of option orders, or shares of others, by order."""

    smallest: str | None
    average: str | None
    largest: str | None
    orders: int


class RowInputs(Struct, frozen=True, kw_only=True):
    """What the figures of a row are computed from."""

    series: DailySeries
    base_day: int
    fills: Sequence[Fill] = ()
    trips: Sequence[RoundTrip] = ()
    realized: int | None = None
    """Of the window, money of 10⁻⁴."""
    open_trips: int = 0
    has_trades: bool = True
    """Whether the row can trade: a control row cannot."""
    fees: int = 0
    dividends: int = 0
    interest: int = 0
    gross: Sequence[tuple[int, int, int]] = ()
    """Of each day that is known: gross and net exposure on average, equity at its end."""
    initial_balance: int | None = None
    later_flows: int | None = None
    """Deposits minus withdrawals since the initial balance."""
    orders: int = 0
    rejected: int = 0
    """In the last 24 hours."""
    errors: int = 0
    """The same: rejected orders and lost connections."""
    is_paper: bool = False
    hides_money: bool = False
    """A control row has no money of its own."""


class Figures(Struct, frozen=True, kw_only=True):
    """All figures of a row. Names that end in `_pct` are per cent, `_daily` by the trading day."""

    return_pct: Estimate
    """Time-weighted, deposits and withdrawals taken out."""
    pl: Money
    realized_pl: Money
    unrealized_pl: Money
    """The rest of the profit: realized, unrealized, fees, dividends and interest add up to `pl`."""
    fees: Money
    dividends: Money
    interest: Money
    net_flows: Money
    total_pl: Money
    """Since `initial_balance`, to the last day."""
    max_drawdown: Drawdown
    volatility_daily_pct: Estimate
    volatility_annual_pct: Estimate
    sharpe_daily: Estimate
    sharpe_annual: Estimate
    sharpe_probability: Estimate
    """That the true ratio is above zero."""
    sharpe_days_needed: int | None
    """Further trading days until that probability would reach 95 %; None: unknown, or too long."""
    win_rate_pct: Estimate
    profit_factor: Estimate
    expectancy: Money
    """Average profit of a round trip."""
    average_win: Money
    average_loss: Money
    largest_win: Money
    largest_loss: Money
    round_trips: int
    open_trips: int
    average_duration_s: float | None
    orders: int
    fills: int
    trades_daily: Estimate
    """Executed orders by the trading day."""
    average_size: Money
    """Value of an executed order."""
    contracts: Contracts
    risk_of_initial_pct: Estimate
    """Value of an executed order / initial balance, on average; the interval is smallest and
    largest."""
    exposure_gross_pct: Estimate
    exposure_net_pct: Estimate
    utilization_initial_pct: Estimate
    """Capital deployed / initial balance."""
    utilization_equity_pct: Estimate
    """Capital deployed / equity."""
    turnover_daily_pct: Estimate
    """Value of fills / average equity, by the trading day."""
    rejected_24h: int
    errors_24h: int


def compute(inputs: RowInputs) -> Figures:
    """The figures of a row."""
    # Any in the parts: they are fields of `Figures`.
    series = inputs.series
    span = _span(series)
    known = [r for r in series.returns if r is not None]
    why = _why_incomplete(series)
    return Figures(
        return_pct=_return(span, series, known, why),
        **_profit(inputs),
        max_drawdown=_drawdown(inputs, why),
        **_noise(span, known, why),
        **_trades(span, inputs),
        **_orders(span, inputs),
        **_exposure(span, inputs),
        rejected_24h=inputs.rejected,
        errors_24h=inputs.errors,
    )


def money(amount: int | None, reason: str | None = None) -> Money:
    """An amount of 10⁻⁴ as a document."""
    text = plain(amount, MONEY_SCALE)
    return Money(amount=text, reason=reason if text is None else None)


def _span(series: DailySeries) -> Span:
    days = series.days
    if not days:
        return Span(None, None, 0)
    count = sum(value is not None for value in series.equity)
    return Span(to_date(days[0]).isoformat(), to_date(days[-1]).isoformat(), count)


def _why_incomplete(series: DailySeries) -> str | None:
    """Why statistics of days are not known; None: they are."""
    if not series.days:
        return "no trading day has ended in the window"
    if series.base is None:
        return "no equity at the start of the window"
    if series.missing:
        return f"{len(series.missing)} of {len(series.days)} days not recorded"
    if series.resets:
        return f"another account since {to_date(series.resets[0]).isoformat()}"
    if any(value is None for value in series.returns):
        return "no money on some days"
    return None


def _return(span: Span, series: DailySeries, returns: Sequence[float], why: str | None) -> Estimate:
    is_bounded = series.base is not None and series.index and series.index[-1] is not None
    if not is_bounded or series.resets:
        return span.unknown(why or "no equity at the end of the window", n=len(returns))
    total = (series.index[-1] or 0.0) - 1
    interval = None if why else return_interval(returns)
    low, high = interval or (None, None)
    return span.estimate(total * 100, _pct(low), _pct(high), n=len(returns))


def _profit(inputs: RowInputs) -> dict[str, Any]:
    series = inputs.series
    names = ("pl", "realized_pl", "unrealized_pl", "fees", "dividends", "interest")
    if inputs.hides_money:
        hidden = Money(amount=None, reason="a control row has no money")
        return dict.fromkeys((*names, "net_flows", "total_pl"), hidden)
    is_known = series.base is not None and series.equity and series.equity[-1] is not None
    profit = series.pl[-1] if is_known else None
    why = None if is_known else "no equity at the start or the end of the window"
    rest: int | None = None
    if profit is not None and inputs.realized is not None:
        rest = profit - inputs.realized - inputs.fees - inputs.dividends - inputs.interest
    unknown_entry = "the entry price of a closed position is not known"
    no_fees = inputs.is_paper and not inputs.fees
    return {
        "pl": money(profit, why),
        "realized_pl": money(inputs.realized, unknown_entry),
        "unrealized_pl": money(rest, why or unknown_entry),
        "fees": Money(amount="0", reason="none on paper") if no_fees else money(inputs.fees),
        "dividends": money(inputs.dividends),
        "interest": money(inputs.interest),
        "net_flows": money(series.net_flows),
        "total_pl": _total(inputs),
    }


def _total(inputs: RowInputs) -> Money:
    equity = inputs.series.equity
    if inputs.initial_balance is None:
        return Money(amount=None, reason="no initial_balance is configured")
    if inputs.later_flows is None:
        return Money(amount=None, reason="deposits since the initial balance are not known")
    if not equity or equity[-1] is None:
        return Money(amount=None, reason="no equity at the end of the window")
    return money(equity[-1] - inputs.initial_balance - inputs.later_flows)


def _drawdown(inputs: RowInputs, why: str | None) -> Drawdown:
    if why is not None:
        return Drawdown(depth_pct=None, n=0, reason=why)
    return drawdown(inputs.series, inputs.base_day)


def _noise(span: Span, returns: Sequence[float], why: str | None) -> dict[str, Any]:
    """Volatility and Sharpe ratio."""
    n = len(returns)
    names = ("sharpe_daily", "sharpe_annual", "sharpe_probability")
    all_names = ("volatility_daily_pct", "volatility_annual_pct", *names)
    if why is None and n < MIN_DAYS:
        why = f"too few days: {n} of {MIN_DAYS}"
    if why is not None:
        return {**dict.fromkeys(all_names, span.unknown(why, n=n)), "sharpe_days_needed": None}
    deviation = moments(returns).deviation
    # Standard error of a deviation of n normal values.
    half = Z95 * deviation / (2 * (n - 1)) ** 0.5
    low, high = max(deviation - half, 0.0), deviation + half
    year = YEAR_DAYS**0.5
    early = f"from {MIN_ANNUAL_DAYS} days, {MIN_ANNUAL_DAYS - n} to go"
    is_long = n >= MIN_ANNUAL_DAYS
    found: dict[str, Any] = {
        "volatility_daily_pct": span.estimate(deviation * 100, low * 100, high * 100, n=n),
        "volatility_annual_pct": span.estimate(
            deviation * year * 100, low * year * 100, high * year * 100, n=n
        )
        if is_long
        else span.unknown(early, n=n),
    }
    ratio = sharpe_ratio(returns)
    if ratio is None:
        unknown = span.unknown("the returns do not vary", n=n)
        return {**found, **dict.fromkeys(names, unknown), "sharpe_days_needed": None}
    low, high = ratio.daily - Z95 * ratio.error, ratio.daily + Z95 * ratio.error
    return {
        **found,
        "sharpe_daily": span.estimate(ratio.daily, low, high, n=n),
        "sharpe_annual": span.estimate(ratio.daily * year, low * year, high * year, n=n)
        if is_long
        else span.unknown(early, n=n),
        "sharpe_probability": span.estimate(ratio.probability, n=n),
        "sharpe_days_needed": ratio.days_needed,
    }


def _trades(span: Span, inputs: RowInputs) -> dict[str, Any]:
    """Figures of round trips."""
    known = [trip.realized for trip in inputs.trips if trip.realized is not None]
    n = len(known)
    wins, losses = [g for g in known if g > 0], [g for g in known if g < 0]
    none_yet = "no closed trade in the window" if not inputs.trips else "no entry price is known"
    interval = wilson(len(wins), n)
    durations = [(trip.closed_us - trip.opened_us) / 1e6 for trip in inputs.trips]
    if losses:
        factor = span.estimate(sum(wins) / -sum(losses), n=n)
    else:
        factor = span.unknown("no loss yet" if n else none_yet, n=n)
    return {
        "win_rate_pct": span.unknown(none_yet, n=0)
        if interval is None
        else span.estimate(len(wins) / n * 100, interval[0] * 100, interval[1] * 100, n=n),
        "profit_factor": factor,
        "expectancy": _average(known, none_yet),
        "average_win": _average(wins, "no win yet"),
        "average_loss": _average(losses, "no loss yet"),
        "largest_win": money(max(wins, default=None), "no win yet"),
        "largest_loss": money(min(losses, default=None), "no loss yet"),
        "round_trips": len(inputs.trips),
        "open_trips": inputs.open_trips,
        "average_duration_s": round(sum(durations) / len(durations), 1) if durations else None,
    }


def _orders(span: Span, inputs: RowInputs) -> dict[str, Any]:
    """Figures of executed orders: how many, how large."""
    values: dict[object, int] = {}
    quantities: dict[object, int] = {}
    has_options = any(shares_of(fill.symbol) > 1 for fill in inputs.fills)
    for fill in inputs.fills:
        key = (fill.symbol, fill.order_id or fill.at_us)
        values[key] = values.get(key, 0) + fill.value
        if not has_options or fill.shares > 1:
            quantities[key] = quantities.get(key, 0) + abs(fill.qty)
    n, sizes = len(values), list(quantities.values())
    risk: Estimate
    if not n:
        risk = span.unknown("no executed order in the window", n=0)
    elif not inputs.initial_balance:
        risk = span.unknown("no initial_balance is configured", n=n)
    else:
        base = inputs.initial_balance / 100
        amounts = values.values()
        low, high = min(amounts) / base, max(amounts) / base
        risk = span.estimate(sum(amounts) / n / base, low, high, n=n)
    return {
        "orders": inputs.orders,
        "fills": len(inputs.fills),
        "trades_daily": span.estimate(n / span.days, n=span.days)
        if span.days and inputs.has_trades
        else span.unknown("a control row does not trade" if span.days else "no day"),
        "average_size": _average(list(values.values()), "no executed order in the window"),
        "contracts": Contracts(
            smallest=plain(min(sizes, default=None), QTY_SCALE),
            average=plain(sum(sizes) // len(sizes), QTY_SCALE) if sizes else None,
            largest=plain(max(sizes, default=None), QTY_SCALE),
            orders=len(sizes),
        ),
        "risk_of_initial_pct": risk,
    }


def _exposure(span: Span, inputs: RowInputs) -> dict[str, Any]:
    days = inputs.gross
    n = len(days)
    names = (
        "exposure_gross_pct",
        "exposure_net_pct",
        "utilization_initial_pct",
        "utilization_equity_pct",
    )
    equities = [e for e in inputs.series.equity if e is not None]
    average = sum(equities) / len(equities) if equities else 0.0
    traded = sum(fill.value for fill in inputs.fills)
    turnover = (
        span.measure(traded / average / len(equities) * 100)
        if average > 0 and not inputs.hides_money
        else span.unknown("no equity of its own")
    )
    if not n:
        why = "exposure is recorded while the daemon runs"
        return {**dict.fromkeys(names, span.unknown(why, n=0)), "turnover_daily_pct": turnover}
    gross = sum(day[0] for day in days) / n
    by_equity = [(g / e, net / e) for g, net, e in days if e > 0]
    if by_equity:
        gross_pct = span.estimate(sum(g for g, _ in by_equity) / len(by_equity) * 100, n=n)
        net_pct = span.estimate(sum(v for _, v in by_equity) / len(by_equity) * 100, n=n)
    else:
        gross_pct = net_pct = span.unknown("no equity", n=n)
    base = inputs.initial_balance
    return {
        "exposure_gross_pct": gross_pct,
        "exposure_net_pct": net_pct,
        "utilization_initial_pct": span.estimate(gross / base * 100, n=n)
        if base
        else span.unknown("no initial_balance is configured", n=n),
        "utilization_equity_pct": gross_pct,
        "turnover_daily_pct": turnover,
    }


def _average(amounts: Sequence[int], why: str) -> Money:
    if not amounts:
        return Money(amount=None, reason=why)
    total, n = sum(amounts), len(amounts)
    half = n // 2
    return money((total + half) // n if total >= 0 else -((-total + half) // n))


def _pct(value: float | None) -> float | None:
    return None if value is None else value * 100
