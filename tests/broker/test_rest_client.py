"""REST reads against a real server: requests, responses, errors."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web
from yarl import URL

from realtime.broker.rest_client import RestClient
from realtime.errors import (
    BrokerError,
    KeyRejected,
    LinkError,
    ProtocolViolation,
    RateLimited,
    RealtimeError,
)
from tests.broker.brokers import Answer, fixed, rest_client
from tests.broker.samples import ACCOUNT, ACTIVITY, POSITION, order

Call = Callable[[RestClient], Awaitable[object]]
CALLS: dict[str, Call] = {
    "account": lambda rest: rest.fetch_account(),
    "positions": lambda rest: rest.fetch_positions(),
    "orders": lambda rest: rest.fetch_orders(),
    "order": lambda rest: rest.fetch_order("a"),
    "fills": lambda rest: rest.fetch_fills(),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


async def exchange(call: Call, body: object) -> tuple[web.Request, object]:
    """The request that the broker received, and the result of its response."""
    requests = []

    async def answer(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response(body)

    async with rest_client(answer) as rest:
        result = await call(rest)
    assert len(requests) == 1
    return requests[0], result


async def test_account() -> None:
    """The key goes in headers, not in the address."""
    request, account = await exchange(lambda rest: rest.fetch_account(), ACCOUNT)
    assert (request.method, request.rel_url) == ("GET", URL("/v2/account"))
    assert request.headers["APCA-API-KEY-ID"] == "PKEXAMPLE"
    assert request.headers["APCA-API-SECRET-KEY"] == "s3cr3t"
    assert getattr(account, "account_number", None) == "PA0EXAMPLE01"


async def test_positions() -> None:
    request, positions = await exchange(lambda rest: rest.fetch_positions(), [POSITION])
    assert request.rel_url == URL("/v2/positions")
    assert [p.symbol for p in positions] == ["XLF"]  # type: ignore[attr-defined]  # seen by its use


async def test_orders() -> None:
    """Absent parameters are not sent, and times are escaped."""
    request, orders = await exchange(
        lambda rest: rest.fetch_orders(
            status="open", after="2026-10-06T10:02:11.5+04:00", limit=50
        ),
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
    request, _ = await exchange(lambda rest: rest.fetch_order("a b/c", nested=False), order())
    assert request.rel_url == URL("/v2/orders/a%20b%2Fc?nested=false", encoded=True)


async def test_fills() -> None:
    request, fills = await exchange(
        lambda rest: rest.fetch_fills(after="2026-10-06T00:00:00Z", page_token="20261006::x"),
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
    """Only the broker's own JSON means that an order does not exist; any other 404 is an error."""
    missing = b'{"code":40410000,"message":"order not found for a"}'
    async with rest_client(fixed(404, missing)) as rest:
        assert await rest.fetch_order("a") is None
    async with rest_client(fixed(404, b'{"message":"Not Found"}')) as rest:
        with pytest.raises(BrokerError):
            await rest.fetch_order("a")
    async with rest_client(fixed(404, b"<html>")) as rest:
        with pytest.raises(LinkError):
            await rest.fetch_order("a")


@every_call
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (fixed(401, b'{"message": "unauthorized."}'), KeyRejected),
        (fixed(401, b"<html>", Content_Type="text/html"), LinkError),
        (fixed(403, b'{"message":"forbidden."}'), KeyRejected),
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
    """Every failed response has its error, in every read; nothing is retried."""
    count = 0

    async def counted(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        return await answer(request)

    async with rest_client(counted) as rest:
        with pytest.raises(RealtimeError) as caught:
            await call(rest)
    assert type(caught.value) is expected
    assert count == 1
    assert "s3cr3t" not in repr(caught.value)
