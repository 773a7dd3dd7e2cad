"""Conversion of the broker's decimal strings to `Decimal` and back."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

ZERO = Decimal(0)

MAX_EXPONENT = 30
"""No price or quantity has more digits before or after its point; larger ones overflow."""


@lru_cache(maxsize=8192)
def number(text: str | None) -> Decimal:
    """The value of a broker's string; zero for a missing or unreadable one."""
    if not text:
        return ZERO
    try:
        value = Decimal(text)
    except InvalidOperation:
        return ZERO
    return value if value.is_finite() and abs(value.adjusted()) <= MAX_EXPONENT else ZERO


def plain(value: Decimal) -> str:
    """Write a decimal as the broker does: no exponent, no trailing zeros."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")  # three times as slow, and seldom needed
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def sum_amounts(texts: Iterable[str | None]) -> str | None:
    """The sum of those amounts that are known, as the broker writes it; None if none is."""
    known = [number(text) for text in texts if text is not None]
    return plain(sum(known, ZERO)) if known else None
