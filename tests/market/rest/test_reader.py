"""Reads through cache, single flight and budget, from the simulator."""

import asyncio

import pytest

from realtime.errors import LinkError, NotSent
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.freshness import LIFETIME_S, OPEN_RANGE_S
from realtime.market.rest.reader import (
    CacheRules,
    DataAnswer,
    DataQuery,
    is_complete,
    make_scope,
)
from realtime.secret import Credentials, Secret
from tests.market.rest.redis_server import running_redis
from tests.market.rest.scene import KEYS, data_query, rest_scene

QUOTE = "/v2/stocks/AAPL/quotes/latest"
BARS = "/v2/stocks/bars"
CLOSED = {
    "symbols": "AAPL", "timeframe": "1Day", "start": "2026-09-01", "end": "2026-09-10",
}  # fmt: skip
STALE_OK = CacheRules(max_stale_s=60.0)


async def test_a_response_passes_byte_for_byte_and_is_repeated_while_it_is_fresh() -> None:
    async with rest_scene() as scene:
        first = await scene.reader.get(data_query(QUOTE))
        assert (first.source, first.as_of) == ("rest", scene.clock.now / 1e9)
        second = await scene.reader.get(data_query(QUOTE))
        assert (second.source, second.as_of, scene.requests) == ("cache", first.as_of, 1)
        assert first.body == second.body == await scene.direct(QUOTE)
        scene.clock.move(1.0)
        assert (await scene.reader.get(data_query(QUOTE))).source == "rest"


async def test_the_lifetime_begins_when_the_request_is_sent() -> None:
    async with rest_scene() as scene:
        scene.fault("latency", seconds=0.05)
        reading = asyncio.create_task(scene.reader.get(data_query(QUOTE)))
        await scene.until_requests(1)
        sent_at = scene.clock.now / 1e9
        scene.clock.move(0.9)
        assert (await reading).as_of == sent_at
        scene.clock.move(0.1)
        assert (await scene.reader.get(data_query(QUOTE))).source == "rest"


async def test_a_hundred_equal_requests_at_once_are_one() -> None:
    async with rest_scene() as scene:
        answers = await asyncio.gather(*(scene.reader.get(data_query(QUOTE)) for _ in range(100)))
        assert (scene.requests, len({answer.body for answer in answers})) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"feed": "iex"},
        {"adjustment": "split"},
        {"asof": "2026-09-01"},
        {"currency": "EUR"},
        {"limit": "3"},
        {"sort": "desc"},
        {"page_token": "QUFQTHwxfDB8Mg=="},
    ],
)
async def test_each_parameter_is_part_of_the_key(other: dict[str, str]) -> None:
    async with rest_scene() as scene:
        await scene.reader.get(data_query(BARS, "history", **CLOSED))
        scene.clock.move(600)
        kept = await scene.reader.get(data_query(BARS, "history", **CLOSED))
        assert (kept.source, scene.requests) == ("cache", 1)
        answer = await scene.reader.get(data_query(BARS, "history", **CLOSED, **other))
        assert (answer.source, scene.requests) == ("rest", 2)


async def test_the_order_of_parameters_is_no_part_of_the_key() -> None:
    async with rest_scene() as scene:
        await scene.reader.get(data_query(BARS, "history", **CLOSED))
        turned = dict(reversed(CLOSED.items()))
        assert (await scene.reader.get(data_query(BARS, "history", **turned))).source == "cache"


SWAPPED = [
    (("feed", "iex"), ("feed", "sip")),
    (("currency", "USD"), ("currency", "EUR")),
    (("asof", "2026-10-01"), ("asof", "")),
    (("adjustment", "raw"), ("adjustment", "all")),
    (("end", "2026-10-01"), ("end", "2026-10-06")),
    (("page_token", "a"), ("page_token", "b")),
]


