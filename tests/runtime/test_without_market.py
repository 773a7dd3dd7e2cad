"""Without `[market]` nothing of market data exists: no task, no route, no connection, no metric."""

import asyncio

import aiohttp

from realtime.simulator.app import Simulator
from tests.fleet import fleet
from tests.virtual import nanosecond_clock, run, world

PATHS = ("/v2/iex", "/v1beta1/news", "/market/stream", "/market/status", "/api/v1/broker/stream")


def test_a_daemon_without_the_section_has_nothing_of_it() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=2, clock=nanosecond_clock)
        async with simulator, fleet(simulator, world(1)) as running:
            await running.until(running.all_synced)
            await asyncio.sleep(120)
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert not {name for name in names if name.startswith("market")}
            base = f"http://127.0.0.1:{running.daemon.port}"
            for path in PATHS:
                assert await status_of(running.http, base + path) in (401, 404), path
            async with running.http.get(base + "/metrics") as response:
                assert "realtime_market" not in await response.text()
            counts = simulator.counters.total()
            assert not {name for name in counts if name.startswith("data_")}

    async def status_of(http: aiohttp.ClientSession, url: str) -> int:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        async with http.get(url, headers=headers) as response:
            return response.status

    run(main)
