"""Trading hours of stocks and options. Crypto trades always and is not covered here.

Modes:  always  trading never stops; days still end at 16:00 New York, also at the weekend
        open    the same; used by tests
        closed  nothing trades
        nyse    New York's real hours, 04:00-20:00 for orders with extended hours
"""

from collections.abc import Iterator
from datetime import date, time, timedelta

from realtime.simulator.exchange.errors import Document
from realtime.simulator.exchange.timestamps import format_rfc3339_new_york, new_york_date
from realtime.simulator.exchange.venue.calendar import (
    CLOSE,
    EXTENDED_CLOSE,
    EXTENDED_OPEN,
    OPEN,
    close_time,
    instant,
    is_trading_day,
    next_trading_day,
)

MODES = ("always", "open", "closed", "nyse")

REGULAR = "regular"
EXTENDED = "extended"
CLOSED = "closed"

OPENING = "opening"
CLOSING = "closing"

_ONE_DAY = timedelta(days=1)


class Market:
    """The stock market's hours under one of the modes."""

    def __init__(self, mode: str = "always") -> None:
        self.mode = mode

    @property
    def never_closes(self) -> bool:
        return self.mode in ("always", "open")

    def phase(self, now: int) -> str:
        """Return which session runs now: regular, extended or closed."""
        if self.never_closes:
            return REGULAR
        day = new_york_date(now)
        if self.mode == "closed" or not is_trading_day(day):
            return CLOSED
        if instant(day, OPEN) <= now < instant(day, close_time(day)):
            return REGULAR
        is_extended = instant(day, EXTENDED_OPEN) <= now < instant(day, EXTENDED_CLOSE)
        return EXTENDED if is_extended else CLOSED

    def bells(self, since: int, until: int) -> Iterator[tuple[int, str]]:
        """Yield every opening and closing after `since` up to `until`, in order."""
        day = new_york_date(since)
        last = new_york_date(until)
        while day <= last:
            if self.has_session(day):
                for at, bell in (
                    (instant(day, OPEN), OPENING),
                    (instant(day, self._close_time(day)), CLOSING),
                ):
                    if since < at <= until and not (bell == OPENING and self.mode == "closed"):
                        yield at, bell
            day += _ONE_DAY

    def day_end(self, now: int, *, extended: bool = False) -> int:
        """Return when a day order sent now ends: at the close of this or the next session."""
        day = new_york_date(now)
        if not self.has_session(day) or now >= self._end_of(day, extended=extended):
            day = self._next_session(day)
        return self._end_of(day, extended=extended)

    def next_open(self, now: int) -> int:
        """Return the next opening after now."""
        day = new_york_date(now)
        if not self.has_session(day) or now >= instant(day, OPEN):
            day = self._next_session(day)
        return instant(day, OPEN)

    def last_close(self, now: int) -> int:
        """Return when the last day ended, at or before now."""
        day = new_york_date(now)
        while not self.has_session(day) or self._end_of(day, extended=False) > now:
            day -= _ONE_DAY
        return self._end_of(day, extended=False)

    def session_start(self, now: int, *, extended: bool) -> int:
        """Return the start of the session at a time, or of the next one.

        In modes without a close, that is the time itself.
        """
        if self.never_closes:
            return now
        day = new_york_date(now)
        if not self.has_session(day) or now > self._end_of(day, extended=extended):
            day = self._next_session(day)
        return instant(day, EXTENDED_OPEN if extended else OPEN)

    def clock_document(self, now: int) -> Document:
        """Answer GET /v2/clock."""
        return {
            "timestamp": format_rfc3339_new_york(now),
            "is_open": self.phase(now) == REGULAR,
            "next_open": format_rfc3339_new_york(self.next_open(now)),
            "next_close": format_rfc3339_new_york(self.day_end(now)),
        }

    def has_session(self, day: date) -> bool:
        """Return whether this day has a session: every day in modes without a close."""
        return self.never_closes or is_trading_day(day)

    def _next_session(self, day: date) -> date:
        return day + _ONE_DAY if self.never_closes else next_trading_day(day)

    def _close_time(self, day: date) -> time:
        return CLOSE if self.never_closes else close_time(day)

    def _end_of(self, day: date, *, extended: bool) -> int:
        return instant(day, EXTENDED_CLOSE if extended else self._close_time(day))
