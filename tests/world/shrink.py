"""A shorter schedule that still fails in the same way: acts are dropped while it does."""

from collections.abc import Callable

from msgspec import structs

from tests.world.history import Outcome, play
from tests.world.schedule import Schedule

MAX_TRIES = 120


def shrink(outcome: Outcome, live: Callable[[Schedule], Outcome] = play) -> Outcome:
    """The shortest failing history found: halves first, then acts one by one."""
    tries = 0
    size = max(1, len(outcome.schedule.acts) // 2)
    while size and tries < MAX_TRIES:
        at, shorter = 0, False
        while at < len(outcome.schedule.acts) and tries < MAX_TRIES:
            acts = outcome.schedule.acts
            tries += 1
            tried = live(structs.replace(outcome.schedule, acts=acts[:at] + acts[at + size :]))
            if tried.broken == outcome.broken:
                outcome, shorter = tried, True
            else:
                at += size
        if not shorter or size > 1:
            size //= 2
    return outcome
