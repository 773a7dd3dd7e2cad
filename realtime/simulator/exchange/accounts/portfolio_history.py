"""Portfolio history (GET /v2/account/portfolio/history), computed on request.

Nothing is sampled per account. Cash and quantities follow from the account's cash flows, prices
from the bounded history of one-minute samples. This response has JSON numbers: Decimals become
floats in the last step.
"""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal

import msgspec

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import ZERO, fraction
from realtime.simulator.exchange.errors import Document, malformed, unprocessable
from realtime.simulator.exchange.query_params import (
    parse_bool,
    parse_choice,
    parse_list,
    parse_time,
)
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.timestamps import DAY, MINUTE, SECOND, new_york_date
from realtime.simulator.exchange.venue.calendar import OPEN, instant
from realtime.simulator.exchange.venue.market_hours import CLOSED, EXTENDED, REGULAR

_TIMEFRAMES = {"1Min": MINUTE, "5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1H": 60 * MINUTE}
_TIMEFRAMES["1D"] = DAY
_UNITS = {"D": 1, "W": 7, "M": 30, "A": 365}
# Reporting → the sessions its points are of; the first is the default.
_PHASES = {
    "market_hours": frozenset({REGULAR}),
    "extended_hours": frozenset({REGULAR, EXTENDED}),
    "continuous": frozenset({REGULAR, EXTENDED, CLOSED}),
}
_PERIOD = re.compile(r"(\d{1,4})([DWMA])")
_MAX_INTRADAY = 30 * DAY
_FINE_BELOW = 7 * DAY
_DEFAULT_PERIOD = 30 * DAY

Samples = deque[tuple[int, dict[str, Decimal]]]


class Window(msgspec.Struct, frozen=True):
    """Requested time span, timeframe, and the sessions of its points."""

    start: int
    end: int
    timeframe: str
    phases: frozenset[str]

    @property
    def step(self) -> int:
        return _TIMEFRAMES[self.timeframe]


class PortfolioValue(msgspec.Struct, frozen=True):
    """Equity at a time, and the sum of deposits until then."""

    equity: Decimal
    deposits: Decimal


