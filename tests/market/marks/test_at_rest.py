"""After traffic and then quiet, marks are the figures of the broker to the cent, at any seed."""

import pytest

from tests.market.marks.schedules import explain, is_right, play_schedule
from tests.seeds import seeds

SEEDS_OF_A_BLOCK = 50


@pytest.mark.parametrize("seed", seeds(2, 30))
def test_at_rest_marks_are_the_broker_s_to_the_cent(seed: int) -> None:
    played = play_schedule(seed)
    assert is_right(played), explain(played)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_a_thousand_schedules(block: int) -> None:
    first = block * SEEDS_OF_A_BLOCK
    for seed in range(first, first + SEEDS_OF_A_BLOCK):
        played = play_schedule(seed)
        assert is_right(played), explain(played)
