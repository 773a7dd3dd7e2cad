"""Times as clients write them in queries about the past."""

from datetime import UTC, datetime, timedelta

from realtime.api.problems import Problem, quote
from realtime.history.exact import US

MAX_EPOCH_S = 4_102_444_800
"""The year 2100; nothing is recorded before 1970. Computing with days needs room on both sides."""

MAX_DAYS = 4000
"""Of one query."""

FORMS = "RFC 3339 with a time zone, a date, or epoch seconds"


def parse_moment(name: str, text: str) -> int:
    """The time in µs since 1970. Raises the problem `bad_parameter`."""
    if text.isascii() and text.replace(".", "", 1).isdigit():
        seconds = float(text)
        if seconds <= MAX_EPOCH_S:
            return round(seconds * US)
        raise _wrong(name, text)
    # `+` in a query string is a space: 14:30:00+01:00 arrives with one.
    spelled = text.strip().replace(" ", "+") if "T" in text else text
    try:
        at = datetime.fromisoformat(spelled)
    except ValueError:
        raise _wrong(name, text) from None
    if at.tzinfo is None:
        if "T" in text:
            raise _wrong(name, text)
        at = at.replace(tzinfo=UTC)
    at_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if not 0 <= at_us <= MAX_EPOCH_S * US:
        raise _wrong(name, text)
    return at_us


def _wrong(name: str, text: str) -> Problem:
    return Problem("bad_parameter", f"{name}={quote(text)}", remedy=f"{name}: {FORMS}")
