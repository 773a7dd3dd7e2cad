"""Responses of the market-data API in Redis, shared by several daemons.

Redis is never needed: while it is down there is no cache, and one warning. Reads and writes have a
short limit, and after a failure Redis is left alone for `RETRY_S`, so that a server that does not
respond delays one request and not all of them.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from realtime.market.rest.cache import Entry
from realtime.secret import Secret
from realtime.telemetry.log import get_logger

log = get_logger()

T = TypeVar("T")

NAMESPACE = "realtime:market:1:"
"""Before every key; the number changes with the form of an entry."""

TIMEOUT_S = 0.5
"""Of a connection and of one command: the broker itself responds in 0.1 s."""

RETRY_S = 5.0

KEEP_S = 3600
"""How long an entry outlives its lifetime, for clients that accept an older value."""

MAX_CONNECTIONS = 16
SCAN_COUNT = 1000

_GLOB = str.maketrans({letter: f"\\{letter}" for letter in "*?[]^\\"})

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class RedisCache:
    """Entries in one Redis server. `now` gives seconds that never step, `clock` epoch seconds."""

    def __init__(
        self,
        url: Secret,
        *,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = Redis.from_pool(
            BlockingConnectionPool.from_url(
                url.reveal(),
                timeout=TIMEOUT_S,
                socket_timeout=TIMEOUT_S,
                socket_connect_timeout=TIMEOUT_S,
                max_connections=MAX_CONNECTIONS,
                retry=None,
            )
        )
        self._now = now
        self._clock = clock
        self._retry_at = float("-inf")
        self.is_available = True
        self.failures = 0

    async def read(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entry of each key, or None."""
        names = [NAMESPACE + key for key in keys]
        values = await self._run(lambda: self._redis.mget(names), None) if names else None
        return [None] * len(keys) if values is None else [_decode_entry(value) for value in values]

    async def write(self, entries: Mapping[str, Entry]) -> None:
        """Keep entries."""

        async def send() -> bool:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key, entry in entries.items():
                    seconds = max(1, int(entry.expires_at - self._clock()) + KEEP_S)
                    pipeline.set(NAMESPACE + key, _encode(entry), ex=seconds)
                await pipeline.execute()
            return True

        await self._run(send, None)

    async def invalidate(self, prefix: str) -> int:
        """Remove all entries whose keys begin with a text; return how many."""

        async def remove() -> int:
            pattern, removed = (NAMESPACE + prefix).translate(_GLOB) + "*", 0
            async for name in self._redis.scan_iter(match=pattern, count=SCAN_COUNT):
                removed += await self._redis.unlink(name)
            return removed

        return await self._run(remove, 0)

    async def close(self) -> None:
        """Close all connections."""
        await self._redis.aclose()

    async def _run(self, command: Callable[[], Awaitable[T]], default: T) -> T:
        """Return the result of a command, or the default while Redis is down."""
        if self._now() < self._retry_at:
            return default
        try:
            result = await command()
        except (RedisError, OSError, TimeoutError) as error:
            self.failures += 1
            self._retry_at = self._now() + RETRY_S
            if self.is_available:
                self.is_available = False
                log.warning("market.cache_lost", reason=type(error).__name__)
            return default
        if not self.is_available:
            self.is_available = True
            log.info("market.cache_recovered")
        return result


def _decode_entry(value: bytes | str | None) -> Entry | None:
    try:
        return _decode(value) if isinstance(value, bytes) else None
    except msgspec.DecodeError:
        return None  # of another program
