"""Requests that move money: what is sent, and what each response means."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from realtime.broker.order_api import OrderApi
from realtime.errors import BrokerError, KeyRejected, LinkError, RateLimited
from tests.broker.brokers import fixed, json_of, rest_client
from tests.broker.samples import order

Call = Callable[[OrderApi], Awaitable[object]]
REQUESTS: dict[str, tuple[Call, str, str]] = {
    "submit": (lambda api: api.submit({"symbol": "AAPL"}), "POST", "/v2/orders"),
    "replace": (lambda api: api.replace("a-b", {"qty": "2"}), "PATCH", "/v2/orders/a-b"),
    "cancel": (lambda api: api.cancel("a-b"), "DELETE", "/v2/orders/a-b"),
    "find_by_id": (lambda api: api.find_by_id("a"), "GET", "/v2/orders/a?nested=true"),
    "find_by_client_order_id": (
        lambda api: api.find_by_client_order_id("x&y"),
        "GET",
        "/v2/orders:by_client_order_id?client_order_id=x%26y&nested=true",
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_one_request_to_the_right_path(name: str) -> None:
    call, method, path = REQUESTS[name]
    requests: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        requests.append((request.method, request.raw_path))
        return web.json_response(order())

    async with rest_client(answer) as rest:
        await call(OrderApi(rest.http))
    assert requests == [(method, path)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (fixed(200, b'{"odd":1}'), LinkError),
        (fixed(200, b"<html>"), LinkError),
        (fixed(401, b"<html>"), LinkError),
        (fixed(401, b'{"message":"unauthorized."}'), KeyRejected),
        (fixed(422, b'{"code":42210000,"message":"no"}'), BrokerError),
        (fixed(429), RateLimited),
        (fixed(504), LinkError),
    ],
)
async def test_only_the_brokers_own_rejection_is_definite(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]], expected: type[Exception]
) -> None:
    async with rest_client(answer) as rest:
        with pytest.raises(expected) as caught:
            await OrderApi(rest.http).submit({"symbol": "AAPL"})
    assert type(caught.value) is expected


async def test_unknown_order_is_none_only_in_the_brokers_words() -> None:
    missing = json_of({"code": 40410000, "message": "order not found"})
    async with rest_client(fixed(404, missing)) as rest:
        assert await OrderApi(rest.http).find_by_id("a") is None
    async with rest_client(fixed(404, b'{"message":"Not Found"}')) as rest:
        with pytest.raises(BrokerError):
            await OrderApi(rest.http).find_by_id("a")


async def test_cancel_all_has_a_result_per_order() -> None:
    items = [{"id": "a", "status": 200}, {"id": "b", "status": 422, "body": {"code": 1}}]
    async with rest_client(fixed(207, json_of(items))) as rest:
        results = await OrderApi(rest.http).cancel_all()
    assert [(r.order_id, r.status, r.body) for r in results] == [
        ("a", 200, b"null"),
        ("b", 422, b'{"code": 1}'),
    ]
