"""Holidays, early closes and settlement days of known years."""

from datetime import date, time

import pytest

from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.exchange.venue.calendar import (
    calendar_documents,
    close_time,
    is_trading_day,
    next_trading_day,
    previous_trading_day,
)

HOLIDAYS_2026 = [
    "2026-01-01",
    "2026-01-19",
    "2026-02-16",
    "2026-04-03",
    "2026-05-25",
    "2026-06-19",
    "2026-07-03",
    "2026-09-07",
    "2026-11-26",
    "2026-12-25",
]


@pytest.mark.parametrize("day", HOLIDAYS_2026)
def test_holidays_of_2026(day: str) -> None:
    """Ten days, Independence Day observed on the Friday before."""
    assert not is_trading_day(date.fromisoformat(day))


def test_2026_has_251_trading_days() -> None:
    """Weekdays less holidays."""
    days = calendar_documents({"start": "2026-01-01", "end": "2026-12-31"})
    assert len(days) == 251


def test_a_saturday_new_year_is_not_made_up_for() -> None:
    """2021's last Friday was a trading day."""
    assert is_trading_day(date(2021, 12, 31))


@pytest.mark.parametrize(
    ("day", "close"),
    [
        (date(2026, 11, 27), time(13)),
        (date(2026, 12, 24), time(13)),
        (date(2024, 7, 3), time(13)),
        (date(2026, 10, 6), time(16)),
    ],
)
def test_early_closes(day: date, close: time) -> None:
    """The day after Thanksgiving, the eves of Christmas and Independence Day."""
    assert close_time(day) == close


def test_neighbours_step_over_weekends_and_holidays() -> None:
    """Settlement is the next trading day."""
    assert next_trading_day(date(2026, 11, 25)) == date(2026, 11, 27)
    assert previous_trading_day(date(2026, 11, 30)) == date(2026, 11, 27)


def test_a_document_mixes_its_formats() -> None:
    """HH:MM for the regular session, HHMM for the long one: so the broker writes it."""
    assert calendar_documents({"start": "2026-10-06", "end": "2026-10-06"}) == [
        {
            "date": "2026-10-06",
            "open": "09:30",
            "close": "16:00",
            "session_open": "0400",
            "session_close": "2000",
            "settlement_date": "2026-10-07",
        }
    ]


def test_by_settlement_date() -> None:
    """The same query asks for the days whose trades settle then."""
    query = {"start": "2026-11-27", "end": "2026-11-27", "date_type": "SETTLEMENT"}
    assert [d["date"] for d in calendar_documents(query)] == ["2026-11-25"]


def test_bad_dates_are_refused() -> None:
    """With the parameter's name."""
    with pytest.raises(ApiError, match="start"):
        calendar_documents({"start": "soon"})
