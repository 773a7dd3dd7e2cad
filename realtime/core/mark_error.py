"""How far marked equity is from the broker's own, measured at each read.

The broker's equity has no timestamp: it is of some moment while the read was under way. So it is
compared with every mark of that time, and the smallest difference is the error; the difference from
the last of them is the naive error.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import comb
from typing import Literal

from msgspec import Struct

from realtime.core.decimals import ZERO

MAX_ERRORS = 100
"""Reads over which percentiles are computed."""

BASIS_POINTS = Decimal(10_000)


PricesFrom = Literal["stream", "rest", "mixed", "none"]
"""Where the prices of an account's positions came from; `none`: it has no positions."""


class MarkError(Struct, frozen=True, kw_only=True, gc=False):
    """Difference of one read: ours minus the broker's, in dollars; `equity` is the broker's."""

    error: Decimal
    naive: Decimal
    equity: Decimal
    prices_from: PricesFrom = "none"

    @property
    def basis_points(self) -> Decimal:
        """Hundredths of a per cent of equity, without sign; zero without equity."""
        return abs(self.error) / abs(self.equity) * BASIS_POINTS if self.equity else ZERO


class ErrorSummary(Struct, frozen=True, kw_only=True):
    """Percentiles of the absolute errors of the last reads. `p95` is an upper bound of it: fewer
    reads do not make a mark look better."""

    reads: int
    p50: Decimal
    p95: Decimal
    max: Decimal
    p50_bps: Decimal
    p95_bps: Decimal
    max_bps: Decimal
    last: Decimal
    """With its sign."""


class ErrorWindow:
    """The errors of the last `MAX_ERRORS` reads of one account, or of one kind of price."""

    def __init__(self) -> None:
        self._errors: deque[MarkError] = deque(maxlen=MAX_ERRORS)

    def add(self, error: MarkError) -> None:
        """Add the error of a read."""
        self._errors.append(error)

    @property
    def summary(self) -> ErrorSummary | None:
        """None before the first read."""
        if not self._errors:
            return None
        amounts = sorted(abs(e.error) for e in self._errors)
        points = sorted(e.basis_points for e in self._errors)
        return ErrorSummary(
            reads=len(amounts),
            p50=percentile(amounts, 50),
            p95=upper_p95(amounts),
            max=amounts[-1],
            p50_bps=percentile(points, 50),
            p95_bps=upper_p95(points),
            max_bps=points[-1],
            last=self._errors[-1].error,
        )


def measure(
    marks: Iterable[Decimal], equity: Decimal, prices_from: PricesFrom = "none"
) -> MarkError | None:
    """The error of the marks that were current during a read, oldest first; None without any."""
    errors = [mark - equity for mark in marks]
    if not errors:
        return None
    return MarkError(
        error=min(errors, key=abs), naive=errors[-1], equity=equity, prices_from=prices_from
    )


def percentile(values: Sequence[Decimal], percent: int) -> Decimal:
    """The smallest of sorted values that is at least as large as so many per cent of them."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def upper_p95(values: Sequence[Decimal]) -> Decimal:
    """The smallest of sorted values that 95 of 100 further ones stay below, with a confidence of
    90 %: the largest, if there are fewer than 45."""
    return values[_UPPER_RANKS[min(len(values), MAX_ERRORS)] - 1]


def _upper_rank(count: int) -> int:
    """The rank that bounds the 95th percentile of so many values (distribution-free: the number of
    values below it is binomial)."""
    below = 0.0
    for rank in range(count):
        below += comb(count, rank) * 0.95**rank * 0.05 ** (count - rank)
        if below >= CONFIDENCE:
            return rank + 1
    return count


CONFIDENCE = 0.9
_UPPER_RANKS = tuple(_upper_rank(count) for count in range(MAX_ERRORS + 1))
