"""A day of one figure: bounded, finest where most recent, and only values that were added."""

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from realtime.analytics import curve as curve_module
from realtime.analytics.curve import TIERS, Curve, sum_curves, thin_out

DAY_S = 86_400


def test_day_is_kept_in_bounded_memory_and_gets_coarser_with_age() -> None:
    curve = Curve()
    for at in range(0, 2 * DAY_S, 15):
        curve.add(at, at)
    points = curve.points()
    assert len(points) < sum(most for _, most in TIERS)
    ages = [2 * DAY_S - at for at, _ in points]
    assert ages[0] >= DAY_S - 300
    steps = [later - earlier for (earlier, _), (later, _) in pairwise(points)]
    assert steps == sorted(steps, reverse=True)
    assert set(steps) <= {300, 60, 15} | set(range(15, 300, 15))


def test_full_curve_takes_at_most_16_kb() -> None:
    """So a thousand accounts' take 16 MB. Only what these two files allocate is counted."""
    tracemalloc.start()
    try:
        curve = Curve()
        for at in range(0, 2 * DAY_S, 15):
            curve.add(at, 10**12 + at)
        files = [tracemalloc.Filter(True, path) for path in (curve_module.__file__, __file__)]
        traces = tracemalloc.take_snapshot().filter_traces(files).traces
    finally:
        tracemalloc.stop()
    assert 8 * 1024 < sum(trace.size for trace in traces) < 16 * 1024
    assert len(curve.points()) > 500


def test_last_value_of_a_window_is_kept() -> None:
    curve = Curve()
    for at, value in [(30, 1), (40, 2), (44, 3), (45, 4)]:
        curve.add(at, value)
    assert curve.points() == [(30, 3), (45, 4)]


@given(st.lists(st.integers(0, 4000), unique=True, max_size=400).map(sorted))
def test_points_are_in_order_and_were_added(moments: list[int]) -> None:
    curve = Curve()
    for at in moments:
        curve.add(at * 15, at * 15)
    points = curve.points()
    begins = [begin for begin, _ in points]
    assert begins == sorted(set(begins))
    assert all(begin <= value < begin + 300 for begin, value in points)
    assert points[-1:] == [(at * 15, at * 15) for at in moments[-1:]]


@given(st.integers(2, 1000), st.integers(0, 1500))
def test_thinning_keeps_order_count_and_the_newest(most: int, count: int) -> None:
    points = [(at, at) for at in range(count)]
    few = thin_out(points, most)
    assert len(few) == min(most, count)
    assert few == sorted(set(few))
    assert few[-1:] == points[-1:]


def test_sum_continues_with_the_last_known_values() -> None:
    """And does not count values before their first point."""
    assert sum_curves([[(0, 5), (30, 7)], [(15, 100)], []]) == [(0, 5), (15, 105), (30, 107)]
