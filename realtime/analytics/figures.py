"""The figures of one row: an account, a group of accounts, a book, or a control row.

Every estimate has its interval, its number of observations and its days. What is not known is None
with a reason, never 0 or infinity. Money is computed as integers of 10⁻⁴ and written as decimals.
"""

from typing import Any

from realtime.analytics.daily import DailySeries, Drawdown, drawdown
from realtime.analytics.estimates import (
    MIN_ANNUAL_DAYS,
    MIN_DAYS,
    YEAR_DAYS,
    DailyReturns,
    Estimate,
    Span,
    daily_returns,
    sharpe_ratio,
)
from realtime.analytics.figure_types import Figures, Money, RowInputs, money
from realtime.analytics.trade_figures import exposure_figures, order_figures, trade_figures
from realtime.core.trading_days import to_date

Z95 = 1.959963984540054


def compute(inputs: RowInputs, returns: DailyReturns | None = None) -> Figures:
    """The figures of a row; `returns` are those of its series, where they are known already."""
    # Any in the parts: they are fields of `Figures`.
    series = inputs.series
    span = _span(series)
    known = daily_returns(series.returns) if returns is None else returns
    why = _why_incomplete(series)
    return Figures(
        return_pct=_return(span, series, known, why),
        **_profit(inputs),
        max_drawdown=_drawdown(inputs, why),
        **_noise(span, known, why),
        **trade_figures(span, inputs),
        **order_figures(span, inputs),
        **exposure_figures(span, inputs),
        rejected_24h=inputs.rejected,
        errors_24h=inputs.errors,
    )


def _span(series: DailySeries) -> Span:
    days = series.days
    if not days:
        return Span(None, None, 0)
    count = len(series.equity) - list(series.equity).count(None)
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
    if series.broke:
        return f"no money on {to_date(series.broke[0]).isoformat()}"
    return None


def _return(span: Span, series: DailySeries, returns: DailyReturns, why: str | None) -> Estimate:
    n = len(returns.values)
    is_bounded = series.base is not None and series.index and series.index[-1] is not None
    if not is_bounded or series.resets or series.broke:
        return span.unknown(why or "no equity at the end of the window", n=n)
    total = (series.index[-1] or 0.0) - 1
    low, high = (None, None) if why or returns.logs is None else returns.logs.interval()
    return span.estimate(total * 100, _pct(low), _pct(high), n=n)


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


def _noise(span: Span, returns: DailyReturns, why: str | None) -> dict[str, Any]:
    """Volatility and Sharpe ratio."""
    n, moments = len(returns.values), returns.moments
    names = ("sharpe_daily", "sharpe_annual", "sharpe_probability")
    all_names = ("volatility_daily_pct", "volatility_annual_pct", *names)
    if why is None and n < MIN_DAYS:
        why = f"too few days: {n} of {MIN_DAYS}"
    if why is not None or moments is None:
        why = why or "too few days"
        return {**dict.fromkeys(all_names, span.unknown(why, n=n)), "sharpe_days_needed": None}
    deviation = moments.deviation
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
    ratio = sharpe_ratio(moments)
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


def _pct(value: float | None) -> float | None:
    return None if value is None else value * 100
