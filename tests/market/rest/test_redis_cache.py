"""Entries in a real Redis server."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from structlog.testing import capture_logs

from realtime.market.rest.cache import Entry
from tests.market.rest.redis_server import RedisServer, running_redis

pytest.importorskip("redis", reason="redis-py is not installed (extra `redis`)")

from realtime.market.rest.redis_cache import KEEP_S, NAMESPACE, RETRY_S, RedisCache


class Time:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with running_redis() as running:
        yield running


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture
async def cache(server: RedisServer, now: Time) -> AsyncIterator[RedisCache]:
    cache = RedisCache(server.url, now=now, clock=now)
    await cache.invalidate("")
    yield cache
    await cache.close()


def entry(body: bytes = b"{}", expires_at: float = 1_800_000_010.0) -> Entry:
    return Entry(body, "application/json", 1_800_000_000.25, expires_at)


async def test_daemons_share_entries(server: RedisServer, cache: RedisCache) -> None:
    other = RedisCache(server.url)
    await cache.write({"/a": entry(b"\x00\xff"), "/b": entry(b"2")})
    assert await other.read(["/b", "/c", "/a"]) == [entry(b"2"), None, entry(b"\x00\xff")]
    assert await other.read([]) == []
    await other.close()


async def test_redis_forgets_an_entry_an_hour_after_its_lifetime(cache: RedisCache) -> None:
    await cache.write({"/a": entry(expires_at=1_800_000_060.0)})
    assert KEEP_S < await cache._redis.ttl(NAMESPACE + "/a") <= KEEP_S + 60


async def test_it_removes_entries_by_prefix_and_nothing_else(cache: RedisCache) -> None:
    await cache._redis.set("of another program", "x")
    await cache.write({f"/a*[{number}]": entry() for number in range(2500)})
    await cache.write({"/abc": entry(), "/b": entry()})
    assert await cache.invalidate("/a*[") == 2500
    assert await cache.invalidate("/") == 2
    assert await cache._redis.get("of another program") == b"x"


async def test_what_another_program_wrote_is_no_entry(cache: RedisCache) -> None:
    await cache._redis.set(NAMESPACE + "/a", b"\xc1 not ours")
    assert await cache.read(["/a"]) == [None]
    assert cache.is_available


async def test_while_it_is_down_there_is_no_cache_and_one_warning(now: Time) -> None:
    with running_redis() as server, capture_logs() as logs:
        cache = RedisCache(server.url, now=now, clock=now)
        await cache.write({"/a": entry()})
        server.kill()
        for _ in range(20):
            assert await cache.read(["/a"]) == [None]
            await cache.write({"/a": entry()})
            assert await cache.invalidate("/") == 0
            now.now += RETRY_S / 4
        assert [log["event"] for log in logs] == ["market.cache_lost"]
        assert str(server.port) not in str(logs)
        assert 1 < cache.failures < 20  # few requests in this time
        server.start()
        now.now += RETRY_S
        await cache.write({"/a": entry(b"3")})
        assert await cache.read(["/a"]) == [entry(b"3")]
        assert [log["event"] for log in logs] == ["market.cache_lost", "market.cache_recovered"]
        await cache.close()


async def test_a_server_that_does_not_respond_delays_only_those_at_the_same_time(now: Time) -> None:
    with running_redis() as server:
        cache = RedisCache(server.url, now=now, clock=now)
        await cache.write({"/a": entry()})
        server.suspend()
        await asyncio.gather(*(cache.read(["/a"]) for _ in range(200)))
        failures = cache.failures
        for _ in range(100):
            assert await cache.read(["/a"]) == [None]
        assert cache.failures == failures > 0  # the later ones did not ask it
        await cache.close()
