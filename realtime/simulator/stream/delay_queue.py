"""Delayed callbacks in the order of their time and, at equal times, of their scheduling.

`loop.call_later` does not keep the order of equal times.
"""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

# Frames delayed by faults, over all accounts; above this they are sent immediately.
MAX_HELD = 100_000


class DelayQueue:
    """Delayed callbacks on one timer."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = 0
        self._timer: asyncio.TimerHandle | None = None

    def schedule(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call `act` in `seconds`; immediately if that is zero or the queue is full."""
        if seconds <= 0 or len(self._heap) >= MAX_HELD:
            callback()
            return
        self._counter += 1
        heappush(self._heap, (self._now() + seconds, self._counter, callback))
        self._start_timer()

    def close(self) -> None:
        """Drop all delayed callbacks."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._heap:
            delay = max(0.0, self._heap[0][0] - self._now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._run)

    def _run(self) -> None:
        self._timer = None
        # Half a millisecond early counts as due: the loop's clock has a coarse tick.
        limit = self._now() + 0.0005
        while self._heap and self._heap[0][0] <= limit:
            heappop(self._heap)[2]()
        self._start_timer()
