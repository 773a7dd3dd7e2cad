"""Times keep their nanoseconds on the stream and lose them in REST."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.timestamps import (
    format_activity_time,
    format_rfc3339,
    format_rfc3339_micros,
    format_rfc3339_new_york,
    parse_rfc3339,
)

FILLED = 1_791_295_333_926_114_708  # 2026-10-06T14:02:13.926114708Z


def test_stream_times_have_nanoseconds() -> None:
    """Nine decimals, trailing zeros cut."""
    assert format_rfc3339(FILLED) == "2026-10-06T14:02:13.926114708Z"
    assert format_rfc3339(FILLED // 10**9 * 10**9) == "2026-10-06T14:02:13Z"
    assert format_rfc3339(FILLED // 10**8 * 10**8) == "2026-10-06T14:02:13.9Z"


def test_rest_times_are_rounded_half_up() -> None:
    """Microseconds, and a carry reaches the second."""
    assert format_rfc3339_micros(FILLED) == "2026-10-06T14:02:13.926115Z"
    assert format_rfc3339_micros(FILLED // 10**9 * 10**9 + 999_999_500) == "2026-10-06T14:02:14Z"


def test_activity_ids_are_in_new_york_time() -> None:
    """Milliseconds, cut, in summer time."""
    assert format_activity_time(FILLED) == "20261006100213926"


def test_the_market_clock_has_an_offset() -> None:
    """Four hours behind in October, five in December."""
    assert format_rfc3339_new_york(FILLED) == "2026-10-06T10:02:13.926114708-04:00"
    december = parse_rfc3339("2026-12-07T15:30:00Z")
    assert december is not None
    assert format_rfc3339_new_york(december) == "2026-12-07T10:30:00-05:00"


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-06T14:02:13.926114708Z",
        "2026-10-06T10:02:13.926114708-04:00",
        "2026-10-06T16:02:13.926114708 02:00",  # the plus of a query string
        "2026-10-06 14:02:13.926114708+00:00",
    ],
)
def test_reads_what_clients_send(text: str) -> None:
    """Any offset, nine decimals, a plus that became a space."""
    assert parse_rfc3339(text) == FILLED


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-10-06T25:00:00Z", "12"])
def test_refuses_other_texts(text: str) -> None:
    """None, not an exception: the caller knows the parameter's name."""
    assert parse_rfc3339(text) is None


@given(st.integers(0, 4 * 10**18))
def test_round_trip(at: int) -> None:
    """What is written is read back to the nanosecond."""
    assert parse_rfc3339(format_rfc3339(at)) == at
