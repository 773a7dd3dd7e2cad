"""A fixed range of histories keeps every promise. More of them: `scripts/simulate`."""

import pytest

from tests.world.history import live_through
from tests.world.report import describe
from tests.world.schedule import Size, draw
from tests.world.shrink import shrink

SEEDS = range(200)
ONCE_BROKEN = (385, 635, 661)
"""Seeds that have found something."""


MORE: tuple[tuple[Size, range], ...] = (
    *(("small", range(first, first + 25)) for first in range(200, 400, 25)),
    *(("large", range(first, first + 1)) for first in range(4)),
)
"""What is lived through where there is time for it."""


def keep_promises(seed: int, size: Size) -> None:
    """Live through a seed; fails with the whole story."""
    outcome = live_through(draw(seed, size))
    if outcome.broken is not None:
        pytest.fail(describe(outcome, shrink(outcome), size), pytrace=False)


@pytest.mark.parametrize("seed", [*SEEDS, *ONCE_BROKEN])
def test_every_promise_is_kept(seed: int) -> None:
    """Whatever happens: right, or marked; and equal to the broker's books when all is quiet."""
    keep_promises(seed, "small")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("size", "seeds"), MORE, ids=lambda value: str(value))
def test_every_promise_is_kept_for_longer(size: Size, seeds: range) -> None:
    for seed in seeds:
        keep_promises(seed, size)
