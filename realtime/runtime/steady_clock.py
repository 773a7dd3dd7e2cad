"""A clock that follows the machine's clock without its jumps.

Times of events are compared with later ones, so they must neither run backwards nor jump: they are
taken from the monotonic clock. They are also shown to people, so they drift towards the machine's
clock, by at most 5 % of the time that passes: a correction of one second takes twenty.
"""

from collections.abc import Callable

MAX_DRIFT = 0.05


class SteadyClock:
    """Call it for epoch seconds; never less than before."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._now = wall()

    def __call__(self) -> float:
        """Return epoch seconds."""
        read_at = self._monotonic()
        passed, self._read_at = read_at - self._read_at, read_at
        self._now += passed
        max_drift = MAX_DRIFT * passed
        self._now += min(max_drift, max(-max_drift, self._wall() - self._now))
        return self._now
