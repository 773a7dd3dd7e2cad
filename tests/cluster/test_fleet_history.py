"""Histories of a fleet with failures of every kind: no order twice, none by two owners."""

import pytest

from tests.cluster.fleet_history import History

QUICK = range(1)
SLOW = range(1, 25)


@pytest.mark.parametrize("seed", QUICK)
def test_no_order_leaves_twice_whatever_fails(seed: int) -> None:
    """And each account is owned once and synced in the end."""
    History(seed, orders=20).play()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SLOW)
def test_no_order_leaves_twice_in_more_histories(seed: int) -> None:
    """The same with other seeds."""
    History(seed).play()
