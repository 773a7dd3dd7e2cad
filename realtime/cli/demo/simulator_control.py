"""The demo's requests: faults and orders at the simulator, queries to the daemon."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import aiohttp

from realtime.cli.demo.statistics import DemoStatistics
from realtime.simulator.credentials import key_id_for, secret_for

QUERY_INTERVAL_S = 0.05

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


class SimulatorControl:
    """The switches of `/_sim`. A simulator that does not respond is reported elsewhere."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def add_fault(self, fault: Mapping[str, object]) -> bool:
        """Start a fault; return whether the simulator accepted it."""
        return await self._post("/_sim/faults", fault)

    async def clear_faults(self) -> None:
        """End all faults."""
        try:
            async with self._http.delete(self._url + "/_sim/faults"):
                pass
        except (aiohttp.ClientError, TimeoutError):
            pass

    async def buy(self, label: str) -> bool:
        """Place an order for an account, as another program with its key could."""
        keys = {"APCA-API-KEY-ID": key_id_for(label), "APCA-API-SECRET-KEY": secret_for(label)}
        return await self._post("/v2/orders", ORDER, keys)

    @asynccontextmanager
    async def quiet(self, activity: float) -> AsyncIterator[None]:
        """Stop trading while the block runs, then trade at `activity` events per second again."""
        await self._post("/_sim/traffic", {"activity": 0})
        yield
        await self._post("/_sim/traffic", {"activity": activity})

    async def _post(
        self, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> bool:
        try:
            async with self._http.post(self._url + path, json=body, headers=headers) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False


async def query_repeatedly(
    http: aiohttp.ClientSession, daemon: str, labels: Sequence[str], statistics: DemoStatistics
) -> None:
    """Query one dashboard after another at a steady rate and measure, until cancelled."""
    loop = asyncio.get_running_loop()
    for label in cycle(labels):
        started_at = loop.time()
        try:
            async with http.get(f"{daemon}/realtime/dashboard/{label}") as response:
                await response.read()
                response.raise_for_status()
            statistics.queries.add((loop.time() - started_at) * 1000)
        except (aiohttp.ClientError, TimeoutError):
            statistics.queries_failed += 1
        await asyncio.sleep(QUERY_INTERVAL_S)
