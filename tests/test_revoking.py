"""A changed token secret ends everything that the old one allowed, on open connections too."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct, structs

from realtime.auth.keys import parse_secrets
from realtime.config.settings import AuthSettings, Settings
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import real_environment
from realtime.simulator.app import Simulator
from tests.api.guarded import Raw, get, read_answer
from tests.auth.made import OTHER_SECRET, SECRET, claims, signed
from tests.fleet import settings_for

SOON = int(time.time()) + 6000
CLAIMS = claims(account_id="alpha", exp=SOON)
OLD, NEW = signed(CLAIMS, SECRET), signed(CLAIMS, OTHER_SECRET)
DASHBOARD = "/realtime/dashboard/alpha"


class OpenConnection(Struct):
    """A connection that stays open."""

    source: asyncio.StreamReader
    sink: asyncio.StreamWriter

    async def request(self, raw: bytes) -> Raw:
        self.sink.write(raw)
        async with asyncio.timeout(30):
            return await read_answer(self.source)


@asynccontextmanager
async def open_connections(daemon: Daemon, number: int) -> AsyncIterator[list[OpenConnection]]:
    made = [
        OpenConnection(*await asyncio.open_connection("127.0.0.1", daemon.port))
        for _ in range(number)
    ]
    yield made
    for each in made:
        each.sink.close()
        await each.sink.wait_closed()


@asynccontextmanager
async def guarded_daemon(files: list[Settings]) -> AsyncIterator[Daemon]:
    """A daemon whose reload reads the last of `files`."""

    async def read_settings() -> Settings:
        return files[-1]

    async with Simulator(accounts=2) as simulator:
        auth = AuthSettings(keys=parse_secrets(SECRET))
        settings = structs.replace(settings_for(simulator, ["alpha", "bravo"], {}), auth=auth)
        files.append(settings)
        async with run_daemon(settings, real_environment(), read_settings) as daemon:
            yield daemon


def with_secret(settings: Settings, *secrets: bytes) -> Settings:
    return structs.replace(settings, auth=AuthSettings(keys=parse_secrets(b"\n".join(secrets))))


async def test_a_changed_secret_ends_tokens_cookies_links_and_events() -> None:
    files: list[Settings] = []
    async with (
        guarded_daemon(files) as daemon,
        open_connections(daemon, 3) as (poller, browser, listener),
    ):
        assert [(await poller.request(get(DASHBOARD, OLD))).status for _ in range(3)] == [200] * 3
        begun = await browser.request(get("/session", OLD, "Content-Length: 0", method="POST"))
        cookie = begun.head.partition("Set-Cookie: ")[2].partition(";")[0]
        seen = get(DASHBOARD, None, f"Cookie: {cookie}")
        assert [(await browser.request(seen)).status for _ in range(3)] == [200] * 3
        made = await browser.request(get("/session/links", OLD, "Content-Length: 0", method="POST"))
        listener.sink.write(get("/realtime/events", OLD))
        await listener.source.readuntil(b"event: ready")

        files.append(with_secret(files[0], OTHER_SECRET))
        await daemon.reload()

        assert (await poller.request(get(DASHBOARD, OLD))).code == "token_invalid"
        assert (await browser.request(seen)).code == "token_invalid"
        assert (await browser.request(get(made.json["path"]))).status == 401
        async with asyncio.timeout(30):
            assert (await listener.source.read()).endswith(b"0\r\n\r\n")
        assert (await poller.request(get(DASHBOARD, NEW))).status == 200


async def test_overlapping_secrets_change_without_a_gap() -> None:
    files: list[Settings] = []
    async with guarded_daemon(files) as daemon, open_connections(daemon, 1) as (poller,):
        for secrets, answers in (
            ((OTHER_SECRET, SECRET), (200, 200)),
            ((OTHER_SECRET,), (401, 200)),
        ):
            files.append(with_secret(files[0], *secrets))
            await daemon.reload()
            for name, expected in zip((OLD, NEW), answers, strict=True):
                for _ in range(3):
                    assert (await poller.request(get(DASHBOARD, name))).status == expected
