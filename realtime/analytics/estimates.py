"""Estimates and their uncertainty: Student's t, Wilson, Sharpe ratio, how many days are needed.

Nothing here is annualised below `MIN_ANNUAL_DAYS`. What cannot be computed is None, with a reason.

Sources: Lo, "The Statistics of Sharpe Ratios" (2002); Bailey and López de Prado, "The Sharpe Ratio
Efficient Frontier" (2012) for the probability and the minimum length; Newey and West (1987).
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul
from statistics import NormalDist, fmean

from msgspec import Struct, field

LEVEL = 0.95
MIN_DAYS = 5
"""With fewer days there are curves only."""

MIN_FREEDOM = 2
"""Degrees of freedom of the shortest comparisons: a wide interval, and not none."""

MIN_ANNUAL_DAYS = 60
YEAR_DAYS = 252
"""Trading days; flat days count."""

MAX_DAYS_NEEDED = 10 * YEAR_DAYS
"""More is not said: nothing stays the same for that long."""

_NORMAL = NormalDist()
_ZERO_NOISE = 1e-12


class Estimate(Struct, frozen=True, kw_only=True):
    """A figure with its interval, the number of observations and the days they are of.

    `low` and `high` are None where the figure is measured and not estimated, or unknown. `reason`
    says why a value is None.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int
    since: str | None = field(name="from")
    until: str | None = field(name="to")
    reason: str | None = None


class Span(Struct, frozen=True):
    """The days that figures are of: first, last (ISO dates) and how many."""

    since: str | None
    until: str | None
    days: int

    def measure(self, value: float | None, reason: str | None = None) -> Estimate:
        """A figure that is measured; None needs a reason."""
        return self.estimate(value, n=self.days, reason=reason)

    def estimate(
        self,
        value: float | None,
        low: float | None = None,
        high: float | None = None,
        *,
        n: int,
        reason: str | None = None,
    ) -> Estimate:
        """A figure of these days."""
        return Estimate(
            value=_rounded(value),
            low=_rounded(low),
            high=_rounded(high),
            n=n,
            since=self.since,
            until=self.until,
            reason=reason if value is None else None,
        )

    def unknown(self, reason: str, *, n: int | None = None) -> Estimate:
        """A figure that is not known."""
        return self.estimate(None, n=self.days if n is None else n, reason=reason)

    def share(self, successes: int, n: int, reason: str) -> Estimate:
        """A share in per cent with its interval; of nothing it is not known, for a reason."""
        interval = wilson(successes, n)
        if interval is None:
            return self.unknown(reason, n=0)
        low, high = interval
        return self.estimate(successes / n * 100, low * 100, high * 100, n=n)


class Moments(Struct, frozen=True):
    """Mean, sample deviation (n − 1), skewness, kurtosis (3 for a normal one) of daily figures."""

    n: int
    mean: float
    deviation: float
    skewness: float
    kurtosis: float


def moments(values: Sequence[float]) -> Moments:
    """The moments of at least two values."""
    n = len(values)
    mean = fmean(values)
    centred = [value - mean for value in values]
    squares = list(map(mul, centred, centred))
    second = sum(squares)
    deviation = math.sqrt(second / (n - 1))
    if second / n <= _ZERO_NOISE**2:
        return Moments(n, mean, 0.0, 0.0, 3.0)
    variance = second / n
    third = sum(map(mul, squares, centred)) / n
    fourth = sum(map(mul, squares, squares)) / n
    return Moments(n, mean, deviation, third / variance**1.5, fourth / variance**2)