def portfolio_history(state: ExchangeState, account: Account, query: Mapping[str, str]) -> Document:
    """Return the history as parallel arrays, oldest first."""
    window = _read_window(state, query)
    resets = parse_choice(query, "pnl_reset", ("per_day", "no_reset")) == "per_day"
    times = list(_times(state, account, window))
    ends = [min(at + window.step, window.end) for at in times]
    closed_at = state.market.last_close(window.start)
    values = _portfolio_values(state, account, [closed_at, *ends])
    base = values[0]
    points = values[1:]
    bases = _daily_bases(times, points, base) if resets and window.step < DAY else None
    profits = [_profit(p, bases[n] if bases else base) for n, p in enumerate(points)]
    return {
        "timestamp": [at // SECOND for at in times],
        "equity": [float(point.equity) for point in points],
        "profit_loss": [float(profit) for profit in profits],
        "profit_loss_pct": [
            float(fraction(profit, (bases[n] if bases else base).equity))
            for n, profit in enumerate(profits)
        ],
        "base_value": float(base.equity),
        "base_value_asof": new_york_date(closed_at).isoformat(),
        "timeframe": window.timeframe,
        "cashflow": _cash_flows(account, query, ends),
    }


def _read_window(state: ExchangeState, query: Mapping[str, str]) -> Window:
    start, end = _read_span(query, state.now())
    timeframe = _read_timeframe(query, end - start)
    requested = parse_choice(query, "intraday_reporting", tuple(_PHASES))
    if parse_bool(query, "extended_hours") and not query.get("intraday_reporting"):
        requested = "extended_hours"
    if timeframe != "1D" and requested != "continuous":
        extended = requested == "extended_hours"
        start = min(state.market.session_start(start, extended=extended), end)
    return Window(start, end, timeframe, _PHASES[requested])


def _read_span(query: Mapping[str, str], now: int) -> tuple[int, int]:
    start, end = parse_time(query, "start"), parse_time(query, "end")
    if end is None and query.get("date_end"):
        end = parse_time(query, "date_end")
        end = None if end is None else end + DAY
    period = _read_period(query.get("period", ""))
    if start is not None and end is not None and period is not None:
        raise malformed("only two of start, end and period can be specified")
    length = period or _DEFAULT_PERIOD
    if end is None:
        end = min(start + period, now) if start is not None and period is not None else now
    end = min(end, now)
    start = end - length if start is None else start
    if start > end:
        raise malformed("start must be before end")
    return start, end


def _read_period(text: str) -> int | None:
    if not text:
        return None
    match = _PERIOD.fullmatch(text)
    if match is None or not int(match[1]):
        raise malformed(f"invalid period: {text[:40]}")
    return int(match[1]) * _UNITS[match[2]] * DAY


def _read_timeframe(query: Mapping[str, str], length: int) -> str:
    text = query.get("timeframe", "")
    if not text:
        if length < _FINE_BELOW:
            return "1Min"
        return "15Min" if length < _MAX_INTRADAY else "1D"
    if text not in _TIMEFRAMES:
        raise malformed(f"invalid timeframe: {text[:40]}")
    if text != "1D" and length > _MAX_INTRADAY:
        raise unprocessable("timeframes below 1D can only be queried for 30 days or less")
    return text


def _times(state: ExchangeState, account: Account, window: Window) -> Iterator[int]:
    """Yield the left edges of the points, none before the account was opened."""
    start = max(window.start, account.created_at)
    if window.timeframe == "1D":
        yield from _openings(state, start, window.end)
        return
    at = start // window.step * window.step
    while at < window.end:
        if state.market.phase(at) in window.phases:
            yield at
        at += window.step


def _openings(state: ExchangeState, start: int, end: int) -> Iterator[int]:
    """Yield the opening of each day; midnight in modes without a close."""
    opening = time() if state.market.never_closes else OPEN
    day: date = new_york_date(start)
    while day <= new_york_date(end):
        if state.market.has_session(day):
            at = instant(day, opening)
            if at < end:
                yield at
        day += timedelta(days=1)


def _portfolio_values(
    state: ExchangeState, account: Account, times: list[int]
) -> list[PortfolioValue]:
    """Return the portfolio value at each time; times must increase."""
    cash, deposits = account.spec.cash, ZERO
    held: dict[str, Decimal] = {}
    cash_flows = iter(account.cash_flows)
    flow = next(cash_flows, None)
    result = []
    for at in times:
        while flow is not None and flow.at <= at:
            cash += flow.cash
            deposits += flow.cash if flow.is_deposit else ZERO
            if flow.symbol:
                held[flow.symbol] = held.get(flow.symbol, ZERO) + flow.qty
            flow = next(cash_flows, None)
        result.append(PortfolioValue(cash + _value(state, held, at), deposits))
    return result


def _value(state: ExchangeState, held: Mapping[str, Decimal], at: int) -> Decimal:
    if not any(held.values()):
        return ZERO  # a year of points of a flat account costs no look at prices
    prices = _prices_at(state, at)
    listing = state.listing.by_symbol
    return sum(
        (qty * prices[name] * listing[name].multiplier for name, qty in held.items() if qty),
        ZERO,
    )


def _prices_at(state: ExchangeState, at: int) -> Mapping[str, Decimal]:
    """Return the latest prices known at a time."""
    if at >= state.now() - MINUTE:
        return state.prices.last
    closes = state.prices.closes
    ended = bisect_right(closes, at, key=lambda sample: sample[0])
    if ended and closes[ended - 1][0] == at:
        return closes[ended - 1][1]
    return (
        _latest(state.prices.minutes, at)
        or _latest(closes, at)
        or (state.prices.minutes[0][1] if state.prices.minutes else state.prices.last)
    )


def _latest(samples: Samples, at: int) -> Mapping[str, Decimal] | None:
    number = bisect_right(samples, at, key=lambda sample: sample[0])
    return samples[number - 1][1] if number else None


def _daily_bases(
    times: list[int], points: list[PortfolioValue], first: PortfolioValue
) -> list[PortfolioValue]:
    """Return for each point the value at the end of the day before."""
    bases: list[PortfolioValue] = []
    base, day = first, None
    for number, at in enumerate(times):
        today = new_york_date(at)
        if day is not None and today != day:
            base = points[number - 1]
        day = today
        bases.append(base)
    return bases


def _profit(value: PortfolioValue, base: PortfolioValue) -> Decimal:
    """Return the profit since the base, without deposits."""
    return value.equity - base.equity - (value.deposits - base.deposits)


def _cash_flows(
    account: Account, query: Mapping[str, str], ends: list[int]
) -> dict[str, list[float]]:
    """Return activity type → sum of cash until the end of each point."""
    requested = {word.upper() for word in parse_list(query, "cashflow_types")} - {"NONE"}
    result: dict[str, list[float]] = {}
    for entry in account.activity_log.entries:
        amount = entry.facts.get("net_amount")
        if amount is None or not ({"ALL", entry.type} & requested):
            continue
        sums = result.setdefault(entry.type, [0.0] * len(ends))
        for number, end in enumerate(ends):
            if entry.at <= end:
                sums[number] += float(amount)
    return result
