"""A clock for people that no jump of the machine's clock can upset.

What was heard is compared with what is heard later, so time must not run backwards nor leap: it is
taken from the monotonic clock. But it is shown to people, too, so it drifts towards the machine's
clock, by 5 % of the time that passes at the most: a correction of a second takes twenty.
"""

from collections.abc import Callable

SLEW = 0.05


class SteadyClock:
    """Call it for epoch seconds; never less than before."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._read_at = monotonic()
        self._now = wall()

    def __call__(self) -> float:
        """Epoch seconds."""
        read_at = self._monotonic()
        passed, self._read_at = read_at - self._read_at, read_at
        self._now += passed
        most = SLEW * passed
        self._now += min(most, max(-most, self._wall() - self._now))
        return self._now
