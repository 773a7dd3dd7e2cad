"""Delay of the event loop, and recent durations of requests and updates.

A small task wakes up twice a second. Its delay is the delay of all tasks, and distinguishes an
overloaded daemon from a slow network. It also feeds the service manager's watchdog. The garbage
collector's pauses are part of that delay, and counted by themselves.
"""

import asyncio
import gc
import time
from collections.abc import Mapping

from aiohttp import web

from realtime.telemetry.histogram import Histogram, RecentPercentiles, RecentWindow
from realtime.telemetry.request_stats import RequestStats

TICK_INTERVAL_S = 0.5
WINDOW_INTERVAL_S = 10.0
"""Between two readings of recent durations."""

PAUSE_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

LAG_BOUNDS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LoopMonitor:
    """Measures the event loop of one application."""

    def __init__(self, updates: Histogram, requests: RequestStats) -> None:
        self.lag = Histogram(LAG_BOUNDS_S)
        """Seconds by which a wake-up came late."""
        self.pauses = Histogram(PAUSE_BOUNDS_S)
        """Seconds for which the garbage collector stopped everything."""
        self._collecting_since = 0.0
        self.ticks = 0
        """Rises while the loop runs."""
        self._updates = updates
        self._requests = requests
        self._recent: tuple[RecentWindow, RecentWindow] | None = None

    async def run(self) -> None:
        """Measure until cancelled."""
        gc.callbacks.append(self._note_collection)
        try:
            await self._run()
        finally:
            gc.callbacks.remove(self._note_collection)

    def _note_collection(self, phase: str, _: Mapping[str, int]) -> None:
        if phase == "start":
            self._collecting_since = time.perf_counter()
        else:
            self.pauses.observe(time.perf_counter() - self._collecting_since)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        asked, applied = self._recent = (
            RecentWindow(self._requests.durations, loop.time()),
            RecentWindow([self._updates], loop.time()),
        )
        look_at = loop.time() + WINDOW_INTERVAL_S
        while True:
            due = loop.time() + TICK_INTERVAL_S
            await asyncio.sleep(TICK_INTERVAL_S)
            now = loop.time()
            self.lag.observe(max(0.0, now - due))
            self.ticks += 1
            if now >= look_at:
                asked.update(now)
                applied.update(now)
                look_at = now + WINDOW_INTERVAL_S

    @property
    def requests(self) -> RecentPercentiles | None:
        """Recent durations of requests; None in the first seconds."""
        return None if self._recent is None else self._recent[0].recent

    @property
    def updates(self) -> RecentPercentiles | None:
        """Recent lags of executions, from the broker's time to their visibility here."""
        return None if self._recent is None else self._recent[1].recent


LOOP_MONITOR = web.AppKey("loop_monitor", LoopMonitor)
