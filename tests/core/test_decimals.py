"""The broker's decimal strings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.decimals import ZERO, number, plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("188.4", Decimal("188.4")),
        ("-2", Decimal(-2)),
        ("0.265350528", Decimal("0.265350528")),
        ("1e2", Decimal(100)),
        (None, ZERO),
        ("", ZERO),
        ("many", ZERO),
        ("NaN", ZERO),
        ("-Infinity", ZERO),
        ("1e999999", ZERO),
        ("1e-999999", ZERO),
    ],
)
def test_number(text: str | None, value: Decimal) -> None:
    """What stands for no quantity of this world counts as nothing."""
    assert number(text) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("30", "30"),
        ("3E+1", "30"),
        ("0E-9", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("0.000000001", "0.000000001"),
    ],
)
def test_plain(value: str, text: str) -> None:
    """No exponent, no trailing zeros, no minus before nothing."""
    assert plain(Decimal(value)) == text


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=9, min_value=-(10**12), max_value=10**12
    )
)
def test_plain_and_back(value: Decimal) -> None:
    """Writing and reading keeps every digit."""
    assert number(plain(value)) == value


@given(st.text())
def test_any_text_is_a_number_that_can_be_computed_with(text: str) -> None:
    """Whatever the broker writes, nothing overflows."""
    value = number(text)
    assert (value * value + value).is_finite()
