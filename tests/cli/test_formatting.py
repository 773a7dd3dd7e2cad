"""Figures and text from outside, as a terminal shows them."""

from decimal import Decimal

import pytest

from realtime.cli.formatting import (
    MAX_LABEL,
    clean,
    format_count,
    format_duration,
    format_money,
    format_percent,
    format_quantity,
    name_some,
    short_label,
)


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        ("100281.4", "100,281.40", "+100,281.40"), ("-0.005", "0.00", "0.00"),
        ("-0.006", "−0.01", "−0.01"), ("0", "0.00", "0.00"), ("20000", "20,000.00", "+20,000.00"),
        ("-150.2", "−150.20", "−150.20"), (None, "–", "–"), ("much", "much", "much"),
        ("\x1b[31m1", " [31m1", " [31m1"), ("NaN", "NaN", "NaN"),
        ("98765432109.876", "98,765,432,109.88", "+98,765,432,109.88"),
        ("9" * 40, "9" * 40, "9" * 40),
    ],
)  # fmt: skip
def test_money(value: str | None, plain: str, signed: str) -> None:
    """Whole, grouped as on the page, with a real minus sign; what rounds to zero has none."""
    assert (format_money(value), format_money(value, signed=True)) == (plain, signed)


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        ("89.56", "100000", "+0.09 %"), ("-823.25", "8099900", "−0.01 %"),
        ("0.01", "100000", "0.00 %"),
        (None, "1", "–"), ("1", None, "–"), ("1", "0", "–"),
    ],
)  # fmt: skip
def test_percent(part: str | None, whole: str | None, expected: str) -> None:
    values = (None if text is None else Decimal(text) for text in (part, whole))
    assert format_percent(*values) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.4, "0 s"), (41, "41 s"), (-5, "0 s"), (727.9, "12 min 7 s"), (3600, "1 h"),
        (86_399, "23 h 59 min"), (273_600, "3 d 4 h"), (86_401, "1 d"),
    ],
)  # fmt: skip
def test_durations(seconds: float, expected: str) -> None:
    assert format_duration(seconds) == expected


def test_counts() -> None:
    assert [format_count(n) for n in (1412, None, -12_345)] == ["1,412", "–", "−12,345"]
    assert [format_quantity(n, "fill") for n in (1, 0, 1000)] == [
        "1 fill",
        "0 fills",
        "1,000 fills",
    ]


def test_control_characters_are_removed() -> None:
    assert clean("fill → 2 €") == "fill → 2 €"
    assert clean("a\x1b]0;x\x07\n\tb\u202e") == "a ]0;x   b "


def test_long_labels_are_cut_in_the_middle() -> None:
    assert short_label("momentum") == "momentum"
    assert short_label("a" * 24) == "a" * 24
    label = short_label("momentum_crossover_advanced_v2_2026")
    assert (label, len(label)) == ("momentum_cr…nced_v2_2026", MAX_LABEL)


def test_many_labels_are_counted() -> None:
    assert name_some(["a", "b"]) == "a, b"
    assert name_some([*"abcdefg"], limit=5) == "a, b, c, d, e and 2 others"
