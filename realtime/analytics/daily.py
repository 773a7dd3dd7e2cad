"""Equity by trading day as returns without deposits: time-weighted, with gaps kept as gaps.

Money is an integer of 10⁻⁴. The return of a day is what the money made that was there: a deposit
divides the day where the equity just before it is known; otherwise it counts for the part of the
day that it was there (Modified Dietz), and from the start of the day if only its date is known.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import accumulate
from operator import mul, sub, truediv

from msgspec import Struct, field

from realtime.core.trading_days import to_date

DAY_US = 86_400 * 1_000_000
CENT = 100
"""Money that is less is nothing: a return on it has no meaning."""


class Flow(Struct, frozen=True, kw_only=True, gc=False):
    """Money that came in or went out (negative) on a trading day."""

    day: int
    amount: int
    share: float = 1.0
    """The part of the day that it was there."""
    mark: int | None = None
    """Equity just before it; None: not known."""


class DailySeries(Struct, frozen=True, kw_only=True):
    """One row's trading days. A day that is not known is None everywhere."""

    days: Sequence[int]
    base: int | None
    """Equity at the close before the first day."""
    equity: Sequence[int | None]
    returns: Sequence[float | None]
    """Of single days; None after a gap too, for that one spans more than a day."""
    index: Sequence[float | None]
    """Growth of 1.0 since the start; continues across a gap."""
    pl: Sequence[int | None]
    """Profit since the start, without flows."""
    net_flows: int = 0
    missing: Sequence[int] = ()
    """Days without a known close."""
    resets: Sequence[int] = ()
    """Days on which another account took the place: they have no return."""
    broke: Sequence[int] = ()
    """Days that began without money: what they made is no part of anything."""

    @property
    def is_complete(self) -> bool:
        """Whether the start and every day are known."""
        return self.base is not None and not self.missing and not self.resets


class Drawdown(Struct, frozen=True, kw_only=True):
    """The largest fall from a high, which begins at the starting balance. Dates are ISO."""

    depth_pct: float | None
    peak: str | None = None
    trough: str | None = None
    recovered: str | None = None
    """None: not yet."""
    trading_days: int = 0
    """From the peak to the recovery, or to the end."""
    source: str = "daily closes"
    n: int
    since: str | None = field(default=None, name="from")
    until: str | None = field(default=None, name="to")
    reason: str | None = None


def make_series(
    days: Sequence[int],
    base: int | None,
    closes: Mapping[int, int],
    flows: Sequence[Flow] = (),
    *,
    resets: Collection[int] = (),
) -> DailySeries:
    """The series of these days; `base` is the equity before the first, None where not known."""
    if base is not None and base >= CENT and not flows and not resets:
        known = [close for day in days if (close := closes.get(day)) is not None]
        if len(known) == len(days) and min(known, default=CENT) >= CENT:
            return _whole_series(days, base, known)
    by_day: dict[int, list[Flow]] = {}
    for flow in flows:
        by_day.setdefault(flow.day, []).append(flow)
    growth, profit = 1.0, 0
    previous, waiting, is_gap = base, list[Flow](), base is None
    equity: list[int | None] = []
    returns: list[float | None] = []
    index: list[float | None] = []
    pl: list[int | None] = []
    missing: list[int] = []
    broke: list[int] = []
    for day in days:
        waiting += by_day.get(day, ())
        close = closes.get(day)
        if close is None:
            missing.append(day)
            is_gap = True
            for values in (equity, returns, index, pl):
                values.append(None)
            continue
        day_return = None
        if previous is not None and day not in resets:
            day_return = _day_return(previous, close, waiting, is_gap=is_gap)
            if day_return is None:
                broke.append(day)
            profit += close - previous - sum(flow.amount for flow in waiting)
            growth *= 1 + (day_return or 0.0)
        equity.append(close)
        returns.append(None if is_gap else day_return)
        index.append(growth)
        pl.append(profit)
        previous, waiting, is_gap = close, [], False
    return DailySeries(
        days=days,
        base=base,
        equity=equity,
        returns=returns,
        index=index,
        pl=pl,
        net_flows=sum(flow.amount for flow in flows),
        missing=missing,
        resets=sorted(day for day in resets if day in closes),
        broke=broke,
    )


def _whole_series(days: Sequence[int], base: int, equity: list[int]) -> DailySeries:
    """A series without flows, gaps and resets: the same arithmetic, column by column."""
    before = [base, *equity[:-1]]
    returns = list(map(truediv, map(sub, equity, before), before))
    return DailySeries(
        days=days,
        base=base,
        equity=equity,
        returns=returns,
        index=list(accumulate([1 + change for change in returns], mul)),
        pl=[close - base for close in equity],
    )


def _day_return(start: int, end: int, flows: Sequence[Flow], *, is_gap: bool) -> float | None:
    """The return of one day, or over a gap; None where there was no money to make it."""
    if flows and not is_gap and all(flow.mark is not None for flow in flows):
        growth = 1.0
        for flow in flows:
            assert flow.mark is not None
            if start >= CENT:
                growth *= flow.mark / start
            elif abs(flow.mark) >= CENT:
                return None
            start = flow.mark + flow.amount
        return growth * end / start - 1 if start >= CENT else None
    amount = sum(flow.amount for flow in flows)
    shares = (1.0 if is_gap else flow.share for flow in flows)
    money = start + sum(flow.amount * share for flow, share in zip(flows, shares, strict=True))
    return (end - start - amount) / money if money >= CENT else None


def drawdown(series: DailySeries, base_day: int) -> Drawdown:
    """The deepest fall of the index from its high so far."""
    if not series.days:
        return Drawdown(depth_pct=None, n=0, reason="no day")
    since, until = to_date(series.days[0]).isoformat(), to_date(series.days[-1]).isoformat()
    high, high_day = 1.0, base_day
    depth, peak, trough = 0.0, base_day, base_day
    recovered: int | None = None
    is_open = False
    count = 0
    for day, value in zip(series.days, series.index, strict=True):
        if value is None:
            continue
        count += 1
        if value >= high:
            if is_open:
                recovered, is_open = day, False
            high, high_day = value, day
        elif (fall := value / high - 1) < depth:
            depth, peak, trough, recovered, is_open = fall, high_day, day, None, True
    if not depth:
        return Drawdown(depth_pct=0.0, n=count, since=since, until=until)
    end = recovered if recovered is not None else series.days[-1]
    return Drawdown(
        depth_pct=float(f"{depth * 100:.12g}"),
        peak=to_date(peak).isoformat(),
        trough=to_date(trough).isoformat(),
        recovered=None if recovered is None else to_date(recovered).isoformat(),
        trading_days=sum(peak < day <= end for day in series.days),
        n=count,
        since=since,
        until=until,
    )


def drawdown_curve(index: Sequence[float | None]) -> list[float | None]:
    """The fall of each day from the high so far, in per cent."""
    high = 1.0
    falls: list[float | None] = []
    for value in index:
        if value is None:
            falls.append(None)
            continue
        high = max(high, value)
        falls.append(round((value / high - 1) * 100, 6))
    return falls
