"""How long a response may be repeated."""

from datetime import UTC, datetime

import pytest

from realtime.market.rest.freshness import (
    CLOSED_RANGE_S,
    LIFETIME_S,
    OPEN_RANGE_S,
    get_lifetime_s,
    is_closed,
    seconds_to_day_change,
)

NOW = datetime(2026, 10, 6, 14, 30, tzinfo=UTC).timestamp()
"""A Tuesday, 10:30 in New York."""
START = "2026-10-01"


def minutes_ago(minutes: float) -> str:
    return datetime.fromtimestamp(NOW - minutes * 60, UTC).isoformat()


@pytest.mark.parametrize(
    ("params", "closed"),
    [
        ({"start": START, "end": minutes_ago(17)}, True),
        ({"start": START, "end": minutes_ago(15)}, False),
        ({"start": START, "end": minutes_ago(17), "timeframe": "1Min"}, True),
        ({"start": START, "end": minutes_ago(16.5), "timeframe": "1Min"}, False),
        ({"start": START, "end": minutes_ago(45), "timeframe": "30Min"}, False),
        ({"start": START, "end": minutes_ago(47), "timeframe": "30T"}, True),
        ({"start": START, "end": minutes_ago(90), "timeframe": "2Hour"}, False),
        ({"start": START, "end": "2026-10-05", "timeframe": "5Min"}, True),
        ({"start": START, "end": "2026-10-06", "timeframe": "5Min"}, False),
        # the bar of a day is complete after its midnight in New York, whatever time `end` has
        ({"start": START, "end": minutes_ago(60), "timeframe": "1Day"}, False),
        ({"start": START, "end": "2026-10-05", "timeframe": "1D"}, False),
        ({"start": START, "end": "2026-10-04", "timeframe": "1D"}, True),
        ({"start": START, "end": "2026-10-02", "timeframe": "1Week"}, False),
        ({"start": START, "end": "2026-09-20", "timeframe": "1W"}, True),
        ({"start": "2026-01-01", "end": "2026-08-31", "timeframe": "1M"}, True),
        ({"start": "2026-01-01", "end": "2026-09-15", "timeframe": "1Month"}, False),
        ({"start": "2026-01-01", "end": "2026-01-31", "timeframe": "12Month"}, False),
        ({"end": "2026-10-01"}, False),  # the default of `start` moves
        ({"start": START}, False),
        ({"start": START, "end": ""}, False),
        ({"start": START, "end": "yesterday"}, False),
        ({"start": START, "end": "2026-10-02", "timeframe": "1Fortnight"}, False),
        ({"start": START, "end": "2026-10-02T13:30:00.123456789Z"}, True),
        ({"start": START, "end": "2026-10-02T13:30:00-04:00"}, True),
        ({"start": START, "end": "9999-12-31"}, False),
    ],
)
def test_a_range_is_closed_when_nothing_in_it_can_change(
    params: dict[str, str], closed: bool
) -> None:
    assert is_closed(params, NOW) is closed
    expected = CLOSED_RANGE_S if closed else OPEN_RANGE_S
    assert get_lifetime_s("history", {**params, "asof": "2026-10-01"}, NOW) == expected


@pytest.mark.parametrize(
    "more", [{}, {"asof": "-", "adjustment": "split"}, {"asof": "2026-10-01", "adjustment": "all"}]
)
def test_what_a_new_day_may_change_is_kept_until_it_begins(more: dict[str, str]) -> None:
    """An adjusted price, or a name of today, changes before the first session of a day."""
    params = {"start": START, "end": "2026-10-02", **more}
    assert get_lifetime_s("history", params, NOW) == seconds_to_day_change(NOW) == 17.5 * 3600


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 10, 6, 7, 59, tzinfo=UTC), 1 / 60),
        (datetime(2026, 10, 6, 8, 0, tzinfo=UTC), 24),
        (datetime(2026, 10, 31, 9, 0, tzinfo=UTC), 24),  # clocks are set back: 04:00 is 09:00Z
        (datetime(2026, 3, 8, 4, 0, tzinfo=UTC), 4),  # and forward
    ],
)
def test_the_day_changes_at_four_in_new_york(now: datetime, hours: float) -> None:
    assert seconds_to_day_change(now.timestamp()) == pytest.approx(hours * 3600)


def test_each_kind_has_a_lifetime() -> None:
    for kind, lifetime_s in LIFETIME_S.items():
        assert get_lifetime_s(kind, {}, NOW) == lifetime_s > 0