@pytest.mark.parametrize(("first", "second"), SWAPPED)
async def test_a_repeated_parameter_is_another_request_in_another_order(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    """The broker uses one of them: which one is not known here."""
    async with rest_scene() as scene:
        base = (("symbols", "AAPL"), ("timeframe", "1Day"), ("start", "2026-09-28"))
        queries = [
            DataQuery("/v2/stocks/bars", (*base, *pair), "history")
            for pair in ((first, second), (second, first), (first,), (second,))
        ]
        assert len({scene.reader.key_of(query) for query in queries}) == 4


def test_what_a_repeated_parameter_means_is_not_kept_for_long() -> None:
    """Its end may be the one that reaches into the present."""
    base = (("symbols", "AAPL"), ("timeframe", "1Day"), ("start", "2026-09-28"))
    past, now = ("end", "2026-10-01"), 1_791_295_200.0
    once = DataQuery("/v2/stocks/bars", (*base, past), "history")
    assert once.get_lifetime_s(now) > 3600
    for pair in ((past, ("end", "2026-10-06")), (("end", "2026-10-06"), past)):
        query = DataQuery("/v2/stocks/bars", (*base, *pair), "history")
        assert query.get_lifetime_s(now) == OPEN_RANGE_S
    latest = DataQuery("/v2/stocks/quotes/latest", (("feed", "a"), ("feed", "b")), "latest")
    assert latest.get_lifetime_s(now) == LIFETIME_S["latest"]


def test_another_key_or_another_address_has_entries_of_its_own() -> None:
    other = Credentials(Secret("demo-bravo"), Secret("demo-secret-bravo"))
    scopes = {
        make_scope(KEYS, "https://a"), make_scope(KEYS, "https://b"), make_scope(other, "https://a"),
    }  # fmt: skip
    assert len(scopes) == 3
    assert not any("demo" in scope for scope in scopes)


async def test_a_feed_without_the_entitlement_is_refused_even_with_another_feed_in_the_cache() -> (
    None
):
    async with rest_scene() as scene:
        assert (await scene.reader.get(data_query(QUOTE, feed="iex"))).status == 200
        for _ in range(2):
            refused = await scene.reader.get(data_query(QUOTE, feed="sip"), STALE_OK)
            assert (refused.status, refused.source) == (403, "rest")
            assert b"subscription does not permit" in refused.body
        assert (scene.requests, len(_memory(scene.reader.cache))) == (3, 1)


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "server_error", "status": 500}, 500),
        ({"kind": "server_error", "status": 503}, 503),
        ({"kind": "rate_limited"}, 429),
        ({"kind": "unauthorized"}, 401),
    ],
)
async def test_an_error_is_never_cached(fault: dict[str, object], status: int) -> None:
    async with rest_scene() as scene:
        scene.fault(**fault)  # type: ignore[arg-type]
        assert (await scene.reader.get(data_query(QUOTE))).status == status
        assert len(_memory(scene.reader.cache)) == 0


async def test_an_older_value_is_returned_only_if_the_client_accepts_it() -> None:
    async with rest_scene() as scene:
        fresh = await scene.reader.get(data_query(QUOTE))
        scene.clock.move(30)
        scene.fault("rate_limited")
        refused = await scene.reader.get(data_query(QUOTE))
        assert refused.status == 429
        with pytest.raises(NotSent) as used_up:  # 429 pauses everything
            await scene.reader.get(data_query(QUOTE))
        assert used_up.value.retry_after_s
        older = await scene.reader.get(data_query(QUOTE), STALE_OK)
        assert (older.body, older.as_of) == (fresh.body, fresh.as_of)
        assert (older.source, older.is_stale) == ("cache", True)
        with pytest.raises(NotSent):
            await scene.reader.get(data_query(QUOTE), CacheRules(max_stale_s=10.0))


async def test_a_broker_that_does_not_respond_is_an_error_or_an_older_value() -> None:
    async with rest_scene() as scene:
        await scene.reader.get(data_query(QUOTE))
        scene.clock.move(2)
        await scene.simulator.stop()
        with pytest.raises(LinkError):
            await scene.reader.get(data_query(QUOTE))
        assert (await scene.reader.get(data_query(QUOTE), STALE_OK)).is_stale


