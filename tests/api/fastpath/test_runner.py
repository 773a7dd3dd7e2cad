from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from realtime.api.fastpath import fast_connection as shortcut
from realtime.api.fastpath.runner import RESPONSE_CACHE, Runner, Server
from realtime.store.store import Store
from tests.api.reader import Clock, Reader, application


@asynccontextmanager
async def run(app: web.Application) -> AsyncIterator[tuple[Server, Reader]]:
    runner = Runner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with ClientSession() as session:
        assert isinstance(runner.server, Server)
        yield runner.server, Reader(session, site.port)
    await runner.cleanup()


async def test_every_request_is_counted(store: Store, clock: Clock) -> None:
    app = application(store, clock)
    async with run(app) as (server, reader):
        for _ in range(3):  # the reader asks twice each time
            await reader.get("/realtime/dashboard/alpha")
        assert (server.requests_count, app[RESPONSE_CACHE].hits) == (6, 5)


@pytest.mark.parametrize("owner", [web.RequestHandler, web.Server])
async def test_without_what_it_leans_on_there_is_no_shortcut(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch, owner: type
) -> None:
    """Told once and loudly; and everything is answered all the same."""
    monkeypatch.setitem(shortcut.AIOHTTP_INTERNALS, owner, ("connection_made", "_renamed"))
    app = application(store, clock)
    with capture_logs() as logs:
        async with run(app) as (server, reader):
            assert (await reader.get("/realtime/dashboard/alpha")).status == 200
            assert (server.requests_count, app[RESPONSE_CACHE].hits) == (2, 0)
    [told] = [entry for entry in logs if entry["event"] == "server.fast_path_disabled"]
    assert (told["log_level"], told["missing"]) == ("error", [f"{owner.__name__}._renamed"])


async def test_the_installed_library_is_as_expected(store: Store, clock: Clock) -> None:
    async with run(application(store, clock)) as (server, _):
        assert shortcut.find_missing_internals(server) == []