class LogReturns(Struct, frozen=True):
    """Mean and sample deviation of the logarithms of daily growth."""

    n: int
    mean: float
    deviation: float

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Between which total returns the truth lies, if days like these were drawn again.

        Student's t: the interval contains the total return itself.
        """
        half = student_quantile((1 + level) / 2, self.n - 1) * self.deviation * math.sqrt(self.n)
        middle = self.n * self.mean
        return math.expm1(min(middle - half, 700.0)), math.expm1(min(middle + half, 700.0))

    def is_not_zero(self, rows: int, level: float = LEVEL) -> bool:
        """Whether the mean differs from zero, allowing for the number of rows compared."""
        low, high = self.interval(level ** (1 / max(rows, 1)))
        return not low <= 0 <= high


def log_returns(returns: Sequence[float]) -> LogReturns | None:
    """The logarithms of daily growth; None with too few days, or after a total loss."""
    if len(returns) < MIN_DAYS or min(returns) <= -1:
        return None
    logs = list(map(math.log1p, returns))
    mean = fmean(logs)
    centred = [value - mean for value in logs]
    second = sum(map(mul, centred, centred))
    return LogReturns(len(logs), mean, math.sqrt(second / (len(logs) - 1)))


class DailyReturns(Struct, frozen=True):
    """The returns of days that are known, and their statistics, computed once."""

    values: Sequence[float]
    moments: Moments | None
    """None with too few days."""
    logs: LogReturns | None


def daily_returns(values: Sequence[float | None]) -> DailyReturns:
    """Statistics of these days; None is a day that is not known."""
    known: Sequence[float] = [value for value in values if value is not None]
    return DailyReturns(
        known, moments(known) if len(known) >= MIN_DAYS else None, log_returns(known)
    )


class SharpeRatio(Struct, frozen=True):
    """A Sharpe ratio by the day, its standard error, and the probability that it is above zero."""

    daily: float
    error: float
    probability: float
    days_needed: int | None
    """Further days until it would be above zero at 95 %, one-sided; None: not within ten years."""


def sharpe_ratio(found: Moments) -> SharpeRatio | None:
    """The Sharpe ratio of daily returns, without a risk-free rate. None without noise."""
    if found.deviation <= _ZERO_NOISE:
        return None
    ratio, n = found.mean / found.deviation, found.n
    spread = 1 - found.skewness * ratio + (found.kurtosis - 1) / 4 * ratio**2
    if spread <= 0:
        return None
    probability = _NORMAL.cdf(ratio * math.sqrt((n - 1) / spread))
    z = _NORMAL.inv_cdf(LEVEL)
    length = math.inf if ratio <= 0 else 1 + spread * (z / ratio) ** 2
    needed = None if length > MAX_DAYS_NEEDED else max(0, math.ceil(length) - n)
    return SharpeRatio(ratio, math.sqrt(spread / (n - 1)), probability, needed)


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float] | None:
    """The interval of a share; None of nothing."""
    if not n:
        return None
    z = _NORMAL.inv_cdf((1 + level) / 2)
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


class Difference(Struct, frozen=True):
    """A paired comparison: mean daily difference, its t value and the t that would be needed."""

    n: int
    mean: float
    error: float
    t: float
    critical: float
    is_distinguishable: bool
    days_needed: int | None
    """Further days until this difference would be distinguishable from noise; 0 if it is, None: not
    within ten years."""


def paired_difference(
    left: Sequence[float], right: Sequence[float], comparisons: int, level: float = LEVEL
) -> Difference | None:
    """Whether two series of daily figures of the same days differ, allowing for the number of
    comparisons. None with too few days.

    The error is the larger of the plain one and that of Newey and West, which allows for days that
    depend on those before.
    """
    n = len(left)
    if n < MIN_DAYS:
        return None
    values = [a - b for a, b in zip(left, right, strict=True)]
    mean = fmean(values)
    error = math.sqrt(_long_run_variance(values, mean) / n)
    # The covariances of the lags come from the same few days. Measured with six rows of noise and
    # 4,000 seeds of 20 days: 2.3 % wrong at the level 95 % (with n − 1 degrees: 3.5 %).
    freedom = max(n - 2 - 2 * _lags(n), MIN_FREEDOM)
    critical = student_quantile(1 - _per_comparison(level, comparisons) / 2, freedom)
    if error <= _ZERO_NOISE:
        same = abs(mean) <= _ZERO_NOISE
        t = 0.0 if same else math.copysign(math.inf, mean)
        return Difference(n, mean, error, t, critical, not same, None if same else 0)
    t = mean / error
    if abs(t) > critical:
        return Difference(n, mean, error, t, critical, True, 0)
    length = math.inf if not t else n * (critical / t) ** 2
    needed = None if length > MAX_DAYS_NEEDED else math.ceil(length) - n
    return Difference(n, mean, error, t, critical, False, needed and max(needed, 1))


def _per_comparison(level: float, comparisons: int) -> float:
    """The error allowed in one of several comparisons (Šidák)."""
    return float(1 - level ** (1 / max(comparisons, 1)))


def _lags(n: int) -> int:
    """How many days before a day it may depend on (Newey and West's rule)."""
    return int(4 * (n / 100) ** (2 / 9))


def _long_run_variance(values: Sequence[float], mean: float) -> float:
    n = len(values)
    centred = [v - mean for v in values]
    plain = math.fsum(v * v for v in centred) / (n - 1)
    lags = _lags(n)
    total = math.fsum(v * v for v in centred) / n
    for lag in range(1, lags + 1):
        covariance = math.fsum(centred[i] * centred[i - lag] for i in range(lag, n)) / n
        total += 2 * (1 - lag / (lags + 1)) * covariance
    return max(plain, total)


@lru_cache(maxsize=4096)
def student_quantile(probability: float, freedom: int) -> float:
    """The value below which Student's t stays with a probability above one half."""
    low, high = 0.0, 2.0
    while student_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if student_cdf(middle, freedom) < probability:
            low = middle
        else:
            high = middle
        if high - low <= 1e-12 * high:
            break
    return (low + high) / 2


def student_cdf(t: float, freedom: int) -> float:
    """The probability that Student's t is below `t`, which is not negative."""
    x = freedom / (freedom + t * t)
    return 1 - _incomplete_beta(freedom / 2, 0.5, x) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (Lentz)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _beta_fraction(b, a, 1 - x) / b
    return front * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for numerator in (even, odd):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + numerator / c
            c = c if abs(c) > tiny else tiny
            result *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return result


def _rounded(value: float | None) -> float | None:
    """Twelve significant digits: the rest is noise of the arithmetic. None if it is infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.12g}")
