"""Broker values as exact integers and bytes, as the history files keep them, and back."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from uuid import UUID

from realtime.core import decimals

QTY_SCALE = Decimal(10) ** 9
"""Quantities and prices: the broker has at most nine decimals."""

MONEY_SCALE = Decimal(10) ** 4

MAX_INTEGER = 2**63 - 1
"""The largest integer that SQLite stores."""

US = 1_000_000
DAY_US = 86_400 * US
MINUTE_S = 60
MINUTE_US = MINUTE_S * US
QUARTER_US = 900 * US


def scaled(value: str | None, scale: Decimal) -> int | None:
    """The value times `scale`, rounded half to even; None where it is no number or does not fit."""
    if value is None:
        return None
    try:
        number = (Decimal(value) * scale).to_integral_value(ROUND_HALF_EVEN)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) > MAX_INTEGER:
        return None
    return int(number)


def quantity(value: str | None) -> int | None:
    """A quantity or a price as an integer of 10⁻⁹."""
    return scaled(value, QTY_SCALE)


def money(value: str | None) -> int | None:
    """An amount of money as an integer of 10⁻⁴."""
    return scaled(value, MONEY_SCALE)


def plain(value: int | None, scale: Decimal) -> str | None:
    """The decimal string of a scaled integer, without trailing zeros."""
    return None if value is None else decimals.plain(Decimal(value) / scale)


def pack_id(value: str | None) -> bytes | str | None:
    """An id as 16 bytes if it is a UUID in its usual spelling, otherwise as it is."""
    if value is None:
        return None
    try:
        uuid = UUID(value)
    except ValueError:
        return value
    return uuid.bytes if str(uuid) == value else value


def unpack_id(value: bytes | str | None) -> str | None:
    """The id that `pack_id` packed."""
    return str(UUID(bytes=value)) if isinstance(value, bytes) else value


def epoch_us(seconds: float) -> int:
    """Epoch seconds as µs."""
    return round(seconds * US)


def day_number(at_us: int) -> int:
    """The UTC day, counted from 1970."""
    return at_us // DAY_US


def day_name(day: int) -> str:
    """`2026-11-30` of a UTC day counted from 1970."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def day_of_name(name: str) -> int | None:
    """The day of `2026-11-30`; None if it is not such a name."""
    try:
        at = datetime.strptime(name, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp()) // 86_400


def instant(at_us: int) -> str:
    """A time as RFC 3339 with µs, in UTC."""
    at = datetime.fromtimestamp(at_us // US, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_us % US:06d}Z"
