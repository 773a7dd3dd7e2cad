"""What is passed on reaches the broker as it was sent, and nothing else does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from msgspec import structs
from yarl import URL

from realtime.config.settings import AccountSettings, OrdersSettings, ServerSettings, Settings
from realtime.runtime.daemon import run_daemon
from realtime.secret import Credentials, Secret
from tests.api.alpaca.client import Client, trade
from tests.virtual import run, world

BODY = b'{"b": 1,  "a":\t"\xc3\xa9 \\u00e9"}\n'
KEYS = {"APCA-API-KEY-ID": "PKEXAMPLE", "APCA-API-SECRET-KEY": "a-secret-of-the-broker"}


class Broker:
    """Answers every path but those that keep an account in sync, and remembers requests."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[], web.Response] = lambda: web.Response(body=BODY)
        self.stream: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] | None = None
        """Answers every path with `events` in it."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/stream" or request.headers.get("X-Internal"):
            return web.Response(status=404)
        if "/events" in request.path and self.stream is not None:
            self.requests.append(request)
            return await self.stream(request)
        if "/forwarded" in request.path:
            self.requests.append(request)
            self.bodies.append(await request.read())
            return self.answer()
        return web.Response(status=503)


class Forwarded:
    """A daemon of one account at this broker, and a client of it."""

    def __init__(self, broker: Broker, http: aiohttp.ClientSession, url: str) -> None:
        self.broker, self.http, self.url = broker, http, url

    async def send(self, method: str, target: str, **more: Any) -> tuple[int, Any, bytes]:
        """Send a request; return status, headers and body."""
        headers = {**KEYS, **more.pop("headers", {})}
        url = URL(self.url + target, encoded=True)
        async with self.http.request(
            method, url, headers=headers, allow_redirects=False, **more
        ) as response:
            return response.status, response.headers, await response.read()


def forward(scene: Callable[[Forwarded], Coroutine[Any, Any, None]], folder: Path) -> None:
    """Play a scene in virtual time."""

    async def main() -> None:
        broker = Broker()
        server = web.ServerRunner(web.Server(broker.handle))
        await server.setup()
        await web.TCPSite(server, "127.0.0.1", 8091).start()
        key_id, secret_key = KEYS.values()
        keys = Credentials(Secret(key_id), Secret(secret_key))
        account = AccountSettings(
            label="alpha", trading_url="http://127.0.0.1:8091", credentials=keys
        )
        settings = Settings(
            path=folder / "accounts.toml",
            accounts=(account,),
            server=ServerSettings(port=0),
            orders=OrdersSettings(audit_log=folder / "orders.jsonl"),
        )
        connector = world(1).make_connector()
        async with (
            run_daemon(settings, world(1)) as daemon,
            aiohttp.ClientSession(connector=connector) as http,
        ):
            await scene(Forwarded(broker, http, f"http://127.0.0.1:{daemon.port}"))
        await server.cleanup()

    run(main)


def test_request_and_response_are_unchanged(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        target = "/v2/forwarded/a%20b?x=1&x=2&y=%2F+z&empty="
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            daemon.broker.answer = lambda: web.Response(
                status=418, body=BODY, headers={"X-RateLimit-Limit": "7", "X-Request-ID": "r1"}
            )
            data = None if method == "GET" else BODY
            status, headers, body = await daemon.send(method, target, data=data)
            request = daemon.broker.requests[-1]
            assert (request.method, request.raw_path) == (method, target)
            assert daemon.broker.bodies[-1] == (data or b"")
            assert (status, body) == (418, BODY)
            assert headers["X-RateLimit-Limit"] == "7"
            assert headers["X-Request-ID"] == "r1"

    forward(scene, tmp_path)


def test_only_headers_about_the_content_are_passed_on(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        sent = {
            "Accept": "text/csv", "User-Agent": "APCA-PY/0.44.0", "If-None-Match": '"x"',
            "Cookie": "realtime_token=x", "X-Forwarded-For": "1.2.3.4", "Forwarded": "for=x",
            "X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/v2/orders", "TE": "trailers",
            "X-Realtime-Account": "alpha", "Proxy-Authorization": "Basic x", "Referer": "http://x",
        }  # fmt: skip
        await daemon.send("GET", "/v2/forwarded", headers=sent)
        headers = daemon.broker.requests[-1].headers
        assert {name: headers.get(name) for name in ("Accept", "User-Agent", "If-None-Match")} == {
            "Accept": "text/csv", "User-Agent": "APCA-PY/0.44.0", "If-None-Match": '"x"',
        }  # fmt: skip
        assert {name: headers[name] for name in KEYS} == KEYS
        known = {
            "Host", "Accept", "User-Agent", "If-None-Match", "Accept-Encoding", *KEYS
        }  # fmt: skip
        assert {name.lower() for name in headers} <= {name.lower() for name in known}

    forward(scene, tmp_path)


def test_hop_by_hop_headers_end_here(tmp_path: Path) -> None:
    async def scene(daemon: Forwarded) -> None:
        added = {
            "Connection": "keep-alive, X-Hop", "X-Hop": "1", "Keep-Alive": "timeout=5",
            "Set-Cookie": "a=b", "Retry-After": "1", "Access-Control-Allow-Origin": "*",
            "X-Other": "2",
        }  # fmt: skip
        daemon.broker.answer = lambda: web.Response(body=BODY, headers=added)
        _, headers, _ = await daemon.send("GET", "/v2/forwarded")
        assert headers["X-Other"] == "2"
        assert not (set(added) - {"X-Other", "Connection"}) & set(headers)

    forward(scene, tmp_path)


def test_redirect_is_not_followed(tmp_path: Path) -> None:
    """It would take the key to another host."""

    async def scene(daemon: Forwarded) -> None:
        location = {"Location": "http://127.0.0.1:8091/v2/forwarded/other"}
        daemon.broker.answer = lambda: web.Response(status=307, headers=location)
        status, _, _ = await daemon.send("POST", "/v2/forwarded", data=BODY)
        assert status == 307
        assert len(daemon.broker.requests) == 1

    forward(scene, tmp_path)


def test_key_of_the_broker_is_not_shown(tmp_path: Path) -> None:
    """A program that uses the account's label must not learn the key."""

    async def scene(daemon: Forwarded) -> None:
        secret = KEYS["APCA-API-SECRET-KEY"]
        daemon.broker.answer = lambda: web.Response(text=f'{{"message":"bad key {secret}"}}')
        headers = {"APCA-API-KEY-ID": "alpha", "APCA-API-SECRET-KEY": "x"}
        _, _, body = await daemon.send("GET", "/v2/forwarded", headers=headers)
        assert secret.encode() not in body

    forward(scene, tmp_path)


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (502, "GET", 503), (504, "GET", 503), (500, "GET", 500), (503, "GET", 503),
        (502, "POST", 500), (504, "POST", 500), (503, "POST", 500), (408, "POST", 500),
        (429, "POST", 429), (422, "POST", 422),
    ],
)  # fmt: skip
def test_failing_gateway_is_never_repeated_by_an_sdk(
    tmp_path: Path, status: int, method: str, expected: int
) -> None:
    async def scene(daemon: Forwarded) -> None:
        daemon.broker.answer = lambda: web.Response(status=status, headers={"Retry-After": "1"})
        data = None if method == "GET" else BODY
        answered, headers, _ = await daemon.send(method, "/v2/forwarded", data=data)
        assert answered == expected
        assert "Retry-After" not in headers

    forward(scene, tmp_path)


