"""Requests to the market-data API: one host, the response as it came, never the key."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from realtime.broker import data_client
from realtime.broker.data_client import DataClient, DataResponse
from realtime.broker.http_client import open_session
from realtime.errors import LinkError, NotSent
from realtime.secret import Credentials, Secret
from tests.broker.brokers import Answer, rest_broker

KEYS = Credentials(Secret("PKEXAMPLEEXAMPLE0000"), Secret("s3cr3ts3cr3t"))


async def get(answer: Answer, path: str = "/v2/x", **params: str) -> DataResponse:
    async with rest_broker(answer) as url, open_session(aiohttp.TCPConnector()) as session:
        return await DataClient(session, url, KEYS).get(path, list(params.items()))


async def test_any_response_is_returned_as_it_came() -> None:
    body = b'{"news":"line\\nbreak \xe2\x80\xa8 \\u0007","n": 1.0e3}'

    async def answer(request: web.Request) -> web.Response:
        headers = {
            "Content-Type": "application/json", "X-Request-ID": "r1", "X-RateLimit-Limit": "200",
            "X-RateLimit-Remaining": "7", "Retry-After": "3",
        }  # fmt: skip
        return web.Response(status=429, body=body, headers=headers)

    response = await get(answer)
    assert (response.status, response.body, response.request_id) == (429, body, "r1")
    assert (response.limit, response.remaining, response.retry_after_s) == (200, 7, 3.0)


async def test_path_and_parameters_arrive_as_they_are() -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({})

    await get(answer, "/v2/stocks/BTC%2FUSD", symbols="A,B", start="2026-10-01T00:00:00+00:00")
    (request,) = seen
    assert request.rel_url.raw_path == "/v2/stocks/BTC%2FUSD"
    assert request.query["start"] == "2026-10-01T00:00:00+00:00"
    assert request.query["symbols"] == "A,B"
    assert request.headers["APCA-API-KEY-ID"] == "PKEXAMPLEEXAMPLE0000"


async def test_a_redirect_is_not_followed() -> None:
    requests = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal requests
        requests += 1
        return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})

    assert ((await get(answer)).status, requests) == (302, 1)


@pytest.mark.parametrize(
    "text", ["s3cr3ts3cr3t", "s3cr3t\\u0073\\u0033cr3t", "PKEXAMPLEEXAMPLE0000"]
)
async def test_the_key_is_never_in_a_response(text: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=f'{{"message":"{text}"}}'.encode(), content_type="text/plain")

    response = await get(answer)
    assert response.body == b'{"message":"***"}'


async def test_a_response_that_is_not_complete_is_an_error() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"bars":{}')
        assert request.transport is not None
        request.transport.abort()
        return response

    with pytest.raises(LinkError):
        await get(answer)


async def test_a_response_that_is_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_client, "MAX_BODY_BYTES", 1000)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 1001)

    with pytest.raises(LinkError, match="longer"):
        await get(answer)


async def test_a_broker_that_is_not_there_was_not_asked() -> None:
    async with open_session(aiohttp.TCPConnector()) as session:
        with pytest.raises(NotSent):
            await DataClient(session, "http://127.0.0.1:9", KEYS).get("/v2/x", [])


async def test_a_response_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_client, "REQUEST_TIMEOUT_S", 0.05)
    left = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await left.wait()
        return web.Response()

    async with rest_broker(answer) as url, open_session(aiohttp.TCPConnector()) as session:
        with pytest.raises(LinkError, match="no response"):
            await DataClient(session, url, KEYS).get("/v2/x", [])
        left.set()
