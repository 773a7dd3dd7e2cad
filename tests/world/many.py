"""Many histories, on several cores: the first failures told in full, all counted."""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

from msgspec import Struct

from tests.world.history import Outcome, play
from tests.world.report import describe
from tests.world.schedule import Size, draw
from tests.world.shrink import shrink

TOLD_IN_FULL = 3


class Summary(Struct):
    """What came of a range of seeds."""

    seeds: int = 0
    failed: list[int] = []
    broken: Counter[str] = Counter()
    figures: Counter[str] = Counter()
    acts: Counter[str] = Counter()
    took_s: float = 0.0


def live_one(task: tuple[int, Size]) -> Outcome:
    """Live through one seed; for worker processes."""
    seed, size = task
    return play(draw(seed, size))


def outcomes(seeds: Sequence[int], size: Size, jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed, in order."""
    tasks: Iterable[tuple[int, Size]] = ((seed, size) for seed in seeds)
    if jobs == 1:
        yield from map(live_one, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with closing(context.Pool(jobs)) as pool:
        yield from pool.imap(live_one, tasks, chunksize=4)
    pool.join()


def survey(
    seeds: Sequence[int], size: Size, jobs: int, tell: Callable[[str], None], *, stop: int
) -> Summary:
    """Live through all; stop after so many failures."""
    summary, began = Summary(failed=[], broken=Counter(), figures=Counter(), acts=Counter()), 0.0
    began = time.monotonic()
    for outcome in outcomes(seeds, size, jobs):
        summary.seeds += 1
        summary.figures.update(outcome.figures)
        summary.acts.update(act.what for act in outcome.schedule.acts)
        if outcome.broken is not None:
            summary.failed.append(outcome.schedule.seed)
            summary.broken[outcome.broken] += 1
            if len(summary.failed) <= TOLD_IN_FULL:
                tell(describe(outcome, shrink(outcome), size) + "\n")
            if len(summary.failed) >= stop:
                break
    summary.took_s = time.monotonic() - began
    return summary
