"""REST calls against a real server: what is asked, what comes back, what goes wrong."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from realtime.broker import http_client as channel_module
from realtime.broker.http_client import CALL_S
from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.errors import (
    BrokerError,
    LinkError,
    ProtocolViolation,
    RateLimited,
    RealtimeError,
    Refused,
)
from realtime.secret import Credentials, Secret
from tests.broker.brokers import KEYS, Answer, raw_broker, rest_broker
from tests.broker.samples import ACCOUNT, ACTIVITY, POSITION, order
from tests.virtual import VirtualConnector, run

DATE = "Tue, 06 Oct 2026 14:02:11 GMT"
DATE_S = 1_791_295_331
PORT = 8091

Call = Callable[[RestClient], Awaitable[object]]
CALLS: dict[str, Call] = {
    "account": lambda rest: rest.account(),
    "positions": lambda rest: rest.positions(),
    "orders": lambda rest: rest.orders(),
    "order": lambda rest: rest.order("a"),
    "fills": lambda rest: rest.fills(),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def fixed(status: int, body: bytes = b"", **headers: str) -> Answer:
    """One answer for everything."""

    async def answer(_: web.Request) -> web.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=body, headers=sent)

    return answer


def json_of(value: object) -> bytes:
    return json.dumps(value).encode()


@asynccontextmanager
async def client(url: str, limiter: RateLimiter | None = None) -> AsyncIterator[RestClient]:
    """A client whose wall clock stands still."""
    async with aiohttp.ClientSession() as http:
        yield RestClient(
            http, url, KEYS, limiter or RateLimiter(FleetLimiter()), wall=lambda: float(DATE_S)
        )


@asynccontextmanager
async def broker(answer: Answer) -> AsyncIterator[RestClient]:
    """A client of a broker that gives one answer."""
    async with rest_broker(answer) as url, client(url) as rest:
        yield rest


async def asked(call: Call, body: object) -> tuple[web.Request, object]:
    """What the broker was asked, and what came of its answer."""
    requests = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response(body)

    async with broker(answer) as rest:
        result = await call(rest)
    assert len(requests) == 1
    return requests[0], result


async def test_account() -> None:
    """The key goes in headers, not in the address."""
    request, account = await asked(lambda rest: rest.account(), ACCOUNT)
    assert (request.method, request.rel_url) == ("GET", URL("/v2/account"))
    assert request.headers["APCA-API-KEY-ID"] == "PKEXAMPLE"
    assert request.headers["APCA-API-SECRET-KEY"] == "s3cr3t"
    assert getattr(account, "account_number", None) == "PA0EXAMPLE01"


async def test_positions() -> None:
    request, positions = await asked(lambda rest: rest.positions(), [POSITION])
    assert request.rel_url == URL("/v2/positions")
    assert [p.symbol for p in positions] == ["XLF"]  # type: ignore[attr-defined]  # seen by its use


async def test_orders() -> None:
    """What is not asked for is not sent, and times survive the address."""
    request, orders = await asked(
        lambda rest: rest.orders(status="open", after="2026-10-06T10:02:11.5+04:00", limit=50),
        [order()],
    )
    assert request.path == "/v2/orders"
    assert dict(request.query) == {
        "status": "open",
        "limit": "50",
        "after": "2026-10-06T10:02:11.5+04:00",
        "direction": "desc",
        "nested": "true",
    }
    assert isinstance(orders, tuple)
    assert len(orders) == 1


async def test_order() -> None:
    request, _ = await asked(lambda rest: rest.order("a b/c", nested=False), order())
    assert request.rel_url == URL("/v2/orders/a%20b%2Fc?nested=false", encoded=True)


async def test_fills() -> None:
    request, fills = await asked(
        lambda rest: rest.fills(after="2026-10-06T00:00:00Z", page_token="20261006::x"),
        [ACTIVITY],
    )
    assert request.path == "/v2/account/activities/FILL"
    assert dict(request.query) == {
        "after": "2026-10-06T00:00:00Z",
        "page_size": "100",
        "page_token": "20261006::x",
        "direction": "asc",
    }
    assert isinstance(fills, tuple)


async def test_no_such_order() -> None:
    """Only the broker's own word says that an order does not exist; any other 404 is an error."""
    missing = b'{"code":40410000,"message":"order not found for a"}'
    async with broker(fixed(404, missing)) as rest:
        assert await rest.order("a") is None
    async with broker(fixed(404, b'{"message":"Not Found"}')) as rest:
        with pytest.raises(BrokerError):
            await rest.order("a")
    async with broker(fixed(404, b"<html>")) as rest:
        with pytest.raises(LinkError):
            await rest.order("a")


