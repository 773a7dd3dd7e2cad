"""Looking at REST without a reason: often for few accounts, within a budget for many."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.live.pace import COMPARISON_S, MONEY_S, pace_of

MONEY_REQUESTS, COMPARISON_REQUESTS = 2, 6


def test_a_small_farm_is_looked_at_often() -> None:
    assert (pace_of(1).money_s, pace_of(1).comparison_s) == (MONEY_S, COMPARISON_S)


@given(st.integers(1, 10_000))
def test_neither_an_account_nor_the_farm_asks_too_much(accounts: int) -> None:
    pace = pace_of(accounts)
    each = MONEY_REQUESTS / pace.money_s + COMPARISON_REQUESTS / pace.comparison_s
    assert each * 60 <= 200 * 0.08
    assert each * accounts <= 61


@given(st.integers(1, 10_000))
def test_fills_without_end_do_not_spend_the_budget_nor_the_processor(accounts: int) -> None:
    pace = pace_of(accounts)
    assert 60 * MONEY_REQUESTS / pace.money_gap_s <= 200 * 0.3
    assert accounts * MONEY_REQUESTS / pace.money_gap_s <= 201
