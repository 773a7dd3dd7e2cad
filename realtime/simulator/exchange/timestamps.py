"""Times as the broker writes them. Inside the exchange a time is an integer: epoch nanoseconds.

`datetime` has no nanoseconds, so only whole seconds ever pass through it.
"""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9})\d*)?"
    r"\s*([Zz]|[+\- ]\d{2}:?\d{2})?)?"
)


def format_rfc3339(at: int) -> str:
    """Format a time in UTC with up to nine decimals, trailing zeros cut."""
    second, rest = divmod(at, SECOND)
    if not rest:
        return _utc_second(second) + "Z"
    return f"{_utc_second(second)}.{rest:09d}".rstrip("0") + "Z"


def format_rfc3339_micros(at: int) -> str:
    """Format a time as REST returns it: microseconds, rounded half up."""
    return format_rfc3339(to_micros(at))


def to_micros(at: int) -> int:
    """Round nanoseconds to whole microseconds, half up: the precision of REST."""
    return (at + MICROSECOND // 2) // MICROSECOND * MICROSECOND


def format_rfc3339_new_york(at: int) -> str:
    """Format a time with New York's offset, as in the market clock."""
    second, rest = divmod(at, SECOND)
    text = datetime.fromtimestamp(second, NEW_YORK).isoformat()
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return text[:19] + fraction + text[19:]


def new_york_date(at: int) -> date:
    """Return the calendar day in New York."""
    return _new_york_day(at // HOUR)


def format_activity_time(at: int) -> str:
    """Format as yyyymmddHHMMSSmmm in New York time, the first half of an activity id."""
    second, rest = divmod(at, SECOND)
    return f"{_new_york_second(second)}{rest // MILLISECOND:03d}"


def parse_rfc3339(text: str) -> int | None:
    """Return nanoseconds from RFC 3339 or a date (midnight UTC); None if it is neither.

    A space in place of the offset's plus sign is accepted: query strings decode `+` so.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        return None
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset is None or offset in "Zz" else offset.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone}")
        second = int(moment.astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        return None
    return second * SECOND + int((fraction or "0").ljust(9, "0"))


@lru_cache(maxsize=8192)
def _utc_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


@lru_cache(maxsize=1024)
def _new_york_day(hour: int) -> date:
    # New York is always whole hours away from UTC, so a day never changes within an hour.
    return datetime.fromtimestamp(hour * 3600, NEW_YORK).date()


@lru_cache(maxsize=1024)
def _new_york_second(second: int) -> str:
    return datetime.fromtimestamp(second, NEW_YORK).strftime("%Y%m%d%H%M%S")
