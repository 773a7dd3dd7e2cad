"""A token bucket spreads requests, a sliding window bounds them."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.rate_limits import SlidingWindow, TokenBucket


def take_times(bucket: TokenBucket, count: int, start: float = 0.0) -> list[float]:
    """When each of `count` tokens is taken by a caller that waits as long as it must."""
    times, now = [], start
    for _ in range(count):
        now += max(0.0, bucket.wait_s(now))
        bucket.take(now)
        times.append(now)
    return times


def test_bucket_allows_the_burst_at_once_then_one_per_interval() -> None:
    assert take_times(TokenBucket(3, 2.0), 6) == [0, 0, 0, 2, 4, 6]


def test_bucket_refills_to_its_burst_and_no_further() -> None:
    bucket = TokenBucket(2, 1.0)
    take_times(bucket, 5)
    assert take_times(bucket, 3, start=1000.0) == [1000, 1000, 1001]


eighths = st.integers(0, 2400).map(lambda n: n / 8)
"""Seconds, of which sums and differences are exact."""


@given(st.lists(eighths, max_size=60).map(sorted), st.integers(1, 10))
def test_window_never_exceeds_its_limit(arrivals: list[float], limit: int) -> None:
    window, now, admitted = SlidingWindow(60.0), 0.0, list[float]()
    for arrival in arrivals:
        now = max(now, arrival)
        now += max(0.0, window.wait_s(now, limit))
        window.add(now, "read")
        admitted.append(now)
    for at in admitted:
        assert sum(at - 60.0 < other <= at for other in admitted) <= limit


def test_window_counts_by_kind_and_forgets() -> None:
    window = SlidingWindow(60.0)
    for now, kind in ((0.0, "read"), (1.0, "order"), (2.0, "read")):
        window.add(now, kind)
    assert window.count_by_kind(3.0) == {"read": 2, "order": 1}
    assert window.count(60.5) == 2
    assert window.count(62.0) == 0
