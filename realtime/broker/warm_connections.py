"""Keeps connections to the broker open before an order needs one.

A new connection costs two to four round trips, an order over an open one costs one. So the pool
that all accounts share keeps some open: opened at start, reopened when the broker has closed them,
and replaced before it does. No request is made for this: it would use up the rate limit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from math import ceil

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from realtime.broker.http_client import CONNECT_TIMEOUT_S, split_proxy
from realtime.broker.proxies import find_proxy
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_WARM = 100
"""Maximum open connections, over all accounts."""

CHECK_INTERVAL_S = 10.0
"""A connection that the broker has closed is missing for at most this long."""

MAX_IDLE_S = 50.0
"""A connection is replaced after this long. Load balancers close one that was idle for 60 s, and
the result of an order sent at that moment is unknown."""

Wanted = Callable[[], Mapping[str, int]]
"""Returns address → how many connections orders may use there at once."""


@asynccontextmanager
async def keep_warm(http: aiohttp.ClientSession, wanted: Wanted) -> AsyncIterator[None]:
    """Keep connections open while the block runs."""
    task = asyncio.create_task(_keep_warm(http, wanted), name="warm")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _keep_warm(http: aiohttp.ClientSession, wanted: Wanted) -> None:
    ready: dict[str, int] = {}
    while True:
        for url, count in _share_limit(wanted()).items():
            had = ready.get(url)
            # Where none could be opened, try one at a time: a broker that recovers should not
            # receive a hundred at once.
            ready[url] = await _refresh(http, url, min(count, 1) if had == 0 else count, had or 0)
            if ready[url] != had:
                log.debug("connections.warmed", url=url, count=ready[url])
        await asyncio.sleep(CHECK_INTERVAL_S)


def _share_limit(wanted: Mapping[str, int]) -> dict[str, int]:
    """Return each address's share of `MAX_WARM`."""
    total = sum(wanted.values())
    share = min(1.0, MAX_WARM / total) if total else 0.0
    return {url: ceil(count * share) for url, count in wanted.items()}


async def _refresh(http: aiohttp.ClientSession, url: str, count: int, had: int) -> int:
    """Have `count` open connections in the pool; return how many there are."""
    # The pool returns the connections that were idle longest first: those are replaced.
    exchanged = ceil(min(count, had) * CHECK_INTERVAL_S / MAX_IDLE_S)
    opened = await asyncio.gather(
        *(_check_connection(http, url, exchange=n < exchanged) for n in range(count))
    )
    return sum(opened)


async def _check_connection(http: aiohttp.ClientSession, url: str, *, exchange: bool) -> bool:
    """Acquire a connection, from the pool or a new one, and release it; whether there is one."""
    try:
        connection = await _connect(http, url)
        try:
            # All acquire theirs before the first is released, so each has a different one.
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
    proxy, headers = split_proxy(find_proxy(url))
    loop = asyncio.get_running_loop()
    request = aiohttp.ClientRequest(
        "GET",
        URL(url),
        loop=loop,
        session=http,
        proxy=proxy,
        proxy_headers=CIMultiDict(headers or {}),
    )
    return await http.connector.connect(
        request, [], aiohttp.ClientTimeout(connect=CONNECT_TIMEOUT_S)
    )
