"""Market data by REST: a response of the cache beside one that is passed through, and a storm.

The broker here is a server that answers at once with a quote of usual size, so what is measured is
the daemon's own part: processor time of its process for each request, and the requests that reach
the broker.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp import web
from msgspec import Struct

from realtime.broker.data_client import DataClient
from realtime.broker.http_client import open_session
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.latest_values import LatestQuery, LatestReader
from realtime.market.rest.reader import ANY_FRESH, CacheRules, DataQuery, RestReader
from realtime.market.rest.request_budget import RequestBudget
from realtime.secret import Credentials, Secret

KEYS = Credentials(Secret("bench"), Secret("bench"))
STORM = 100
BATCH = 1000
QUOTE = (
    b'{"ap":188.41,"as":200,"ax":"V","bp":188.39,"bs":100,"bx":"V","c":["R"],'
    b'"t":"2026-10-06T14:02:13.102334451Z","z":"C"}'
)
QUERY = DataQuery("/v2/stocks/quotes/latest", (("symbols", "AAPL"), ("feed", "iex")), "latest")


class Reads(Struct):
    """Requests of one kind."""

    name: str
    count: int
    upstream: int
    cpu_us: float
    """Of the thread, for each; the broker in it is part of what is passed through."""
    wall_us: float


def measure(count: int) -> list[Reads]:
    """Passed through, cached, a storm of equal requests, and a batch of many symbols."""
    return asyncio.run(_measure(count))


async def _measure(count: int) -> list[Reads]:
    async def answer(request: web.Request) -> web.Response:
        symbols = request.query["symbols"].split(",")
        body = b",".join(b'"%b":%b' % (symbol.encode(), QUOTE) for symbol in symbols)
        headers = {
            "Content-Type": "application/json",
            "X-RateLimit-Limit": "10000",
            "X-RateLimit-Remaining": "9999",
            "X-RateLimit-Reset": str(int(time.time()) + 60),
        }
        return web.Response(body=b'{"quotes":{%b}}' % body, headers=headers)

    app = web.Application()
    app.router.add_get("/v2/stocks/quotes/latest", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with open_session(aiohttp.TCPConnector()) as http, asyncio.TaskGroup() as tasks:
            reader = RestReader(
                DataClient(http, f"http://127.0.0.1:{port}", KEYS),
                MemoryCache(),
                RequestBudget(asyncio.get_running_loop().time),
                scope="bench",
                tasks=tasks,
                clock=time.time,
            )
            return await _measure_reader(reader, count)
    finally:
        await runner.cleanup()


async def _measure_reader(reader: RestReader, count: int) -> list[Reads]:
    latest, kind = LatestReader(reader), LatestQuery("stocks", "quote", feed="iex")
    none, any_age = CacheRules(no_cache=True), CacheRules(max_stale_s=3600.0)
    symbols = [f"S{number}" for number in range(BATCH)]
    await reader.get(QUERY, none)

    async def one_after_another(rules: CacheRules) -> None:
        for _ in range(count):
            await reader.get(QUERY, rules)

    async def storm() -> None:
        await reader.invalidate("")
        await asyncio.gather(*(reader.get(QUERY, ANY_FRESH) for _ in range(STORM)))

    async def batch(rules: CacheRules) -> None:
        await latest.read(kind, symbols, rules)

    return [
        await _time(reader, "passed through", count, one_after_another(none)),
        await _time(reader, "from the cache", count, one_after_another(any_age)),
        await _time(reader, f"{STORM} equal ones at once", STORM, storm()),
        await _time(reader, f"a batch of {BATCH} symbols, passed through", 1, batch(none)),
        await _time(reader, f"a batch of {BATCH} symbols, from the cache", 1, batch(any_age)),
    ]


async def _time(reader: RestReader, name: str, count: int, work: Any) -> Reads:
    sent = reader.statistics.requests
    began, began_cpu = time.perf_counter(), time.thread_time()
    await work
    wall, cpu = time.perf_counter() - began, time.thread_time() - began_cpu
    upstream = reader.statistics.requests - sent
    return Reads(name, count, upstream, cpu / count * 1e6, wall / count * 1e6)


def lines(rows: Sequence[Reads]) -> list[str]:
    """The table."""
    return [
        "| requests | number | to the broker | processor time for each | time for each |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {row.name} | {row.count:,} | {row.upstream:,} | {row.cpu_us:,.0f} µs |"
            f" {row.wall_us:,.0f} µs |"
            for row in rows
        ),
    ]
