"""Many coarse readings of a clock make a fine one."""

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.broker.clock_offset import ClockOffset


def test_nothing_known() -> None:
    assert ClockOffset().seconds is None


def test_one_answer() -> None:
    """One answer says it to half a second and half a round trip."""
    offset = ClockOffset()
    offset.learn(1000, asked_at=990.2, answered_at=990.4)
    assert offset.seconds == pytest.approx(10.2)


@given(
    st.floats(-100, 100),
    st.lists(st.tuples(st.floats(0, 1000), st.floats(0, 0.5), st.floats(0, 1)), min_size=1),
)
def test_the_truth_stays_possible(truth: float, answers: list[tuple[float, float, float]]) -> None:
    """Whatever the round trips, the estimate is within half a second and half the quickest."""
    offset = ClockOffset()
    for asked_at, trip_s, share in answers:
        date = floor(asked_at + trip_s * share + truth)
        offset.learn(date, asked_at=asked_at, answered_at=asked_at + trip_s)
    assert offset.seconds is not None
    quickest = min(trip_s for _, trip_s, _ in answers)
    assert abs(offset.seconds - truth) <= (1 + quickest) / 2 + 1e-6


def test_many_answers_narrow_it_down() -> None:
    offset = ClockOffset()
    for step in range(1000):
        asked_at = step * 1.0371
        offset.learn(floor(asked_at + 0.05 + 2.345), asked_at=asked_at, answered_at=asked_at + 0.1)
    assert offset.seconds == pytest.approx(2.345, abs=0.01)


def test_a_clock_was_set() -> None:
    """What contradicts all that was known replaces it."""
    offset = ClockOffset()
    offset.learn(1000, asked_at=1000.4, answered_at=1000.5)
    offset.learn(1000, asked_at=4600.4, answered_at=4600.5)
    assert offset.seconds == pytest.approx(-3599.95)
