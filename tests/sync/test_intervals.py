"""Looking at REST without a reason: often for few accounts, within a budget for many."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.state import LAG_S
from realtime.sync.balances import GAP_S
from realtime.sync.intervals import COMPARISON_S, MONEY_S, intervals_for

MONEY_REQUESTS, COMPARISON_REQUESTS = 2, 6


def test_a_small_fleet_is_looked_at_often() -> None:
    assert (intervals_for(1).money_s, intervals_for(1).comparison_s) == (MONEY_S, COMPARISON_S)


@given(st.integers(1, 10_000))
def test_neither_an_account_nor_the_fleet_asks_too_much(accounts: int) -> None:
    intervals = intervals_for(accounts)
    each = MONEY_REQUESTS / intervals.money_s + COMPARISON_REQUESTS / intervals.comparison_s
    assert each * 60 <= 200 * 0.08
    assert each * accounts <= 61


@given(st.integers(1, 10_000))
def test_a_fleet_that_came_back_at_once_does_not_read_at_once(accounts: int) -> None:
    first, last = intervals_for(accounts).soon_s
    assert first > LAG_S
    assert last >= 36
    assert accounts * COMPARISON_REQUESTS / (last - first) <= 101 or accounts <= 400


def test_fills_without_end_do_not_spend_the_budget() -> None:
    assert 60 * MONEY_REQUESTS / GAP_S <= 200 * 0.3
