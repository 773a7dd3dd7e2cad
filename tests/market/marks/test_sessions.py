"""Trading sessions in New York time."""

from datetime import datetime

import pytest

from realtime.broker.codec import CalendarRow
from realtime.core.mark import Session
from realtime.core.trading_day import NEW_YORK
from realtime.market.marks.sessions import TradingCalendar, parse_calendar

ROWS = [
    # A weekend with the end of daylight saving time, and one with Thanksgiving and a half day.
    *(CalendarRow(f"2026-10-{day}", "09:30", "16:00", "0400", "2000") for day in (29, 30)),
    *(CalendarRow(f"2026-11-0{day}", "09:30", "16:00", "0400", "2000") for day in (2, 3)),
    CalendarRow("2026-11-25", "09:30", "16:00"),
    CalendarRow("2026-11-27", "09:30", "13:00", "0400", "1700"),
    CalendarRow("2026-11-30", "09:30", "16:00"),
]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        ("2026-10-30T03:59:59", "overnight"),
        ("2026-10-30T04:00", "pre"),
        ("2026-10-30T09:29:59", "pre"),
        ("2026-10-30T09:30", "regular"),
        ("2026-10-30T15:59:59", "regular"),
        ("2026-10-30T16:00", "post"),
        ("2026-10-30T19:59:59", "post"),
        ("2026-10-30T20:00", "closed"),  # Friday evening
        ("2026-10-31T12:00", "closed"),
        ("2026-11-01T19:59:59", "closed"),
        ("2026-11-01T20:00", "overnight"),  # Sunday evening
        ("2026-11-02T00:30", "overnight"),
        ("2026-11-02T09:30", "regular"),  # the first day of standard time
        ("2026-11-02T20:00", "overnight"),
        ("2026-11-02T23:59", "overnight"),
        ("2026-11-25T21:00", "closed"),  # before Thanksgiving
        ("2026-11-26T12:00", "closed"),
        ("2026-11-26T21:00", "overnight"),
        ("2026-11-27T12:59:59", "regular"),
        ("2026-11-27T13:00", "post"),
        ("2026-11-27T17:00", "closed"),  # the half day's sessions end early
    ],
)
def test_sessions(moment: str, session: Session) -> None:
    assert parse_calendar(ROWS).session(at(moment)) == session


@pytest.mark.parametrize(
    ("moment", "close"),
    [
        ("2026-10-30T15:59:59", "2026-10-29T16:00"),
        ("2026-10-30T16:00", "2026-10-30T16:00"),
        ("2026-11-02T15:00", "2026-10-30T16:00"),
        ("2026-11-02T16:00", "2026-11-02T16:00"),
        ("2026-11-27T13:00", "2026-11-27T13:00"),
        ("2026-11-27T16:00", "2026-11-27T13:00"),
    ],
)
def test_the_last_close_is_the_calendar_day_s(moment: str, close: str) -> None:
    assert parse_calendar(ROWS).last_close(at(moment)) == at(close)


def test_the_close_moves_with_daylight_saving_time() -> None:
    calendar = parse_calendar(ROWS)
    hours = [datetime.fromtimestamp(day.close).astimezone(NEW_YORK).hour for day in calendar.days]
    assert hours == [16, 16, 16, 16, 16, 13, 16]
    closes = {day.date.isoformat(): day.close % 86_400 / 3_600 for day in calendar.days}
    assert (closes["2026-10-30"], closes["2026-11-02"]) == (20, 21)  # in UTC


@pytest.mark.parametrize("moment", ["2026-10-29T03:59", "2026-11-30T16:00"])
def test_outside_the_calendar_the_session_is_unknown(moment: str) -> None:
    assert parse_calendar(ROWS).session(at(moment)) is None


def test_without_days_nothing_is_known() -> None:
    empty = TradingCalendar([])
    assert (empty.session(0), empty.last_close(0)) == (None, None)


@pytest.mark.parametrize(
    "row",
    [
        CalendarRow("yesterday", "09:30", "16:00"),
        CalendarRow("2026-11-30", "9h", "16:00"),
        CalendarRow("2026-11-30", "09:30", "16:00", "later"),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error(row: CalendarRow) -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        parse_calendar([row])
