"""The broker's timestamps, compared without losing digits.

Frames carry up to nine fractional digits, the same order read back by REST carries six, rounded
half up. So order versions are compared at microseconds and kept in REST's form; executions, which
may follow each other within a microsecond, are sorted at nanoseconds.
"""

from datetime import UTC, datetime
from functools import lru_cache

NEVER = 0
"""Earlier than any time the broker writes; the key of a missing timestamp."""

_SECONDS_LENGTH = len("2026-10-06T14:02:11.")
_SCALES = tuple(10 ** (9 - digits) for digits in range(10))
"""Number of fractional digits → nanoseconds of the last of them."""

_MICRO_LENGTH = len("2026-10-06T14:02:11.519102Z")


@lru_cache(maxsize=8192)
def nanoseconds(timestamp: str | None) -> int:
    """Nanoseconds since the epoch; `NEVER` for a missing or unreadable timestamp.

    Accepts RFC 3339 with any number of fractional digits, `Z` or a numeric offset.
    """
    if not timestamp:
        return NEVER
    if timestamp[-1] == "Z" and timestamp[_SECONDS_LENGTH - 1 : _SECONDS_LENGTH] == ".":
        digits = timestamp[_SECONDS_LENGTH:-1]
        if digits.isdecimal() and digits.isascii():  # as the broker writes it
            try:
                seconds = _whole_seconds(timestamp[: _SECONDS_LENGTH - 1] + "+00:00")
                nanos: int = int(digits[:9]) * _SCALES[len(digits[:9])]
                return seconds * 1_000_000_000 + nanos
            except (ValueError, OverflowError):
                return NEVER
    body, offset = _split_zone(timestamp)
    whole, _, fraction = body.partition(".")
    try:
        seconds = _whole_seconds(whole + (offset or "+00:00"))
        return seconds * 1_000_000_000 + (int(fraction[:9].ljust(9, "0")) if fraction else 0)
    except (ValueError, OverflowError):
        return NEVER


@lru_cache(maxsize=8192)
def microseconds(timestamp: str | None) -> int:
    """Microseconds since the epoch, rounded half up as in the broker's REST responses."""
    return (nanoseconds(timestamp) + 500) // 1000


def to_rest_precision(timestamp: str | None) -> str | None:
    """The timestamp as REST writes it: at most six fractional digits, no trailing zeros; unchanged
    if it cannot be read."""
    if timestamp is None or len(timestamp) <= _MICRO_LENGTH:
        return timestamp
    micros = microseconds(timestamp)
    try:
        return timestamp if micros == NEVER else format_micros(micros)
    except (ValueError, OverflowError):  # rounded up into the year 10000
        return timestamp


def format_micros(micros: int) -> str:
    """RFC 3339 in UTC with as many of six fractional digits as are needed."""
    seconds, fraction = divmod(micros, 1_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:06d}".rstrip("0") + "Z" if fraction else f"{text}Z"


@lru_cache(maxsize=1024)
def _whole_seconds(text: str) -> int:
    # Few timestamps of a fleet are equal, but many are of the same second.
    return int(datetime.fromisoformat(text).timestamp())


def _split_zone(timestamp: str) -> tuple[str, str]:
    if timestamp[-1] in "Zz":
        return timestamp[:-1], ""
    if len(timestamp) > 6 and timestamp[-6] in "+-" and timestamp[-3] == ":":
        return timestamp[:-6], timestamp[-6:]
    return timestamp, ""
