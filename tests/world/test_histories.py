"""A fixed range of histories keeps every promise. More of them: `scripts/simulate`."""

from pathlib import Path

import pytest

from tests.seeds import seeds
from tests.world.history import play
from tests.world.report import describe
from tests.world.schedule import FOUND, Size, decode, draw
from tests.world.shrink import shrink

MORE: tuple[tuple[Size, range], ...] = (
    *(("small", range(first, first + 25)) for first in range(200, 300, 25)),
    *(("large", range(first, first + 1)) for first in range(1, 3)),
)
"""What is lived through where there is time for it."""


def keep_promises(seed: int, size: Size) -> None:
    """Live through a seed; fails with the whole story."""
    outcome = play(draw(seed, size))
    if outcome.broken is not None:
        pytest.fail(describe(outcome, shrink(outcome), size), pytrace=False)


@pytest.mark.parametrize("seed", seeds(12, 200))
def test_every_promise_is_kept(seed: int) -> None:
    """Whatever happens: right, or marked; and equal to the broker's books when all is quiet."""
    keep_promises(seed, "small")


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_broke_a_promise_once_breaks_none_now(path: Path) -> None:
    outcome = play(decode(path.read_bytes()))
    assert outcome.broken is None, outcome.details


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("size", "seeds"), MORE, ids=lambda value: str(value))
def test_every_promise_is_kept_for_longer(size: Size, seeds: range) -> None:
    for seed in seeds:
        keep_promises(seed, size)
