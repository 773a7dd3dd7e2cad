"""The last elements of one stream by their numbers: pure, for clients that resume."""

from bisect import bisect_right
from collections import deque
from itertools import islice

from realtime.broker.market_codec import Element

MAX_AGE_S = 60.0
MAX_ELEMENTS = 200_000
MAX_BYTES = 32 * 2**20
"""Whichever comes first. An element of 90 bytes takes about 250 in memory."""


class SequenceRing:
    """Numbers elements and keeps the newest. Numbers only grow, also over a restart: the first is
    taken from the clock, in microseconds, and no stream has a million elements a second."""

    def __init__(
        self,
        now: float,
        *,
        max_age_s: float = MAX_AGE_S,
        max_elements: int = MAX_ELEMENTS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.seq = int(now * 1e6)
        """The number of the newest element."""
        self.first_seq = self.seq
        """All elements after this number are here."""
        self._max_age_s = max_age_s
        self._max_elements = max_elements
        self._max_bytes = max_bytes
        self._frames: deque[tuple[float, int, list[Element]]] = deque()
        """Time, number of the last element, elements."""
        self._bytes = 0
        self._count = 0

    def add(self, elements: list[Element], now: float) -> None:
        """Number the elements of a frame and keep them; remove the oldest beyond the bounds."""
        for element in elements:
            self.seq += 1
            element.seq = self.seq
            self._bytes += len(element.raw)
        self._count += len(elements)
        self._frames.append((now, self.seq, elements))
        while self._frames and self._is_over(now):
            _, last, removed = self._frames.popleft()
            self.first_seq = last
            self._count -= len(removed)
            self._bytes -= sum(len(element.raw) for element in removed)

    def _is_over(self, now: float) -> bool:
        return (
            self._count > self._max_elements
            or self._bytes > self._max_bytes
            or self._frames[0][0] < now - self._max_age_s
        )

    def get_after(self, seq: int, until: int) -> list[Element] | None:
        """Return the elements with `seq` < number ≤ `until`; None if some are no longer here."""
        if not self.first_seq <= seq <= self.seq:
            return None
        start = bisect_right(self._frames, seq, key=lambda frame: frame[1])
        return [
            element
            for _, _, elements in islice(self._frames, start, None)
            for element in elements
            if seq < element.seq <= until
        ]
