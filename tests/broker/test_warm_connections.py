"""Connections are open before an order needs one, and stay so, without a single request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from realtime.broker import warm_connections as warm
from realtime.broker.warm_connections import CHECK_INTERVAL_S, MAX_IDLE_S, MAX_WARM, keep_warm
from tests.virtual import VirtualConnector, run

URL = "http://127.0.0.1:8091"


class Listener:
    """A broker that counts connections and answers every request alike."""

    def __init__(self) -> None:
        self.opened = 0
        self.requests = 0
        self.open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open.add(writer)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests += 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    def close_all(self) -> None:
        for writer in list(self.open):
            writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 8091)
    try:
        yield listener
    finally:
        server.close()
        listener.close_all()


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=VirtualConnector(limit=0)) as http:
        yield http


async def asked(http: aiohttp.ClientSession, count: int) -> None:
    async def one() -> None:
        async with http.get(URL + "/v2/clock") as answer:
            await answer.read()

    await asyncio.gather(*(one() for _ in range(count)))


def test_requests_find_an_open_connection() -> None:
    async def main() -> None:
        async with listening() as broker, session() as http, keep_warm(http, lambda: {URL: 8}):
            await asyncio.sleep(1)
            assert (broker.opened, broker.requests) == (8, 0)
            await asked(http, 8)
            assert (broker.opened, broker.requests) == (8, 8)

    run(main)


def test_what_the_broker_closes_is_opened_again() -> None:
    async def main() -> None:
        async with listening() as broker, session() as http, keep_warm(http, lambda: {URL: 8}):
            await asyncio.sleep(1)
            broker.close_all()
            await asyncio.sleep(CHECK_INTERVAL_S)
            assert len(broker.open) == 8
            opened = broker.opened
            await asked(http, 8)
            assert broker.opened == opened

    run(main)


def test_none_grows_old_and_none_is_one_too_many() -> None:
    """Each is exchanged before the broker would close it, a few at a time, for ever."""

    async def main() -> None:
        async with listening() as broker, session() as http, keep_warm(http, lambda: {URL: 10}):
            await asyncio.sleep(1)
            first = set(broker.open)
            for _ in range(int(MAX_IDLE_S / CHECK_INTERVAL_S)):
                await asyncio.sleep(CHECK_INTERVAL_S)
                assert len(broker.open) == 10
            assert not first & broker.open
            await asyncio.sleep(3600)
            assert len(broker.open) == 10
            assert broker.opened == pytest.approx(10 + 3650 / MAX_IDLE_S * 10, rel=0.05)
            assert broker.requests == 0

    run(main, limit_s=5000)


def test_a_broker_that_is_away_is_not_stormed() -> None:
    """One attempt a look; when it is back, all are there with the look after that."""

    async def main() -> None:
        async with session() as http:
            async with listening() as broker:
                keeping = keep_warm(http, lambda: {URL: 50})
                await keeping.__aenter__()
                await asyncio.sleep(1)
                assert broker.opened == 50
            await asyncio.sleep(10 * CHECK_INTERVAL_S)
            async with listening() as broker:
                await asyncio.sleep(CHECK_INTERVAL_S)
                assert broker.opened == 1
                await asyncio.sleep(CHECK_INTERVAL_S)
                assert len(broker.open) == 50
                await keeping.__aexit__(None, None, None)

    run(main)


def test_a_fleet_has_a_cap_and_follows_the_configuration() -> None:
    wanted = {URL: 4000}

    async def main() -> None:
        async with listening() as broker, session() as http, keep_warm(http, lambda: wanted):
            await asyncio.sleep(1)
            assert broker.opened == MAX_WARM
            wanted[URL] = 0
            opened = broker.opened
            await asyncio.sleep(3600)
            assert broker.opened == opened

    run(main, limit_s=5000)
    assert warm._share_limit({"a": 4, "b": 2}) == {"a": 4, "b": 2}
    assert warm._share_limit({}) == {}
    assert sum(warm._share_limit({"a": 3000, "b": 1000}).values()) == MAX_WARM
