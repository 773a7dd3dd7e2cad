"""What the loop's watch sees; in virtual time, so that nothing is ever late by itself."""

import asyncio

from realtime.store.store import Store
from realtime.telemetry.loop_monitor import TICK_INTERVAL_S, WINDOW_INTERVAL_S, LoopMonitor
from realtime.telemetry.request_stats import RequestStats
from tests import virtual


def test_it_beats_as_long_as_the_loop_turns() -> None:
    async def play() -> None:
        requests, store = RequestStats(), Store(boot="b")
        loop_monitor = LoopMonitor(store.lag, requests)
        assert (loop_monitor.requests, loop_monitor.updates) == (None, None)
        task = asyncio.create_task(loop_monitor.run())
        await asyncio.sleep(WINDOW_INTERVAL_S - 1)
        for _ in range(50):
            requests.cached.observe(0.00002)
        requests.routed.observe(0.002)
        store.lag.observe(0.2)
        assert loop_monitor.requests is None
        await asyncio.sleep(1 + TICK_INTERVAL_S * 1.5)
        assert loop_monitor.ticks in range(
            int(WINDOW_INTERVAL_S / TICK_INTERVAL_S) - 1,
            int(WINDOW_INTERVAL_S / TICK_INTERVAL_S) + 3,
        )
        assert sum(loop_monitor.lag.counts) == loop_monitor.lag.counts[0] == loop_monitor.ticks
        assert loop_monitor.requests is not None
        assert loop_monitor.updates is not None
        assert loop_monitor.requests.p50_ms is not None
        assert 0.01 < loop_monitor.requests.p50_ms < 0.025
        assert loop_monitor.updates.p50_ms == 175.0
        task.cancel()

    virtual.run(play)
