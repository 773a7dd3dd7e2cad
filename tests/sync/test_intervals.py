"""REST is read often for few accounts, and within a budget for many."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.core.state import LAG_S
from realtime.sync.balances import MIN_INTERVAL_S
from realtime.sync.intervals import BALANCES_S, RECONCILE_S, intervals_for

BALANCES_REQUESTS, RECONCILE_REQUESTS = 2, 6


def test_small_fleet_is_read_often() -> None:
    assert (intervals_for(1).balances_s, intervals_for(1).reconcile_s) == (BALANCES_S, RECONCILE_S)


@given(st.integers(1, 10_000))
def test_reads_of_an_account_and_of_the_fleet_are_bounded(accounts: int) -> None:
    intervals = intervals_for(accounts)
    per_s = BALANCES_REQUESTS / intervals.balances_s + RECONCILE_REQUESTS / intervals.reconcile_s
    assert per_s * 60 <= 200 * 0.08
    assert per_s * accounts <= 61


@given(st.integers(1, 10_000))
def test_first_reconciliations_after_a_mass_reconnect_are_spread(accounts: int) -> None:
    first, last = intervals_for(accounts).first_reconcile_s
    assert first > LAG_S
    assert last >= 36
    assert accounts * RECONCILE_REQUESTS / (last - first) <= 101 or accounts <= 400


def test_constant_fills_do_not_use_up_the_budget() -> None:
    assert 60 * BALANCES_REQUESTS / MIN_INTERVAL_S <= 200 * 0.3
