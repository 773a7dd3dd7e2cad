"""What the stream did not deliver although REST has it: pure rules, and a bounded record.

A websocket that is open proves nothing. So the newest value of REST is compared with the newest of
the stream (DATA 1.2): a symbol can be silent while others are active, and single trades are lost.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

SECOND = 1_000_000_000
MINUTE_NS = 60 * SECOND

GRACE_NS = 5 * SECOND
"""What REST has had for this long, the stream should have delivered."""

ROUNDING_NS = 1_000
"""REST rounds to microseconds."""

MAX_MISSED = 200
"""Entries that `/market/status` shows; all are counted."""


class Missed(Struct, frozen=True, kw_only=True):
    """Something that was missed. Times are epoch nanoseconds."""

    channel: str
    symbol: str
    from_ns: int
    to_ns: int
    count: int | None = None
    """Elements that were missed, where that is known."""
    is_repaired: bool = False
    """Whether REST delivered them."""


class MissedLog:
    """The newest entries, and the number of all."""

    def __init__(self) -> None:
        self.entries: deque[Missed] = deque(maxlen=MAX_MISSED)
        self.total = 0

    def add(self, entries: Iterable[Missed]) -> None:
        """Record entries."""
        for entry in entries:
            self.entries.append(entry)
            self.total += 1


def is_behind(stream_ns: int, rest_ns: int, now_ns: int, *, observed_ns: int = 0) -> bool:
    """Whether the stream should have delivered what REST has.

    `stream_ns`: the newest element, or when the subscription was confirmed. `observed_ns`: what
    REST had at the check before; REST may be ahead of the stream by moments, not by a check.
    """
    if rest_ns <= stream_ns + ROUNDING_NS:
        return False
    return now_ns - rest_ns > GRACE_NS or observed_ns > stream_ns + ROUNDING_NS
