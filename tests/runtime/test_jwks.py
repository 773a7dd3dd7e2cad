"""Keys that are fetched, in virtual time. Keys of a set want the extra `crypto`."""

import asyncio
import json
from collections.abc import Callable

import aiohttp
import pytest
from aiohttp import web

from realtime.auth.keys import Key
from realtime.runtime import jwks as module
from realtime.runtime.jwks import AGAIN_S, EVERY_S, MAX_BYTES, RETRY_S, JwksRefresher
from tests import virtual
from tests.auth.test_keys import Issuer as KeyPair
from tests.auth.test_keys import crypto

Answers = list[Callable[[], web.Response]]


async def fetched(answers: Answers, for_s: float, ask_at: float | None = None) -> list[int]:
    """How many keys each set had that was taken; the last answer is given again and again."""
    taken: list[int] = []
    asked = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return answers[min(asked, len(answers)) - 1]()

    def take(keys: tuple[Key, ...]) -> None:
        taken.append(len(keys))

    app = web.Application()
    app.router.add_get("/keys", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 9443).start()
    connector = virtual.world(1).make_connector()
    async with aiohttp.ClientSession(connector=connector) as http:
        issuer = JwksRefresher("http://127.0.0.1:9443/keys", http, take)
        task = asyncio.create_task(issuer.run())
        if ask_at is not None:
            await asyncio.sleep(ask_at)
            for _ in range(100):
                issuer.ask()
        await asyncio.sleep(for_s - (ask_at or 0))
        task.cancel()
        await asyncio.wait([task])
    await runner.cleanup()
    return taken


def keys() -> web.Response:
    return web.json_response({"keys": [KeyPair("ES256").jwk]})


@crypto
def test_keys_are_fetched_again_and_again() -> None:
    assert virtual.run(lambda: fetched([keys], 2.5 * EVERY_S)) == [1, 1, 1]


@crypto
def test_a_key_that_is_missing_is_asked_for_at_once_but_not_often() -> None:
    assert virtual.run(lambda: fetched([keys], 2 * AGAIN_S, ask_at=AGAIN_S + 1)) == [1, 1]
    assert virtual.run(lambda: fetched([keys], AGAIN_S - 1, ask_at=1)) == [1]


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
def test_what_is_no_set_of_keys_is_not_taken(wrong: Callable[[], web.Response]) -> None:
    assert virtual.run(lambda: fetched([wrong, keys], 2 * RETRY_S)) == [1]
    assert virtual.run(lambda: fetched([keys, wrong], 2 * EVERY_S)) == [1]


def test_limits_are_sane() -> None:
    assert module.ANSWER_S < RETRY_S + AGAIN_S < EVERY_S
