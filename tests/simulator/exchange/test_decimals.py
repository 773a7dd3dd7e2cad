"""Numbers go in as strings or JSON numbers and come out as the broker's strings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.simulator.exchange.decimals import (
    ceil_to_nano,
    format_decimal,
    fraction,
    parse_decimal,
)
from realtime.simulator.exchange.errors import ApiError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("-0.00", "0"),
        ("0E-9", "0"),
        ("129.70", "129.7"),
        ("1E+3", "1000"),
        ("0.0851119", "0.0851119"),
        ("-40.0", "-40"),
    ],
)
def test_plain(value: str, text: str) -> None:
    """No exponent, no trailing zeros, no minus zero."""
    assert format_decimal(Decimal(value)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**9)))
def test_plain_keeps_the_value(value: Decimal) -> None:
    """Reading the string again gives the same number."""
    assert Decimal(format_decimal(value)) == value


ABSURD: list[object] = [
    None,
    True,
    "",
    "x",
    "NaN",
    "Infinity",
    "1_000",
    "1e999999",
    "1e13",
    "0x10",
    [],
    {},
]
ABSURD += [1e300, "٣", float("nan"), float("inf"), "1e-99"]


@pytest.mark.parametrize("value", ABSURD)
def test_rejects_values_that_are_not_numbers(value: object) -> None:
    """Anything absurd is refused before it can cost memory."""
    with pytest.raises(ApiError) as caught:
        parse_decimal(value, "qty")
    assert caught.value.status == 422


def test_refuses_an_integer_too_long_to_print() -> None:
    """Python would raise ValueError at 4300 digits."""
    with pytest.raises(ApiError, match="too large"):
        parse_decimal(10**5000, "qty")


@pytest.mark.parametrize("value", ["1.5", 1.5, " 1.5 ", "15e-1", "+1.50"])
def test_reads_strings_and_numbers_alike(value: object) -> None:
    """SDKs send both."""
    assert parse_decimal(value, "qty") == Decimal("1.5")


def test_fraction_has_sixteen_decimals() -> None:
    """Percentages are cut as in recordings, and measured against the size of the whole."""
    assert format_decimal(fraction(Decimal("-26.88"), Decimal("-1984.56"))) == "-0.0135445640343451"
    assert fraction(Decimal(1), Decimal(0)) == 0


def test_fees_round_up() -> None:
    """The ninth decimal never favours the customer."""
    assert ceil_to_nano(Decimal("0.0000000001")) == Decimal("0.000000001")
