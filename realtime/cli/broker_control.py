"""The demo's hand on its simulator's switches and its eye on the daemon, both over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import aiohttp

from realtime.cli.figures import Figures

QUERY_EVERY_S = 0.05


class BrokerControl:
    """Switches of `/_sim`. A simulator that does not answer is somebody else's business here."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def switch(self, fault: Mapping[str, object]) -> bool:
        """Put a fault on; says whether it was taken."""
        return await self._post("faults", fault)

    @asynccontextmanager
    async def quiet(self, activity: float) -> AsyncIterator[None]:
        """Let nobody trade while the block runs, then `activity` events a second again."""
        await self._post("traffic", {"activity": 0})
        yield
        await self._post("traffic", {"activity": activity})

    async def _post(self, path: str, body: Mapping[str, object]) -> bool:
        try:
            async with self._http.post(f"{self._url}/_sim/{path}", json=body) as answer:
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False


async def query_for_ever(
    http: aiohttp.ClientSession, daemon: str, labels: Sequence[str], figures: Figures
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
