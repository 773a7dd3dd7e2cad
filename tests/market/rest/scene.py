"""A reader of market data and the simulator that it reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from msgspec import Struct

from realtime.broker.data_client import DataClient
from realtime.broker.http_client import open_session
from realtime.market.rest.cache import Cache, MemoryCache
from realtime.market.rest.freshness import Kind
from realtime.market.rest.latest_values import LatestReader
from realtime.market.rest.reader import DataQuery, RestReader, make_scope
from realtime.market.rest.request_budget import RequestBudget
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from realtime.simulator.faults.catalogue import parse_fault
from tests.simulator.market.conftest import Clock

KEYS = Credentials(Secret("demo-alpha"), Secret("demo-secret-alpha"))


class RestScene(Struct, frozen=True):
    """What a test works with. `clock` is that of both."""

    simulator: Simulator
    clock: Clock
    reader: RestReader
    latest: LatestReader
    http: aiohttp.ClientSession

    @property
    def requests(self) -> int:
        """Requests for market data that the simulator has received."""
        return self.simulator.counters.get("alpha").get("data_requests", 0)

    async def until_requests(self, count: int) -> None:
        """Wait until the simulator has received so many."""
        while self.requests < count:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)

    async def direct(self, path: str) -> bytes:
        """The simulator's own body."""
        headers = {"APCA-API-KEY-ID": "demo-alpha", "APCA-API-SECRET-KEY": "demo-secret-alpha"}
        async with self.http.get(self.simulator.url + path, headers=headers) as response:
            return await response.read()

    def fault(self, kind: str, **parameters: object) -> None:
        """Add a fault to the simulator."""
        self.simulator.faults.add(parse_fault({"kind": kind, **parameters}))


def data_query(path: str, kind: Kind = "latest", **params: str) -> DataQuery:
    """A query; parameters with a trailing underscore lose it."""
    return DataQuery(path, tuple((name.rstrip("_"), text) for name, text in params.items()), kind)


@asynccontextmanager
async def rest_scene(
    *,
    cache: Cache | None = None,
    keys: Credentials = KEYS,
    url: str | None = None,
    **options: Any,
) -> AsyncIterator[RestScene]:
    """Run a simulator and a reader of it, or of another address."""
    clock = Clock()
    async with (
        Simulator(accounts=2, step_s=None, clock=clock, **options) as simulator,
        open_session(aiohttp.TCPConnector(limit=0)) as http,
        asyncio.TaskGroup() as tasks,
    ):
        reader = RestReader(
            DataClient(http, url or simulator.url, keys),
            cache or MemoryCache(),
            RequestBudget(asyncio.get_running_loop().time),
            scope=make_scope(keys, simulator.url),
            tasks=tasks,
            clock=lambda: clock.now / 1e9,
        )
        yield RestScene(simulator, clock, reader, LatestReader(reader), http)