async def test_a_client_may_ask_for_a_newer_value() -> None:
    async with rest_scene() as scene:
        for kind, rules in (
            ("rest", CacheRules()),
            ("rest", CacheRules(no_cache=True)),
            ("cache", CacheRules(max_age_s=600)),
        ):
            answer = await scene.reader.get(data_query(BARS, "history", **CLOSED), rules)
            assert answer.source == kind
            scene.clock.move(500)
        aged = CacheRules(max_age_s=600)
        assert (
            await scene.reader.get(data_query(BARS, "history", **CLOSED), aged)
        ).source == "rest"


async def test_entries_are_removed_by_prefix_and_a_request_under_way_is_not_kept() -> None:
    async with rest_scene() as scene:
        await scene.reader.get(data_query(BARS, "history", **CLOSED))
        await scene.reader.get(data_query(QUOTE))
        assert await scene.reader.invalidate("/v2/stocks/bars") == 1
        assert await scene.reader.invalidate("/v2/stocks/bars") == 0
        scene.fault("latency", seconds=0.05)
        reading = asyncio.create_task(scene.reader.get(data_query(BARS, "history", **CLOSED)))
        await scene.until_requests(3)
        assert await scene.reader.invalidate("") == 1
        assert (await reading).status == 200
        assert len(_memory(scene.reader.cache)) == 0


@pytest.mark.parametrize(
    ("status", "content_type", "body", "complete"),
    [
        (200, "application/json; charset=UTF-8", b'{"a":1}', True),
        (200, "application/json", b'{"a":', False),
        (200, "application/json", b"", False),
        (200, "text/html", b"<html>", False),
        (200, "image/png", b"\x89PNG", True),
        (206, "application/json", b"{}", False),
        (302, "application/json", b"{}", False),
        (404, "application/json", b"{}", False),
    ],
)
def test_only_a_complete_success_is_cached(
    status: int, content_type: str, body: bytes, complete: bool
) -> None:
    answer = DataAnswer(
        status=status, body=body, content_type=content_type, as_of=1.0, source="rest"
    )
    assert is_complete(answer) is complete


async def test_the_budget_never_falls_below_the_floor() -> None:
    """The free plan has 200 requests per minute; a storm of clients leaves 20 to others."""
    async with rest_scene() as scene:
        results = await asyncio.gather(
            *(scene.reader.get(data_query(f"/v2/stocks/A{n}/bars", "history", timeframe="1Day"))
              for n in range(500)),
            return_exceptions=True,
        )  # fmt: skip
        refused = [result for result in results if isinstance(result, NotSent)]
        assert (scene.requests, len(refused)) == (180, 320)
        assert scene.simulator.counters.get("alpha").get("data_limited", 0) == 0
        fetched = await scene.reader.fetch(data_query(QUOTE), uses_floor=True)
        assert fetched.status == 200


async def test_daemons_share_a_cache_in_redis() -> None:
    with running_redis() as server:
        from realtime.market.rest.redis_cache import RedisCache  # noqa: PLC0415 - needs the extra

        async with rest_scene(cache=RedisCache(server.url)) as scene:
            first = await scene.reader.get(data_query(BARS, "history", **CLOSED))
            again = await scene.reader.get(data_query(BARS, "history", **CLOSED))
            assert (first.source, again.source, first.body == again.body) == ("rest", "cache", True)
            server.kill()
            scene.clock.move(1)
            answers = await asyncio.gather(
                *(scene.reader.get(data_query(f"/v2/stocks/{name}/quotes/latest"))
                  for name in ("AAPL", "KO", "NVDA", "MSFT") * 25)
            )  # fmt: skip
            assert {answer.status for answer in answers} == {200}
            await scene.reader.cache.close()


def _memory(cache: object) -> MemoryCache:
    assert isinstance(cache, MemoryCache)
    return cache
