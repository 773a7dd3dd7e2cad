"""A key set is fetched repeatedly, in virtual time. Keys of a set need the extra `crypto`."""

import asyncio
import json
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from realtime.auth.keys import Key
from realtime.runtime import jwks as module
from realtime.runtime.jwks import (
    FETCH_INTERVAL_S,
    MAX_BYTES,
    MIN_INTERVAL_S,
    RETRY_S,
    JwksRefresher,
)
from tests import virtual
from tests.auth.test_keys import Issuer as KeyPair
from tests.auth.test_keys import crypto

Responses = list[Callable[[], web.Response]]


async def fetched(
    responses: Responses, for_s: float, unknown_key_at: float | None = None
) -> list[int]:
    """Return the number of keys of each set that was used; the last response repeats."""
    used: list[int] = []
    requests = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return responses[min(requests, len(responses)) - 1]()

    def on_keys(keys: tuple[Key, ...]) -> None:
        used.append(len(keys))

    app = web.Application()
    app.router.add_get("/keys", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 9443).start()
    connector = virtual.world(1).make_connector()
    async with aiohttp.ClientSession(connector=connector) as http:
        refresher = JwksRefresher("http://127.0.0.1:9443/keys", http, on_keys)
        task = asyncio.create_task(refresher.run())
        if unknown_key_at is not None:
            await asyncio.sleep(unknown_key_at)
            for _ in range(100):
                refresher.request_fetch()
        await asyncio.sleep(for_s - (unknown_key_at or 0))
        task.cancel()
        await asyncio.wait([task])
    await runner.cleanup()
    return used


def keys() -> web.Response:
    return web.json_response({"keys": [KeyPair("ES256").jwk]})


@crypto
def test_keys_are_fetched_repeatedly() -> None:
    assert virtual.run(lambda: fetched([keys], 2.5 * FETCH_INTERVAL_S)) == [1, 1, 1]


@crypto
def test_unknown_key_triggers_a_fetch_but_not_often() -> None:
    assert virtual.run(
        lambda: fetched([keys], 2 * MIN_INTERVAL_S, unknown_key_at=MIN_INTERVAL_S + 1)
    ) == [1, 1]
    assert virtual.run(lambda: fetched([keys], MIN_INTERVAL_S - 1, unknown_key_at=1)) == [1]


@crypto
@pytest.mark.parametrize(
    "wrong",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=302, headers={"Location": "/elsewhere"}),
        lambda: web.Response(body=b"nothing"),
        lambda: web.Response(body=json.dumps({"keys": []}).encode()),
        lambda: web.Response(body=b" " * (MAX_BYTES + 2)),
    ],
)
def test_invalid_key_sets_are_not_used(wrong: Callable[[], web.Response]) -> None:
    assert virtual.run(lambda: fetched([wrong, keys], 2 * RETRY_S)) == [1]
    assert virtual.run(lambda: fetched([keys, wrong], 2 * FETCH_INTERVAL_S)) == [1]


def test_a_fetch_ends_before_the_next_one_starts() -> None:
    assert module.RESPONSE_TIMEOUT_S < RETRY_S + MIN_INTERVAL_S < FETCH_INTERVAL_S
