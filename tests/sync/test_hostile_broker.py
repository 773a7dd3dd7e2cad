"""A broker that puts our secret and terminal escapes into every field: none of them leaves."""

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web
from msgspec import structs

from realtime.config.settings import (
    AccountSettings,
    AlpacaSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
)
from realtime.core.model import Account, FillActivity, LegFill, Order, Position, TradeUpdate
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.secret import Credentials, Secret
from realtime.telemetry import log as telemetry
from tests import virtual

SECRET = "s3cr3tOfTheAccount/9000"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\r\n\x9b31m\u202egnp\x7f"
POISON = f"{ESCAPES}{SECRET}{ESCAPES}"
FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]")
ESCAPED = re.compile(rb"\\u00[01][0-9a-f]|\\u007f|\\u00[89][0-9a-f]|\\u202e|\\[rbf]", re.IGNORECASE)
NUMBERS = {"qty": "3", "filled_qty": "1", "price": "1.5", "position_qty": "1", "cum_qty": "1"}
KNOWN = {"event": "fill", "status": "new", "account_number": "PA0EXAMPLE01", **NUMBERS}


def poisoned(struct: type[msgspec.Struct], **fixed: object) -> dict[str, object]:
    """An object of the broker with poison in every text field, and in an unknown one."""
    body: dict[str, object] = {"new_field": POISON, POISON: POISON}
    for field in structs.fields(struct):
        if any(word in str(field.type) for word in ("str", "Id", "Symbol")):
            body[field.encode_name] = KNOWN.get(field.name, f"{field.name} {POISON}")
    return {**body, "realtime:frame": "", **fixed}


def poisoned_order(**fixed: object) -> dict[str, object]:
    leg = poisoned(Order, legs=None, id=f"leg {POISON}")
    return poisoned(Order, legs=[leg], **fixed)


