"""Figures of round trips, orders and exposure."""

from collections.abc import Sequence
from operator import truediv
from typing import Any

from realtime.analytics.estimates import Estimate, Span
from realtime.analytics.figure_types import Contracts, Money, RowInputs, money
from realtime.history.exact import QTY_SCALE, plain
from realtime.history.realized import shares_of


def trade_figures(span: Span, inputs: RowInputs) -> dict[str, Any]:
    """Figures of round trips."""
    known = [trip.realized for trip in inputs.trips if trip.realized is not None]
    n = len(known)
    wins, losses = [g for g in known if g > 0], [g for g in known if g < 0]
    none_yet = "no closed trade in the window" if not inputs.trips else "no entry price is known"
    durations = [(trip.closed_us - trip.opened_us) / 1e6 for trip in inputs.trips]
    if losses:
        factor = span.estimate(sum(wins) / -sum(losses), n=n)
    else:
        factor = span.unknown("no loss yet" if n else none_yet, n=n)
    return {
        "win_rate_pct": span.share(len(wins), n, none_yet),
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


def order_figures(span: Span, inputs: RowInputs) -> dict[str, Any]:
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


def exposure_figures(span: Span, inputs: RowInputs) -> dict[str, Any]:
    exposure = inputs.exposure
    n = len(exposure.gross)
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
    gross = sum(exposure.gross) / n
    if min(exposure.equity) > 0:
        by_equity = sum(map(truediv, exposure.gross, exposure.equity)) / n
        net_by_equity = sum(map(truediv, exposure.net, exposure.equity)) / n
        gross_pct = span.estimate(by_equity * 100, n=n)
        net_pct = span.estimate(net_by_equity * 100, n=n)
    else:
        gross_pct = net_pct = span.unknown("no equity on some days", n=n)
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
