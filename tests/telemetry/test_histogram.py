import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.telemetry.histogram import Histogram, RecentPercentiles, RecentWindow, quantile

BOUNDS = (0.001, 0.01, 0.1)


def noted(*figures: float) -> Histogram:
    histogram = Histogram(BOUNDS)
    for figure in figures:
        histogram.observe(figure)
    return histogram


def test_a_figure_equal_to_a_bound_is_below_it() -> None:
    assert noted(0.0, 0.001, 0.0011, 0.1, 0.2).counts == [2, 1, 1, 1]
    assert noted(0.5, 0.25).total == 0.75


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([100, 0, 0, 0], 0.5, 0.0005),
        ([0, 100, 0, 0], 0.5, 0.0055),
        ([50, 0, 50, 0], 0.99, 0.0982),
        ([1, 0, 0, 9], 0.99, 0.1),
    ],
)
def test_quantiles(counts: list[int], share: float, expected: float | None) -> None:
    found = quantile(BOUNDS, counts, share)
    assert found == (expected if expected is None else pytest.approx(expected))


@given(st.lists(st.floats(0, 0.1), min_size=1), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_figure(figures: list[float], share: float) -> None:
    histogram = noted(*figures)
    found = quantile(BOUNDS, histogram.counts, share)
    true = sorted(figures)[max(0, -(-int(share * len(figures) * 1e9) // 10**9) - 1)]
    at = next(i for i, bound in enumerate(BOUNDS) if true <= bound)
    least = BOUNDS[at - 1] if at else 0.0
    assert found is not None
    assert least - 1e-9 <= found <= BOUNDS[min(at + 1, 2)] + 1e-9


def test_recent_forgets() -> None:
    one, two = Histogram(BOUNDS), Histogram(BOUNDS)
    recent = RecentWindow([one, two], now=0.0)
    assert recent.recent is None
    for _ in range(10):
        one.observe(0.05)
    two.observe(0.0005)
    recent.update(10.0)
    assert recent.recent is not None
    assert (recent.recent.per_s, recent.recent.p99_ms) == (1.1, 99.0)
    for moment in range(20, 90, 10):
        recent.update(float(moment))
    assert recent.recent == RecentPercentiles(per_s=0.0, p50_ms=None, p95_ms=None, p99_ms=None)
