"""Numbers of orders: one grammar, bounded, and exact."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.decimals import plain
from realtime.orders.errors import Declined
from realtime.orders.numbers import check_number, count_decimals, parse_number

GOOD = {
    "1": "1", "0.5": "0.5", ".5": "0.5", "5.": "5", "1e3": "1000", "1E+3": "1000",
    "1.5e-3": "0.0015", "-2.25": "-2.25", "007": "7", "0": "0", "0e999": "0",
    "123456789012.123456789": "123456789012.123456789",
    "1.100000000000000000000000000000": "1.1",
}  # fmt: skip

BAD = [
    "", " ", "1_0", "1__0", "_1", " 1", "1 ", "1\n", "\n1", "1\r", "\t1", "1,5", "1.2.3", "+1",
    "--1", "0x10", "1e", "1e+", "e5", ".", "-", "NaN", "nan", "sNaN", "Infinity", "-inf", "1e29",
    "1e12", "1e-19", "1e999", "1e9999", "999999999999.9999999999999999999", "9" * 41,
    "٣", "１", "1²", "½",
    "1\u200b", "\ufeff1", "1\0", "0." + "0" * 30 + "1",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), GOOD.items())
def test_a_number_is_read_exactly(text: str, value: str) -> None:
    assert plain(parse_number(text, "qty")) == value


@pytest.mark.parametrize("text", BAD, ids=repr)
def test_anything_else_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(Declined, match="qty: ") as error:
        parse_number(text, "qty")
    assert error.value.code == "invalid_order"


@given(st.text(max_size=50))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        value = parse_number(text, "qty")
    except Declined:
        return
    # What passes may be computed with: nothing raises, and nothing is lost.
    assert value % Decimal("0.01") == value - (value // Decimal("0.01")) * Decimal("0.01")
    assert text.isascii()


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_any_decimal_is_a_number_or_refused(value: Decimal) -> None:
    try:
        checked = check_number(value, "qty")
    except Declined:
        return
    assert checked == value
    assert abs(checked) < Decimal("1e12")


@pytest.mark.parametrize(
    ("text", "decimals"), [("1", 0), ("1.50", 1), ("100", 0), ("0.000000001", 9), ("0", 0)]
)
def test_decimals_without_trailing_zeros(text: str, decimals: int) -> None:
    assert count_decimals(Decimal(text)) == decimals
