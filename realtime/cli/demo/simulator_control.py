"""The demo's hands: on its simulator's switches, in one account's orders, on the daemon's door."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import aiohttp

from realtime.cli.demo.statistics import DemoStatistics
from realtime.simulator.credentials import key_id_for, secret_for

QUERY_EVERY_S = 0.05

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


class SimulatorControl:
    """Switches of `/_sim`. A simulator that does not answer is somebody else's business here."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def switch(self, fault: Mapping[str, object]) -> bool:
        """Put a fault on; says whether it was taken."""
        return await self._post("/_sim/faults", fault)

    async def buy(self, label: str) -> bool:
        """Place an order in an account's name, as any other program with its key may."""
        keys = {"APCA-API-KEY-ID": key_id_for(label), "APCA-API-SECRET-KEY": secret_for(label)}
        return await self._post("/v2/orders", ORDER, keys)

    @asynccontextmanager
    async def quiet(self, activity: float) -> AsyncIterator[None]:
        """Let nobody trade while the block runs, then `activity` events a second again."""
        await self._post("/_sim/traffic", {"activity": 0})
        yield
        await self._post("/_sim/traffic", {"activity": activity})

    async def _post(
        self, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> bool:
        try:
            async with self._http.post(self._url + path, json=body, headers=headers) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False


async def query_for_ever(
    http: aiohttp.ClientSession, daemon: str, labels: Sequence[str], figures: DemoStatistics
) -> None:
    """Ask for one dashboard after another at a steady pace and measure, until cancelled."""
    loop = asyncio.get_running_loop()
    for label in cycle(labels):
        began = loop.time()
        try:
            async with http.get(f"{daemon}/realtime/dashboard/{label}") as answer:
                await answer.read()
                answer.raise_for_status()
            figures.queries.add((loop.time() - began) * 1000)
        except (aiohttp.ClientError, TimeoutError):
            figures.queries_failed += 1
        await asyncio.sleep(QUERY_EVERY_S)
