"""Figures of 500 random histories against a slow reference of exact fractions.

The reference shares no code with the figures: fractions in place of floats and integers, one plain
loop for each definition.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random

import pytest

from realtime.analytics.daily import Flow, make_series
from realtime.analytics.figure_types import Figures, RowInputs
from realtime.analytics.figures import compute
from realtime.analytics.round_trips import Fill, round_trips

SEEDS = 500
UNIT = 10_000


class History:
    """One random history of an account: days, closes (10⁻⁴), flows, fills, fees."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        self.days = list(range(20_001, 20_001 + rng.randrange(2, 90)))
        equity = rng.randrange(1_000 * UNIT, 1_000_000 * UNIT)
        self.base = equity
        self.closes: dict[int, int] = {}
        self.flows: list[Flow] = []
        for day in self.days:
            flow = 0
            if rng.random() < 0.1:
                flow = rng.randrange(-equity // 4, equity)
                share = rng.choice([1.0, 0.5, 0.25])
                mark = None
                if rng.random() < 0.5:
                    mark = equity + rng.randrange(-equity // 50, equity // 50)
                self.flows.append(Flow(day=day, amount=flow, share=share, mark=mark))
            equity = max(equity + flow + round(equity * rng.gauss(0.0005, 0.012)), 100 * UNIT)
            if rng.random() > (0.02 if seed % 3 == 0 else 0.0):
                self.closes[day] = equity
        self.fees = -rng.randrange(0, 50 * UNIT)
        self.fills = self._fills(rng)

    def _fills(self, rng: Random) -> list[Fill]:
        fills: list[Fill] = []
        at = 0
        for day in self.days:
            for _ in range(rng.randrange(0, 4)):
                at += 1
                qty = rng.choice([-1, 1]) * rng.randrange(1, 300) * 10**7
                if rng.random() < 0.5:  # often back to flat
                    held = sum(fill.qty for fill in fills)
                    qty = -held or qty
                price = rng.randrange(10**9, 300 * 10**9)
                fills.append(Fill(at_us=at, day=day, symbol="A", qty=qty, price=price))
        return fills

    def figures(self) -> Figures:
        trading = round_trips(self.fills)
        realized: int | None = 0
        for gain in trading.realized.values():
            realized = None if realized is None or gain is None else realized + gain
        return compute(
            RowInputs(
                series=make_series(self.days, self.base, self.closes, self.flows),
                base_day=self.days[0] - 1,
                fills=self.fills,
                trips=trading.trips,
                realized=realized,
                fees=self.fees,
                initial_balance=self.base,
                later_flows=sum(flow.amount for flow in self.flows),
            )
        )


def reference_returns(history: History) -> tuple[list[Fraction | None], Fraction | None]:
    """The return of each day, None where it is not known, and the growth of all."""
    returns: list[Fraction | None] = []
    growth, previous, waiting, is_gap = Fraction(1), Fraction(history.base), list[Flow](), False
    for day in history.days:
        waiting += [flow for flow in history.flows if flow.day == day]
        if day not in history.closes:
            returns.append(None)
            is_gap = True
            continue
        close = Fraction(history.closes[day])
        if waiting and not is_gap and all(flow.mark is not None for flow in waiting):
            factor, start = Fraction(1), previous
            for flow in waiting:
                factor *= Fraction(flow.mark or 0) / start
                start = Fraction((flow.mark or 0) + flow.amount)
            factor *= close / start
        else:
            paid = sum(Fraction(flow.amount) for flow in waiting)
            weighted = sum(
                Fraction(flow.amount) * (1 if is_gap else Fraction(flow.share)) for flow in waiting
            )
            factor = 1 + (close - previous - paid) / (previous + weighted)
        growth *= factor
        returns.append(None if is_gap else factor - 1)
        previous, waiting, is_gap = close, [], False
    return returns, None if is_gap else growth


def reference_drawdown(returns: Sequence[Fraction]) -> Fraction:
    value = high = Fraction(1)
    depth = Fraction(0)
    for change in returns:
        value *= 1 + change
        high = max(high, value)
        depth = min(depth, value / high - 1)
    return depth


def reference_sharpe(returns: Sequence[Fraction]) -> Decimal | None:
    n = len(returns)
    mean = sum(returns, Fraction(0)) / n
    variance = sum(((r - mean) ** 2 for r in returns), Fraction(0)) / (n - 1)
    if not variance:
        return None
    exact = Decimal(variance.numerator) / Decimal(variance.denominator)
    return Decimal(mean.numerator) / Decimal(mean.denominator) / exact.sqrt()


def reference_trips(fills: Sequence[Fill]) -> list[Fraction]:
    """Profit of each round trip, by average cost in fractions of dollars."""
    trips: list[Fraction] = []
    qty, cost, gain = Fraction(0), Fraction(0), Fraction(0)
    for fill in fills:
        left, price = Fraction(fill.qty, 10**9), Fraction(fill.price, 10**9)
        if qty and (qty > 0) != (left > 0):
            closed = min(abs(left), abs(qty)) * (1 if qty > 0 else -1)
            part = cost * closed / qty
            gain += closed * price - part
            qty, cost, left = qty - closed, cost - part, left + closed
            if not qty:
                trips.append(gain)
                gain = Fraction(0)
        if left:
            qty, cost = qty + left, cost + left * price
    return trips


def check(seed: int) -> None:
    history = History(seed)
    figures = history.figures()
    returns, growth = reference_returns(history)
    if growth is None:
        assert figures.return_pct.value is None
    else:
        assert figures.return_pct.value == pytest.approx(float((growth - 1) * 100), rel=1e-9)
    is_whole = len(history.closes) == len(history.days)
    known = [r for r in returns if r is not None]
    if is_whole:
        depth = float(reference_drawdown(known) * 100)
        assert figures.max_drawdown.depth_pct == pytest.approx(depth, rel=1e-9, abs=1e-9)
        if len(known) >= 5 and (sharpe := reference_sharpe(known)) is not None:
            assert figures.sharpe_daily.value == pytest.approx(float(sharpe), rel=1e-9, abs=1e-9)
        assert (figures.sharpe_annual.value is None) == (len(known) < 60)
    else:
        assert figures.max_drawdown.depth_pct is None
        assert figures.sharpe_daily.value is None
    if history.days[-1] in history.closes:
        end, flows = history.closes[history.days[-1]], sum(f.amount for f in history.flows)
        profit = Fraction(end - history.base - flows, UNIT)
        assert Fraction(figures.pl.amount or "x") == profit
        assert Fraction(figures.total_pl.amount or "x") == profit
        parts = (figures.realized_pl, figures.unrealized_pl, figures.fees)
        assert sum(Fraction(part.amount or "x") for part in parts) == profit
    trips = reference_trips(history.fills)
    assert figures.round_trips == len(trips)
    wins = [t for t in trips if t >= Fraction(1, UNIT)]
    if trips:
        assert figures.win_rate_pct.value == pytest.approx(len(wins) / len(trips) * 100, rel=1e-9)
        total = Fraction(figures.expectancy.amount or "x") * len(trips)
        assert abs(total - sum(trips)) <= Fraction(len(trips) * len(history.fills), UNIT)


@pytest.mark.parametrize("seeds", [50, pytest.param(SEEDS, marks=pytest.mark.slow)])
def test_random_histories_agree_with_exact_fractions(seeds: int) -> None:
    with localcontext() as context:
        context.prec = 50
        for seed in range(seeds):
            check(seed)


def test_a_deposit_of_everything_at_the_start_of_a_day_changes_no_return() -> None:
    for seed in range(40):
        rng = Random(seed)
        returns = [rng.gauss(0.0005, 0.01) for _ in range(70)]
        days = list(range(1, 71))
        deposit_on = rng.randrange(2, 70)
        plain: dict[int, int] = {}
        doubled: dict[int, int] = {}
        value, factor = 10**12, 1
        flows: list[Flow] = []
        for day, change in zip(days, returns, strict=True):
            if day == deposit_on:
                flows = [Flow(day=day, amount=value)]
                factor = 2
            value = round(value * (1 + change))
            plain[day], doubled[day] = value, value * factor
        one = of(days, plain, ())
        two = of(days, doubled, flows)
        for name in ("return_pct", "volatility_daily_pct", "sharpe_daily", "sharpe_annual"):
            assert getattr(two, name).value == pytest.approx(getattr(one, name).value, rel=1e-9)
        assert two.max_drawdown == one.max_drawdown or two.max_drawdown.depth_pct == pytest.approx(
            one.max_drawdown.depth_pct, rel=1e-9
        )


def of(days: Sequence[int], closes: Mapping[int, int], flows: Sequence[Flow]) -> Figures:
    return compute(RowInputs(series=make_series(days, 10**12, closes, flows), base_day=0))
