"""Decimal arithmetic as the broker writes it: strings without trailing zeros, never a float."""

import re
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal

from realtime.simulator.exchange.errors import malformed

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
NANO = Decimal("0.000000001")
PERCENTAGE = Decimal("0.0000000000000001")

# Larger numbers are attacks, not orders: "1e999999" would print a megabyte of zeros.
_LARGEST_EXPONENT = 12
_MAX_DECIMALS = 18
# Decimal would accept underscores, digits of other alphabets and a thousand-digit exponent.
_NUMBER = re.compile(r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?")


def format_decimal(value: Decimal) -> str:
    """Format a number as the broker does: fixed point, no trailing zeros, no minus zero."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_optional_decimal(value: Decimal | None) -> str | None:
    """Format a number, or None."""
    return None if value is None else format_decimal(value)


def round_to_cents(value: Decimal) -> Decimal:
    """Round to cents, half up."""
    return value.quantize(CENT, ROUND_HALF_UP)


def round_to_nano(value: Decimal) -> Decimal:
    """Round to nine decimals, half up: the precision of average prices."""
    return value.quantize(NANO, ROUND_HALF_UP)


def floor_to_nano(value: Decimal) -> Decimal:
    """Cut to nine decimals: the precision of quantities."""
    return value.quantize(NANO, ROUND_DOWN)


def ceil_to_nano(value: Decimal) -> Decimal:
    """Round away from zero to nine decimals: fees are never rounded in the customer's favour."""
    return value.quantize(NANO, ROUND_UP)


def fraction(part: Decimal, whole: Decimal) -> Decimal:
    """Return part / |whole| with sixteen decimals, zero when there is no whole."""
    if not whole:
        return ZERO
    return (part / abs(whole)).quantize(PERCENTAGE, ROUND_HALF_UP)


def is_whole(value: Decimal) -> bool:
    """Return whether a quantity has no fraction."""
    return value == value.to_integral_value()


def parse_decimal(value: object, name: str) -> Decimal:
    """Return a Decimal from a JSON string or number. Raises ApiError, also for NaN."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise malformed(f"invalid {name}: expected a number")
    if isinstance(value, int) and abs(value) >= 10 ** (_LARGEST_EXPONENT + 1):
        raise malformed(f"invalid {name}: too large")  # str() of a huge int is slow, or refuses
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise malformed(f"invalid {name}: {text[:40]}")
    number = Decimal(text)
    if number and not _is_sane(number):
        raise malformed(f"invalid {name}: {text[:40]}")
    return number


def _is_sane(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return (
        isinstance(exponent, int)
        and exponent >= -_MAX_DECIMALS
        and number.adjusted() <= _LARGEST_EXPONENT
    )
