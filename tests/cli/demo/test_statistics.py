"""The demo's summary contains what was measured, and nothing else."""

import pytest

from realtime.cli.demo.statistics import DemoStatistics, Latencies


def latencies(*times_ms: float) -> Latencies:
    made = Latencies()
    for time_ms in times_ms:
        made.add(time_ms)
    return made


@pytest.mark.parametrize(
    ("times", "p99"),
    [
        ((), None),
        ((3.0,), 3.0),
        ((2.0, 1.0), 2.0),
        (tuple(map(float, range(1, 101))), 99.0),
        (tuple(map(float, range(1, 102))), 100.0),
        (tuple(map(float, range(1, 1001))), 990.0),
    ],
)
def test_p99(times: tuple[float, ...], p99: float | None) -> None:
    """The smallest measured time that at least 99 of 100 do not exceed."""
    assert latencies(*times).p99() == p99


def test_all_statistics() -> None:
    statistics = DemoStatistics(
        updates=latencies(9.04), queries=latencies(0.62), faults=3, lost=0, compared_at_s=58.0
    )
    assert statistics.summary(60.2, 1412) == (
        "60 s: 1,412 events, update p99 9.0 ms, query p99 0.6 ms, 3 faults, 0 lost"
    )


def test_what_was_not_measured_is_left_out() -> None:
    assert DemoStatistics().summary(3.0, 1) == "3 s: 1 event, 0 faults"


def test_an_old_comparison_has_its_time() -> None:
    statistics = DemoStatistics(faults=1, lost=2, compared_at_s=58.0, queries_failed=4)
    assert statistics.summary(133.0, 0) == (
        "2 min 13 s: 0 events, 4 queries failed, 1 fault, 2 lost at 58 s"
    )
