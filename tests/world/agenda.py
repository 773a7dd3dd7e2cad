"""What will happen when: one thing after another, at equal times in the order of asking."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush

Doing = Callable[[], Awaitable[None] | None]


class Agenda:
    """The world's own hand: everything that is not daemon, broker or net happens in one task."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Doing]] = []
        self._counter = 0

    def add(self, at: float, doing: Doing) -> None:
        """Have something done at a loop time, or as soon as possible after it."""
        self._counter += 1
        heappush(self._heap, (at, self._counter, doing))

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()

    async def run(self, until: float) -> None:
        """Do what is due, as time passes."""
        loop = asyncio.get_running_loop()
        while self._heap and self._heap[0][0] <= until:
            at, _, doing = heappop(self._heap)
            if at > loop.time():
                await asyncio.sleep(at - loop.time())
            doing_it = doing()
            if inspect.isawaitable(doing_it):
                await doing_it
        if until > loop.time():
            await asyncio.sleep(until - loop.time())
