"""Garbage collections that stop the event loop for a millisecond instead of thirty.

A thousand accounts hold forty thousand tasks, futures and timers, which are replaced as they wait
and are no garbage. Python's collector visits all that it has not excluded, whenever enough objects
are new. So a task collects what is new ten times a second, about a thousand objects, and
excludes the rest from all further collections. Excluded objects are freed as soon as nothing refers
to them; only those that refer to each other (a lost connection, an exception and its frame) are not
found any more. Therefore everything is collected when the fleet is idle.
"""

import asyncio
import gc
from collections.abc import Callable

from realtime.runtime.process import freeze_memory

INTERVAL_S = 0.1

CHECK_INTERVAL_S = 60.0
"""Between two checks whether everything should be collected. Counting the objects takes 1 ms."""

MIN_THOROUGH_INTERVAL_S = 3600.0
"""Between two full collections while the fleet is idle: each takes half a second with a thousand
accounts."""

MIN_GROWTH = 20_000
"""More excluded objects than after the last full collection, for another to be worth its time."""

MAX_GROWTH = 500_000
"""With so many more, everything is collected although the fleet is busy: about 100 MB. With fewer
objects to begin with, half as many: a small daemon stays small, and collects all in little time."""


class GarbageCollector:
    """Collects in short slices. `get_activity` returns another number after any activity; `now` is
    the loop's time in seconds."""

    def __init__(self, get_activity: Callable[[], int], now: float) -> None:
        self._get_activity = get_activity
        self._activity = get_activity()
        self._check_at = now + CHECK_INTERVAL_S
        self._thorough_at = now + MIN_THOROUGH_INTERVAL_S
        self._excluded = gc.get_freeze_count()

    def collect(self, now: float) -> None:
        """Collect what is new, and everything if it is due."""
        gc.collect(0)
        gc.freeze()
        if now >= self._check_at:
            self._check_at = now + CHECK_INTERVAL_S
            activity, before = self._get_activity(), self._activity
            self._activity = activity
            growth = gc.get_freeze_count() - self._excluded
            is_idle = activity == before and now >= self._thorough_at
            limit = min(MAX_GROWTH, max(MIN_GROWTH, self._excluded // 2))
            if growth > limit or (is_idle and growth > MIN_GROWTH):
                self._collect_everything(now)

    def _collect_everything(self, now: float) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._excluded = gc.get_freeze_count()
        self._thorough_at = now + MIN_THOROUGH_INTERVAL_S


async def collect_garbage(get_activity: Callable[[], int]) -> None:
    """Exclude all objects of this moment, then collect in short slices until cancelled."""
    loop = asyncio.get_running_loop()
    freeze_memory()
    collector = GarbageCollector(get_activity, loop.time())
    while True:
        await asyncio.sleep(INTERVAL_S)
        collector.collect(loop.time())
