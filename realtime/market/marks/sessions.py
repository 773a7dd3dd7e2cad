"""Trading sessions in New York time, from the broker's calendar: half days and holidays included.

Source: Alpaca `GET /v2/calendar`: per trading day `date`, `open` and `close` (HH:MM), and
`session_open` and `session_close` (HHMM), all in New York time.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from msgspec import Struct

from realtime.broker.codec import CalendarRow
from realtime.core.mark import Session
from realtime.core.trading_day import NEW_YORK

SESSION_OPEN, SESSION_CLOSE = time(4), time(20)
"""Where a calendar does not state them."""


class TradingDay(Struct, frozen=True, kw_only=True):
    """One trading day. Times are epoch seconds."""

    date: date
    session_open: float
    open: float
    close: float
    session_close: float


class TradingCalendar:
    """Trading days in their order."""

    def __init__(self, days: Iterable[TradingDay]) -> None:
        self.days = tuple(sorted(days, key=lambda day: day.open))
        self._opens = [day.session_open for day in self.days]
        self._closes = [day.close for day in self.days]

    def covers(self, now: float) -> bool:
        """Whether days before and after a time, epoch seconds, are known."""
        return bool(self.days) and self._opens[0] <= now < self._closes[-1]

    def session(self, now: float) -> Session | None:
        """The session at a time, epoch seconds; None where the calendar does not cover it."""
        if not self.covers(now):
            return None
        day = self.days[bisect_right(self._opens, now) - 1]
        if now < day.session_close:
            return "pre" if now < day.open else "regular" if now < day.close else "post"
        # Sunday to Friday evening belongs to the next day, if that is a trading day.
        evening = datetime.fromtimestamp(now, NEW_YORK) + timedelta(hours=4)
        is_before_trading = any(d.date == evening.date() for d in self._next_days(now))
        return "overnight" if is_before_trading else "closed"

    def last_close(self, now: float) -> float | None:
        """When regular trading last ended, epoch seconds; None before the first day."""
        index = bisect_right(self._closes, now)
        return self._closes[index - 1] if index else None

    def _next_days(self, now: float) -> tuple[TradingDay, ...]:
        first = bisect_right(self._opens, now)
        return self.days[first : first + 1]


def parse_calendar(rows: Iterable[CalendarRow]) -> TradingCalendar:
    """The calendar of the broker's rows. Raises `ValueError` for a row that cannot be read."""
    return TradingCalendar(_parse_day(row) for row in rows)


def _parse_day(row: CalendarRow) -> TradingDay:
    day = date.fromisoformat(row.date)
    return TradingDay(
        date=day,
        session_open=_instant(day, _parse_time(row.session_open) or SESSION_OPEN),
        open=_instant(day, time.fromisoformat(row.open)),
        close=_instant(day, time.fromisoformat(row.close)),
        session_close=_instant(day, _parse_time(row.session_close) or SESSION_CLOSE),
    )


def _parse_time(text: str | None) -> time | None:
    """Read HHMM or HH:MM."""
    return None if not text else time.fromisoformat(text)


def _instant(day: date, local: time) -> float:
    return datetime.combine(day, local, NEW_YORK).timestamp()
