"""Connections to the broker that are open before an order needs one.

A new connection costs two to four round trips, an order over an open one costs one. So many are
kept in the pool that all accounts share: opened at start, opened anew when the broker has closed
them, and exchanged before it does. No request is made for it: that would spend budget.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import ceil

import aiohttp
from yarl import URL

from realtime.broker.http_client import CONNECT_S
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_WARM = 100
"""Connections kept, fleet-wide."""

LOOK_EVERY_S = 10.0
"""A connection that the broker has closed is missing for so long at the most."""

LIFE_S = 50.0
"""A connection is exchanged after so long. Load balancers close one that was idle for 60 s, and of
an order that is sent in that very moment nobody knows whether it arrived."""

Wanted = Callable[[], Mapping[str, int]]
"""Gives address → how many connections orders may use there at one time."""


@asynccontextmanager
async def keeping_warm(http: aiohttp.ClientSession, wanted: Wanted) -> AsyncIterator[None]:
    """Keep connections ready while the block runs."""
    task = asyncio.create_task(_keep(http, wanted), name="warm")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep(http: aiohttp.ClientSession, wanted: Wanted) -> None:
    ready: dict[str, int] = {}
    while True:
        for url, count in _shared(wanted()).items():
            had = ready.get(url)
            # Where nothing could be opened, one is tried at a time: a broker that comes back is not
            # met by a hundred at once.
            ready[url] = await _refresh(http, url, min(count, 1) if had == 0 else count, had or 0)
            if ready[url] != had:
                log.debug("connections.ready", url=url, count=ready[url])
        await asyncio.sleep(LOOK_EVERY_S)


def _shared(wanted: Mapping[str, int]) -> dict[str, int]:
    """What each address gets of all that may be kept."""
    total = sum(wanted.values())
    share = min(1.0, MAX_WARM / total) if total else 0.0
    return {url: ceil(count * share) for url, count in wanted.items()}


async def _refresh(http: aiohttp.ClientSession, url: str, count: int, had: int) -> int:
    """Have so many open connections in the pool; gives how many there are."""
    # The pool hands out what was unused for longest first: those are exchanged.
    exchanged = ceil(min(count, had) * LOOK_EVERY_S / LIFE_S)
    opened = await asyncio.gather(*(_hold(http, url, exchange=n < exchanged) for n in range(count)))
    return sum(opened)


async def _hold(http: aiohttp.ClientSession, url: str, *, exchange: bool) -> bool:
    """Take a connection from the pool, or open one, and put it back; whether there is one."""
    try:
        connection = await _connect(http, url)
        try:
            # All take theirs before the first puts its own back, so each has another one.
            await asyncio.sleep(0)
            if exchange:
                connection.close()
                connection = await _connect(http, url)
        finally:
            connection.release()
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
    return True


async def _connect(http: aiohttp.ClientSession, url: str) -> aiohttp.connector.Connection:
    assert http.connector is not None, "the session is open"
    request = aiohttp.ClientRequest("GET", URL(url), loop=asyncio.get_running_loop(), session=http)
    return await http.connector.connect(request, [], aiohttp.ClientTimeout(connect=CONNECT_S))
