import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from realtime.api import listener as listen
from realtime.api.listener import serve
from realtime.errors import ConfigError
from realtime.store.store import Store
from tests.api.reader import Clock, Reader, reading


async def test_port_in_use_is_an_error_with_a_remedy(reader: Reader) -> None:
    with pytest.raises(ConfigError) as raised:
        async with serve(web.Application(), "127.0.0.1", reader.port):
            pass
    assert raised.value.message == f"127.0.0.1:{reader.port} is in use"
    assert (
        raised.value.remedy == "choose another `--port`; a running daemon answers `realtime status`"
    )


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70_000), ("no such host", 0)]
)
async def test_invalid_address_is_an_error_with_a_remedy(host: str, port: int) -> None:
    with pytest.raises(ConfigError) as raised:
        async with serve(web.Application(), host, port):
            pass
    assert raised.value.message.startswith(f"cannot listen on {host}:{port}: ")
    assert raised.value.remedy


async def test_port_is_free_again_after_stopping(store: Store, clock: Clock) -> None:
    with capture_logs() as logs:
        async with reading(store, clock) as reader:
            assert (await reader.get("/livez")).status == 200
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", reader.port)) != 0
    assert [entry["event"] for entry in logs] == ["server.started", "server.stopped"]


async def test_idle_connections_do_not_delay_stopping(store: Store, clock: Clock) -> None:
    """Connections that are idle, or have sent half a request, are closed."""
    async with asyncio.timeout(30):
        async with reading(store, clock) as reader:
            await reader.get("/livez")
            idle, idle_sink = await asyncio.open_connection("127.0.0.1", reader.port)
            half, half_sink = await asyncio.open_connection("127.0.0.1", reader.port)
            half_sink.write(b"GET /livez HT")
            await half_sink.drain()
            await reader.get("/livez")
        assert (await idle.read(), await half.read()) == (b"", b"")
    for sink in (idle_sink, half_sink):
        sink.close()
        await sink.wait_closed()


async def test_unfinished_response_is_cut_after_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen, "FINISH_TIMEOUT_S", 0.02)
    begun = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        begun.set()
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.router.add_get("/", never)
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        async with serve(app, "127.0.0.1", 0) as port:
            asked = asyncio.create_task(session.get(f"http://127.0.0.1:{port}/"))
            await begun.wait()
        with pytest.raises(aiohttp.ClientError):
            await asked
