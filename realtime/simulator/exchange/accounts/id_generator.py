"""Ids and times of one account, from its own seeded generator and the injected clock.

Nothing is shared between accounts, so one account never changes another's ids.
"""

from collections.abc import Callable
from random import Random

from realtime.simulator.exchange.timestamps import MICROSECOND, MILLISECOND

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
# Ten bits at a time: thirteen look-ups make the 26 letters of a ULID.
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]
_SHIFTS = range(120, -1, -10)
_RANDOM_BITS = 80  # a ULID is 48 bits of milliseconds and 80 random bits

# Two stamps differ by at least this much, so that they still differ after REST has rounded them
# to microseconds.
_SMALLEST_STEP = 2 * MICROSECOND


class IdGenerator:
    """Generates ids (UUID, ULID) and strictly increasing times of one account."""

    def __init__(self, seed: str, clock: Callable[[], int]) -> None:
        self._rng = Random(seed)
        # Separate, as the clock decides how many tails are drawn: UUIDs depend on the seed only.
        self._tail_chance = Random(f"{seed}:tails")
        self._clock = clock
        self._last_stamp = 0
        self._last_millisecond = -1
        self._ulid_tail = 0

    def uuid(self) -> str:
        """Return a random UUID (version 4)."""
        bits = self._rng.getrandbits(128)
        bits = bits & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def event_id(self, at: int) -> str:
        """Return a ULID of this time, greater than the last one of the same millisecond."""
        millisecond = at // MILLISECOND
        if millisecond == self._last_millisecond:
            self._ulid_tail += 1
        else:
            self._last_millisecond = millisecond
            # The top bit stays free, so that counting within a millisecond never overflows.
            self._ulid_tail = self._tail_chance.getrandbits(_RANDOM_BITS - 1)
        return _base32(millisecond << _RANDOM_BITS | self._ulid_tail)

    def next_time(self) -> int:
        """Return the current time, always later than the last one."""
        self._last_stamp = max(self._clock(), self._last_stamp + _SMALLEST_STEP)
        return self._last_stamp


def _base32(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])
