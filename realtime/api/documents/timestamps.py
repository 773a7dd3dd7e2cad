"""Our own times (epoch seconds) as text for clients."""

from datetime import UTC, datetime
from email.utils import format_datetime


class _Display:
    """Of this process: what is added to its times for clients."""

    offset_s = 0.0


def set_display_offset(seconds: float) -> None:
    """Add this to all times from now on: our times are of a clock that never steps, and the
    machine's clock has been set since it started."""
    _Display.offset_s = seconds


def format_millis(epoch: float) -> str:
    """RFC 3339 in UTC, in milliseconds, rounded down."""
    return _utc(epoch).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def format_seconds(epoch: float) -> str:
    """RFC 3339 in UTC, in seconds, rounded down."""
    return _utc(epoch).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_http_date(epoch: float) -> str:
    """RFC 9110 section 5.6.7, as in `Last-Modified`."""
    return format_datetime(_utc(epoch).replace(microsecond=0), usegmt=True)


def _utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch + _Display.offset_s, UTC)
