"""Numbers of an order as clients write them: one strict grammar, checked before any arithmetic.

`Decimal` itself accepts underscores, digits of other scripts, blanks and line endings, and numbers
so large that arithmetic with them raises. None of these can be an order, so they are refused here.
"""

import re
from decimal import Decimal

from realtime.orders.errors import malformed

MAX_TEXT_LENGTH = 40
MAX_DIGITS = 28
"""Significant digits. `Decimal` computes with 28, so every accepted number is exact."""
MAX_MAGNITUDE = 12
"""Every number is below 10¹²: no share, price or order is worth more."""
MAX_DECIMALS = 18
"""Digits behind the point; the broker accepts 9 for a quantity."""

# [0-9] and not \d, which matches the digits of every script.
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


def parse_number(text: str, field: str) -> Decimal:
    """Return the number that a text stands for. Raises `Declined` naming the field."""
    if len(text) > MAX_TEXT_LENGTH or _NUMBER.fullmatch(text) is None:
        raise malformed(f"not a decimal number: {text[:MAX_TEXT_LENGTH]!r}", field=field)
    return check_number(Decimal(text), field)


def check_number(value: Decimal, field: str) -> Decimal:
    """Return a number if an order can have it. Raises `Declined` naming the field."""
    if not value.is_finite():
        raise malformed("not a finite number", field=field)
    if not value:
        return Decimal(0)
    digits, exponent = value.as_tuple().digits, value.adjusted()
    significant = len("".join(map(str, digits)).rstrip("0"))
    if exponent >= MAX_MAGNITUDE:
        raise malformed(f"number out of range: must be below 1e{MAX_MAGNITUDE}", field=field)
    if significant > MAX_DIGITS or significant - 1 - exponent > MAX_DECIMALS:
        raise malformed(f"number out of range: more than {MAX_DECIMALS} decimals", field=field)
    return value


def count_decimals(value: Decimal) -> int:
    """Return how many digits stand behind the point, without trailing zeros."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int), "numbers are checked to be finite"
    text = "".join(map(str, digits))
    return max(0, -exponent - (len(text) - len(text.rstrip("0")))) if value else 0