class HostileBroker:
    """Serves REST and the stream on one port."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.requests = 0

    async def rest(self, request: web.Request) -> web.StreamResponse:
        """Return poison with the right shape, or a poisoned error."""
        self.requests += 1
        headers = {"X-Request-ID": f"r {SECRET} {SECRET}", "X-RateLimit-Remaining": SECRET}
        match request.method, request.path:
            case "GET", "/v2/account":
                body: object = poisoned(Account, status="ACTIVE")
            case "GET", "/v2/positions":
                body = [poisoned(Position)]
            case "GET", "/v2/orders":
                body = [poisoned_order()]
            case "GET", path if path.startswith("/v2/account/activities"):
                body = [poisoned(FillActivity)]
            case "GET", path if path.startswith("/v2/orders/"):
                error = {"code": 40410000, "message": POISON}
                return web.json_response(error, status=404, headers=headers)
            case _:
                error = {"code": 42210000, "message": POISON, "extra": [POISON]}
                return web.json_response(error, status=422, headers=headers)
        return web.json_response(body, headers=headers)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Authorize, listen, then send poisoned updates."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        await socket.send_json({"stream": "authorization", "data": {"status": "authorized"}})
        await socket.receive()
        await socket.send_json({"stream": "listening", "data": {"streams": ["trade_updates"]}})
        self.sockets.append(socket)
        async for _ in socket:
            pass
        return socket

    async def send(self, frame: object) -> None:
        """Send a frame to every socket."""
        raw = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        for socket in self.sockets:
            if not socket.closed:
                await socket.send_bytes(raw)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[HostileBroker, Daemon, aiohttp.ClientSession]]:
    """A daemon with one account at a hostile broker."""
    broker = HostileBroker()
    app = web.Application()
    app.router.add_get("/stream", broker.stream)
    app.router.add_route("*", "/{path:.*}", broker.rest)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    settings = Settings(
        path=Path("accounts.toml"),
        server=ServerSettings(port=0),
        alpaca=AlpacaSettings(),
        orders=OrdersSettings(audit_log=folder / "orders.jsonl"),
        accounts=(
            AccountSettings(
                label="alpha",
                trading_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
                credentials=Credentials(Secret("PKEXAMPLE0EXAMPLE0EX"), Secret(SECRET)),
            ),
        ),
    )
    try:
        async with (
            run_daemon(settings, virtual.world(3)) as daemon,
            aiohttp.ClientSession(connector=virtual.VirtualConnector()) as http,
        ):
            yield broker, daemon, http
    finally:
        await runner.cleanup()


PATHS = (
    "/health",
    "/websocket/status",
    "/realtime/accounts",
    "/realtime/summary",
    "/realtime/dashboard/alpha",
    "/realtime/positions/alpha",
    "/realtime/orders/alpha",
    "/realtime/account/alpha",
    "/realtime/accounts?format=csv",
    "/realtime/positions/alpha?format=csv",
    "/realtime/orders/alpha?format=csv",
    "/metrics",
    "/orders?account_id=alpha",
    "/orders/by_client_order_id?account_id=alpha&client_order_id=unknown",
)


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_nothing_that_leaves_has_our_secret_or_control_characters(
    tmp_path: Path, fmt: telemetry.Format
) -> None:
    output = io.StringIO()

    async def main() -> dict[str, bytes]:
        left: dict[str, bytes] = {}
        async with scene(tmp_path) as (broker, daemon, http):
            base = f"http://127.0.0.1:{daemon.port}"
            events: list[bytes] = []

            async def listen() -> None:
                async with http.get(f"{base}/realtime/events") as response:
                    while chunk := await response.content.readany():
                        events.append(chunk)

            await asyncio.sleep(1)
            listening = asyncio.create_task(listen())
            fill = poisoned(TradeUpdate, order=poisoned_order(id="x"), event="fill")
            fill |= {"legs": [poisoned(LegFill)], "position_qtys": {POISON: "1"}}
            await broker.send({"stream": "trade_updates", "data": fill})
            odd = poisoned(TradeUpdate, order=poisoned_order(id="y"), event=POISON)
            await broker.send({"stream": "trade_updates", "data": odd})
            await broker.send({"stream": POISON, "data": {}})
            await broker.send(b"not JSON " + POISON.encode())
            await asyncio.sleep(1)
            for round_ in ("synced", "down"):
                for path in PATHS:
                    async with http.get(base + path) as response:
                        left[f"{round_} {path}"] = await response.read()
                        left[f"{round_} {path} headers"] = str(response.raw_headers).encode()
                body = {"symbol": "AAPL", "qty": "1", "side": "buy", "account_id": "alpha"}
                body |= {"type": "market", "time_in_force": "day", "client_order_id": f"o-{round_}"}
                async with http.post(f"{base}/orders", json=body) as response:
                    left[f"{round_} order"] = await response.read()
                if round_ == "synced":
                    await broker.send({"action": "error", "data": {"error_message": POISON}})
                await asyncio.sleep(2)
            listening.cancel()
            await asyncio.wait([listening])
            left["events"] = b"".join(events)
        return left

    telemetry.configure("debug", fmt, output)
    try:
        left = virtual.run(main)
    finally:
        telemetry.configure("debug", "text", io.StringIO())
    left["log"] = output.getvalue().encode()
    left["journal"] = (tmp_path / "orders.jsonl").read_bytes()
    assert b"fill.applied" in left["log"] or b"filled" in left["log"]
    assert b"owned" in left["synced /realtime/orders/alpha"]
    assert b"owned" in left["synced order"]
    assert len(left["events"]) > 1000
    for name, content in left.items():
        assert SECRET.encode() not in content, name
        assert SECRET.encode().replace(b"/", b"\\/") not in content, name
        assert not FORBIDDEN.search(content.replace(b"\r\n", b"\n")), name
        if name not in ("log",) and not name.endswith("headers"):
            assert not ESCAPED.search(content), name
