"""How far marked equity is from the broker's own."""

from decimal import Decimal

import pytest

from realtime.core.mark_error import MAX_ERRORS, ErrorWindow, MarkError, measure, percentile


def decimals(*values: float) -> list[Decimal]:
    return [Decimal(str(value)) for value in values]


def test_the_error_is_the_smallest_difference_during_the_read() -> None:
    error = measure(decimals(100, 100.4, 99.5), Decimal("100.3"))
    assert error == MarkError(error=Decimal("0.1"), naive=Decimal("-0.8"), equity=Decimal("100.3"))


def test_no_mark_during_the_read_is_no_error() -> None:
    assert measure([], Decimal(100)) is None


@pytest.mark.parametrize(
    ("error", "equity", "points"), [("-1", "10000", "1"), ("2", "-10000", "2"), ("5", "0", "0")]
)
def test_basis_points_are_of_equity(error: str, equity: str, points: str) -> None:
    assert MarkError(
        error=Decimal(error), naive=Decimal(error), equity=Decimal(equity)
    ).basis_points == Decimal(points)


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 2), (95, 4), (25, 1), (26, 2), (100, 4), (0, 1)]
)
def test_percentiles_are_values_that_occurred(percent: int, expected: int) -> None:
    assert percentile(decimals(1, 2, 3, 4), percent) == expected


def test_the_summary_covers_the_last_reads() -> None:
    window = ErrorWindow()
    assert window.summary is None
    for n in range(MAX_ERRORS + 10):
        window.add(MarkError(error=Decimal(-n), naive=Decimal(n), equity=Decimal(10_000)))
    summary = window.summary
    assert summary is not None
    assert (summary.reads, summary.max, summary.last) == (MAX_ERRORS, Decimal(109), Decimal(-109))
    assert (summary.p50, summary.p95) == (Decimal(59), Decimal(108))  # an upper bound
    assert summary.p95_bps == summary.p95
