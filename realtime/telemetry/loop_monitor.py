"""Whether the event loop turns on time, and how requests and updates have gone lately.

One small task looks a few times a second. What it is late itself, everybody was: that is the one
figure that tells an overloaded daemon from a slow network. It is also the proof of life that a
service manager's watchdog is given.
"""

import asyncio

from aiohttp import web

from realtime.telemetry.histogram import Histogram, RecentPercentiles, RecentWindow
from realtime.telemetry.request_stats import RequestStats

TICK_INTERVAL_S = 0.5
WINDOW_INTERVAL_S = 10.0
"""Between two readings of what happened lately."""

LAG_BOUNDS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class LoopMonitor:
    """One an application."""

    def __init__(self, updates: Histogram, requests: RequestStats) -> None:
        self.lag = Histogram(LAG_BOUNDS_S)
        """Seconds by which a wake-up came late."""
        self.ticks = 0
        """Rises as long as the loop turns."""
        self._updates = updates
        self._requests = requests
        self._recent: tuple[RecentWindow, RecentWindow] | None = None

    async def run(self) -> None:
        """Look until cancelled."""
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
        """How requests went lately; None in the first seconds."""
        return None if self._recent is None else self._recent[0].recent

    @property
    def updates(self) -> RecentPercentiles | None:
        """The same of executions: from the broker's time of each to where readers see it."""
        return None if self._recent is None else self._recent[1].recent


LOOP_MONITOR = web.AppKey("pulse", LoopMonitor)
"""Where an application keeps it."""
