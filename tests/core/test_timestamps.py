"""The broker's timestamps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.timestamps import (
    NEVER,
    format_micros,
    microseconds,
    nanoseconds,
    to_rest_precision,
)
from tests.core.writing import rfc3339

SECOND = 1_791_295_331


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-10-06T14:02:11Z", SECOND * 10**9),
        ("2026-10-06T14:02:11.5Z", SECOND * 10**9 + 500_000_000),
        ("2026-10-06T14:02:11.519102377Z", SECOND * 10**9 + 519_102_377),
        ("2026-10-06T14:02:11.5191023771Z", SECOND * 10**9 + 519_102_377),
        ("2026-10-06T10:02:11.519102377-04:00", SECOND * 10**9 + 519_102_377),
        ("2026-10-06t14:02:11z", SECOND * 10**9),
        ("2026-10-06T14:02:11", SECOND * 10**9),
        (None, NEVER),
        ("", NEVER),
        ("soon", NEVER),
        ("2026-13-06T14:02:11Z", NEVER),
        ("2026-10-06T14:02:11.x9Z", NEVER),
    ],
)
def test_nanoseconds(text: str | None, ns: int) -> None:
    """Up to nine digits, UTC or an offset; what cannot be read never was."""
    assert nanoseconds(text) == ns


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (None, None),
        ("2026-10-06T14:02:11Z", "2026-10-06T14:02:11Z"),
        ("2026-10-06T14:02:11.51Z", "2026-10-06T14:02:11.51Z"),
        ("2026-10-06T14:02:11.519102377Z", "2026-10-06T14:02:11.519102Z"),
        ("2026-10-06T14:02:11.519102500Z", "2026-10-06T14:02:11.519103Z"),
        ("2026-10-06T14:02:11.999999500Z", "2026-10-06T14:02:12Z"),
        ("2026-10-06T14:02:11.510000377Z", "2026-10-06T14:02:11.51Z"),
        ("not a time, though it is long enough", "not a time, though it is long enough"),
    ],
)
def test_at_micros(text: str | None, rest: str | None) -> None:
    """REST's form: half up, zeros cut; what cannot be read stays."""
    assert to_rest_precision(text) == rest


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_nanoseconds_are_kept_and_micros_are_near(ns: int) -> None:
    """Reading a time loses nothing; REST's form is within half a microsecond."""
    assert nanoseconds(rfc3339(ns)) == ns
    assert abs(microseconds(rfc3339(ns)) * 1000 - ns) <= 500


@given(st.integers(1, 4_000_000_000_000_000))
def test_micros_and_back(micros: int) -> None:
    """Writing and reading keeps every microsecond."""
    assert microseconds(format_micros(micros)) == micros


times = st.datetimes().map(lambda time: f"{time.isoformat()}Z")
fractions = st.from_regex(r"\A(9999-12-31T23:59:59|2026-10-06T14:02:11)\.\d{1,12}Z\Z")


@given(st.text() | times | fractions)
def test_rounding_to_rests_precision_moves_a_time_by_half_a_microsecond_at_most(text: str) -> None:
    """Of any text: one that cannot be read, or rounded up into the year 10000, is unchanged."""
    rounded = to_rest_precision(text)
    assert rounded is not None
    assert rounded == text or abs(nanoseconds(rounded) - nanoseconds(text)) <= 500
    assert to_rest_precision(rounded) == rounded
    assert microseconds(text) == (nanoseconds(text) + 500) // 1000
