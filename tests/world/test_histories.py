"""A fixed range of histories keeps every promise. More of them: `scripts/simulate`."""

import pytest

from tests.world.history import live_through
from tests.world.report import describe
from tests.world.schedule import draw
from tests.world.shrink import shrink

SEEDS = range(200)
ONCE_BROKEN = (385, 635, 661)
"""Seeds that have found something."""


@pytest.mark.parametrize("seed", [*SEEDS, *ONCE_BROKEN])
def test_every_promise_is_kept(seed: int) -> None:
    """Whatever happens: right, or marked; and equal to the broker's books when all is quiet."""
    outcome = live_through(draw(seed))
    if outcome.broken is not None:
        pytest.fail(describe(outcome, shrink(outcome), "small"), pytrace=False)
