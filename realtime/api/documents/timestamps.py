"""Our own times as readers are shown them; they come as epoch seconds."""

from datetime import UTC, datetime
from email.utils import format_datetime


def instant(epoch: float) -> str:
    """RFC 3339 in UTC, to the millisecond, never later than the time it stands for."""
    return _utc(epoch).isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


def second(epoch: float) -> str:
    """RFC 3339 in UTC, to the second."""
    return _utc(epoch).strftime("%Y-%m-%dT%H:%M:%SZ")


def http_date(epoch: float) -> str:
    """RFC 9110 section 5.6.7, as in `Last-Modified`."""
    return format_datetime(_utc(epoch).replace(microsecond=0), usegmt=True)


def _utc(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
