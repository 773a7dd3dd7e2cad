"""Redis is killed while clients read: every request still succeeds."""

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from tests.api.market.server import market_server
from tests.market.rest.redis_server import running_redis

pytestmark = pytest.mark.slow  # another program

SYMBOLS = ("AAPL", "KO", "NVDA", "MSFT", "SIRI", "F")
CLIENTS, REQUESTS = 20, 40


async def test_redis_may_be_killed_and_come_back_under_load() -> None:
    with running_redis() as redis, capture_logs() as logs:
        redis_cache = pytest.importorskip("realtime.market.rest.redis_cache")
        async with market_server(cache=redis_cache.RedisCache(redis.url)) as server:
            server.scene.simulator.market_data.settings.plan = "plus"
            statuses: Counter[int] = Counter()
            sources: Counter[str] = Counter()

            async def read(client: int) -> None:
                for number in range(REQUESTS):
                    symbol = SYMBOLS[(client + number) % len(SYMBOLS)]
                    reply = await server.get(f"/v2/stocks/{symbol}/quotes/latest")
                    statuses[reply.status] += 1
                    sources[reply.headers["X-Realtime-Source"]] += 1
                    if (client, number) == (0, REQUESTS // 2):
                        redis.kill()

            await asyncio.gather(*(read(client) for client in range(CLIENTS)))
            assert statuses == {200: CLIENTS * REQUESTS}
            assert sources["rest"] > 0
            assert not server.scene.reader.cache.is_available
            await server.scene.reader.cache.close()
    lost = [log for log in logs if log["event"].startswith("market.cache")]
    assert [log["event"] for log in lost] == ["market.cache_lost"]
