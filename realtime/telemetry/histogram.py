"""Histograms with fixed bounds, cheap enough for every request, and recent percentiles.

They depend on no library: the store, the HTTP server and the loop monitor keep theirs, `/metrics`
exposes them, and recent values are the difference of two readings.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

from msgspec import Struct

MAX_READINGS = 6
"""Readings that are kept; percentiles cover the time since the oldest."""


class Histogram:
    """Counts by upper bound, as in Prometheus: a value equal to a bound is below it."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        """One for each bound, not cumulative, and one for values above all bounds."""
        self.total = 0.0
        """Sum of all values."""

    def observe(self, figure: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, figure)] += 1
        self.total += figure


class RecentPercentiles(Struct, frozen=True, kw_only=True):
    """Rate and percentiles of the last minute."""

    per_s: float
    p50_ms: float | None
    """Null: there were none."""
    p95_ms: float | None
    p99_ms: float | None


class RecentWindow:
    """Recent readings of several histograms with the same bounds in seconds, combined."""

    def __init__(self, histograms: Sequence[Histogram], now: float) -> None:
        self._histograms = histograms
        self._looks: deque[tuple[float, list[int]]] = deque(maxlen=MAX_READINGS)
        self._looks.append((now, self._counts()))
        self.recent: RecentPercentiles | None = None
        """As of the last update; None before the first."""

    def update(self, now: float) -> None:
        """Read again; `now` is the loop's time in seconds."""
        counts = self._counts()
        then, before = self._looks[0]
        self._looks.append((now, counts))
        if now > then:
            risen = [b - a for a, b in zip(before, counts, strict=True)]
            self.recent = _lately(self._histograms[0].bounds, risen, now - then)

    def _counts(self) -> list[int]:
        return [sum(each) for each in zip(*(h.counts for h in self._histograms), strict=True)]


def _lately(bounds: Sequence[float], counts: Sequence[int], took_s: float) -> RecentPercentiles:
    p50, p95, p99 = (quantile(bounds, counts, share) for share in (0.5, 0.95, 0.99))
    return RecentPercentiles(
        per_s=round(sum(counts) / took_s, 1),
        p50_ms=to_ms(p50),
        p95_ms=to_ms(p95),
        p99_ms=to_ms(p99),
    )


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """The figure that this share lies below, taken as even between two bounds; None without any.

    What lies above the last bound counts as that bound: it is that or more.
    """
    wanted = share * sum(counts)
    if not wanted:
        return None
    below = 0
    for at, bound in enumerate(bounds):
        if below + counts[at] >= wanted:
            start = bounds[at - 1] if at else 0.0
            return start + (bound - start) * (wanted - below) / counts[at]
        below += counts[at]
    return bounds[-1]


def to_ms(seconds: float | None) -> float | None:
    """Milliseconds with three digits."""
    return None if seconds is None else float(f"{seconds * 1000:.3g}")