@pytest.mark.slow
def test_reads_that_are_passed_on_keep_to_their_share(tmp_path: Path) -> None:
    """20 at once, then one a second; the others are refused, and nothing of them is sent."""

    async def scene(client: Client) -> None:
        replies = await asyncio.gather(
            *(client.here("GET", "/v2/account/configurations") for _ in range(60))
        )
        statuses = [reply.status for reply in replies]
        assert statuses.count(200) + statuses.count(429) == 60
        assert 20 <= statuses.count(200) <= 25
        refused = next(reply for reply in replies if reply.status == 429)
        assert refused.json["code"] == 42910000
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
                 "time_in_force": "day"}  # fmt: skip
        assert (await client.here("POST", "/v2/orders", order)).status == 200

    trade(scene, tmp_path)


def test_reading_token_changes_nothing(tmp_path: Path) -> None:
    """Switched off trading holds for what is passed on as well."""

    def without_trading(settings: Settings) -> Settings:
        return structs.replace(settings, orders=structs.replace(settings.orders, enabled=False))

    async def scene(client: Client) -> None:
        before = client.requests()
        for method, target in (
            ("POST", "/v2/orders"), ("DELETE", "/v2/orders"), ("POST", "/v2/watchlists"),
            ("DELETE", "/v2/positions"), ("PATCH", "/v2/account/configurations"),
        ):  # fmt: skip
            body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market",
                    "time_in_force": "day"}  # fmt: skip
            reply = await client.here(method, target, body)
            assert (reply.status, reply.json["code"]) == (403, 40310000), target
        assert client.requests() == before

    trade(scene, tmp_path, change=without_trading)
