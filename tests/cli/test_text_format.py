"""Figures and foreign text as a person at a terminal reads them."""

import pytest

from realtime.cli.text_format import clean, counted, money, span, stopwatch, whole


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("100281.4", "100 281.40"), ("-0.005", "-0.00"), ("20000", "20 000.00"), (None, "–"),
        ("much", "much"), ("\x1b[31m1", " [31m1"), ("NaN", "NaN"),
    ],
)  # fmt: skip
def test_money(value: str | None, shown: str) -> None:
    assert money(value) == shown


@pytest.mark.parametrize(
    ("seconds", "short", "clock"),
    [
        (0.4, "0 s", "00:00:00"), (41, "41 s", "00:00:41"), (-5, "0 s", "00:00:00"),
        (727.9, "12 min 7 s", "00:12:07"), (3600, "1 h", "01:00:00"),
        (86_399, "23 h 59 min", "23:59:59"),
        (273_600, "3 d 4 h", "3 d 4 h"), (86_401, "1 d", "1 d"),
    ],
)  # fmt: skip
def test_times_that_passed(seconds: float, short: str, clock: str) -> None:
    assert (span(seconds), stopwatch(seconds)) == (short, clock)


def test_numbers() -> None:
    assert (whole(1412), whole(None), whole(-12_345)) == ("1 412", "–", "-12 345")
    assert (counted(1, "fill"), counted(0, "fill"), counted(1000, "fill")) == (
        "1 fill", "0 fills", "1 000 fills",
    )  # fmt: skip


def test_clean() -> None:
    assert clean("fill → 2 €") == "fill → 2 €"
    assert clean("a\x1b]0;x\x07\n\tb\u202e") == "a ]0;x   b "
