"""When a day of trading ends: the broker's calendar, or the usual hours where it is not known."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

NEW_YORK = ZoneInfo("America/New_York")
USUAL_CLOSE = "16:00"


class TradingDay(Struct, frozen=True):
    """One day of `GET /v2/calendar`; times are New York's. Half days close at 13:00."""

    date: str
    open: str
    close: str


def get_close(day: TradingDay) -> datetime:
    """When trading ends. Raises `ValueError` for times that cannot be read."""
    at = time.fromisoformat(day.close)
    return datetime.combine(date.fromisoformat(day.date), at, NEW_YORK)


def make_usual_days(first: date, count: int) -> list[TradingDay]:
    """Weekdays with the usual hours, holidays included: only where the calendar is not known."""
    days = [first + timedelta(days=n) for n in range(count)]
    return [TradingDay(d.isoformat(), "09:30", USUAL_CLOSE) for d in days if d.weekday() < 5]


def find_next_close(days: Sequence[TradingDay], after: datetime) -> datetime | None:
    """The first close after a time."""
    closes = sorted(close for close in map(get_close, days) if close > after)
    return closes[0] if closes else None