@every_call
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (fixed(401, b'{"message": "unauthorized."}'), Refused),
        (fixed(401, b"<html>", Content_Type="text/html"), Refused),
        (fixed(403, b'{"message":"forbidden."}'), Refused),
        (fixed(403, b'{"code":40310000,"message":"no"}'), BrokerError),
        (fixed(422, b'{"code":40010001,"message":"no"}'), BrokerError),
        (fixed(429, b"slow down"), RateLimited),
        (fixed(500, b'{"code":50010000,"message":"oops"}'), LinkError),
        (fixed(503, b"<html>"), LinkError),
        (fixed(307, Location="/elsewhere"), LinkError),
        (fixed(200, b"<html>maintenance</html>"), LinkError),
        (fixed(200, b""), LinkError),
        (fixed(204), LinkError),
        (fixed(200, b'{"odd":1}'), ProtocolViolation),
        (fixed(200, b"null"), ProtocolViolation),
        (fixed(200, b"[" * 100_000), ProtocolViolation),
    ],
)
async def test_errors(call: Call, answer: Answer, expected: type[RealtimeError]) -> None:
    """Every bad answer has its error, in every call; nothing is tried twice."""
    count = 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        return await answer(request)

    async with broker(counted) as rest:
        with pytest.raises(RealtimeError) as caught:
            await call(rest)
    assert type(caught.value) is expected
    assert count == 1
    assert "s3cr3t" not in repr(caught.value)


async def test_request_id() -> None:
    """The broker's name for a request is kept, of failures too."""
    async with broker(fixed(200, json_of(ACCOUNT), X_Request_ID="r-1")) as rest:
        assert rest.last_request_id is None
        await rest.account()
        assert rest.last_request_id == "r-1"
    async with broker(fixed(500, b"", X_Request_ID="r-2")) as rest:
        with pytest.raises(LinkError, match="r-2"):
            await rest.account()
        assert rest.last_request_id == "r-2"


async def test_offset() -> None:
    """The broker's clock is learned from any answer."""
    async with broker(fixed(200, json_of(ACCOUNT), Date="Tue, 06 Oct 2026 14:02:21 GMT")) as rest:
        assert rest.offset_s is None
        await rest.account()
        assert rest.offset_s == pytest.approx(10.5)


async def test_budget_headers() -> None:
    """The pacer hears what the broker counts, and of a 429."""
    limiter = RateLimiter(FleetLimiter())
    headers = {
        "X_RateLimit_Remaining": "0",
        "X_RateLimit_Reset": str(DATE_S + 20),
        "Date": DATE,
    }
    async with (
        rest_broker(fixed(200, json_of(ACCOUNT), **headers)) as url,
        client(url, limiter) as r,
    ):
        await r.account()
    assert limiter.resting_s == pytest.approx(20, abs=1)

    limiter = RateLimiter(FleetLimiter())
    async with rest_broker(fixed(429, b"", Retry_After="9")) as url, client(url, limiter) as r:
        with pytest.raises(RateLimited) as caught:
            await r.account()
    assert caught.value.retry_after_s == 9
    assert limiter.resting_s == pytest.approx(9, abs=1)


async def test_gzip() -> None:
    packed = gzip.compress(json_of(ACCOUNT))
    async with broker(fixed(200, packed, Content_Encoding="gzip")) as rest:
        assert (await rest.account()).id == ACCOUNT["id"]
    async with broker(fixed(200, packed[:-20], Content_Encoding="gzip")) as rest:
        with pytest.raises(LinkError):
            await rest.account()
    async with broker(fixed(200, b"not gzip", Content_Encoding="gzip")) as rest:
        with pytest.raises(LinkError):
            await rest.account()


async def test_body_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body is bounded as it is unpacked, not as it is sent."""
    monkeypatch.setattr(channel_module, "BODY_MAX", 10_000)
    bomb = gzip.compress(b" " * 50_000_000)
    async with broker(fixed(200, bomb, Content_Encoding="gzip")) as rest:
        with pytest.raises(LinkError, match="longer than"):
            await rest.account()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_broken_http(said: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    async with raw_broker(speak) as address, client(f"http://{address}") as rest:
        with pytest.raises(LinkError):
            await rest.account()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "x", ""])
async def test_nobody_there(url: str) -> None:
    async with client(url) as rest:
        with pytest.raises(LinkError):
            await rest.account()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_every_call_ends(said: bytes) -> None:
    """A broker that stops in the middle is left after the limit."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await reader.read()

    async def main() -> float:
        async with (
            raw_broker(speak, port=PORT) as address,
            aiohttp.ClientSession(connector=VirtualConnector()) as http,
        ):
            rest = RestClient(http, f"http://{address}", KEYS, RateLimiter(FleetLimiter()))
            with pytest.raises(LinkError, match=f"no answer .* within {CALL_S:.0f} s"):
                await rest.account()
            return asyncio.get_running_loop().time()

    assert run(main) == pytest.approx(CALL_S, abs=1.1)


@pytest.mark.parametrize("secret", ["s3cr\nX-Evil: 1", "s3cr\udc80", "s3crét", "", " "])
async def test_no_key(secret: str) -> None:
    """What cannot be a key is refused before it is sent, and not shown."""
    async with rest_broker(fixed(200, json_of(ACCOUNT))) as url, aiohttp.ClientSession() as http:
        rest = RestClient(
            http, url, Credentials(Secret("PKEXAMPLE"), Secret(secret)), RateLimiter(FleetLimiter())
        )
        with pytest.raises(Refused, match="cannot be a key") as caught:
            await rest.account()
    assert "s3cr" not in str(caught.value)
