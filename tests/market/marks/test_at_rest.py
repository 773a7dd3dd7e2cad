"""After traffic and then quiet, marks are the figures of the broker to the cent, at any seed.

More of them: `python -m tests.market.marks.schedules 30 1000`.
"""

import pytest

from tests.market.marks.schedules import explain, is_right, play_schedule
from tests.seeds import seeds


@pytest.mark.parametrize("seed", seeds(2, 30))
def test_at_rest_marks_are_the_broker_s_to_the_cent(seed: int) -> None:
    played = play_schedule(seed)
    assert is_right(played), explain(played)
