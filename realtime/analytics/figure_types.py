"""Types of the figures of a row."""

from collections.abc import Sequence

from msgspec import Struct

from realtime.analytics.closes import Exposure
from realtime.analytics.daily import DailySeries, Drawdown
from realtime.analytics.estimates import Estimate
from realtime.analytics.round_trips import Fill, RoundTrip
from realtime.history.exact import MONEY_SCALE, plain


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
    exposure: Exposure = Exposure()
    initial_balance: int | None = None
    later_flows: int | None = None
    """Deposits minus withdrawals since the initial balance."""
    orders: int = 0
    rejected: int = 0
    """In the last 24 hours."""
    errors: int = 0
    """The same: rejected orders, refused and failed requests, lost connections."""
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


def money(amount: int | None, reason: str | None = None) -> Money:
    """An amount of 10⁻⁴ as a document."""
    text = plain(amount, MONEY_SCALE)
    return Money(amount=text, reason=reason if text is None else None)
