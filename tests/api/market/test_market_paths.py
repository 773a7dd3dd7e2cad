"""The broker's own paths: what a client gets is what the simulator sends, byte for byte."""

import json
from urllib.parse import urlencode

import pytest
from aiohttp import web

from realtime.api.market_routes import DATA_PATHS, MARKET_ROUTES
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.latest_values import error_message
from tests.api.market.server import market_server
from tests.simulator.market.rest.test_openapi import MARKET_FILE, requests_of_every_route

FROM_MEMORY = {
    "/market/status": "market_data",
    "/market/marks": "account_access",
    "/market/marks/{account_id}": "account_access",
}
"""Routes that never cost a request → the permission."""

QUOTES = "/v2/stocks/quotes/latest?symbols=AAPL"


async def test_every_body_is_the_brokers_byte_for_byte() -> None:
    async with market_server() as server:
        scene = server.scene
        scene.simulator.market_data.settings.plan = "plus"
        option = scene.simulator.exchange.listing.options()[0].symbol
        for route, parts, query in requests_of_every_route(option):
            path = route.replace("{}", "%s") % (*parts,) + f"?{urlencode(query)}"
            direct = await scene.direct(path)
            first, again = await server.get(path), await server.get("/api/v1" + path)
            assert first.body == again.body == direct, path
            assert (first.status, again.status) == (200, 200)
            sources = [reply.headers["X-Realtime-Source"] for reply in (first, again)]
            assert sources == ["rest", "cache"], path
            assert json.loads(first.body) is not None


async def test_a_logo_is_a_picture_and_is_repeated() -> None:
    async with market_server() as server:
        direct = await server.scene.direct("/v1beta1/logos/AAPL")
        first, again = [await server.get("/v1beta1/logos/AAPL") for _ in range(2)]
        assert first.body == again.body == direct
        assert direct.startswith(b"\x89PNG")
        assert first.headers["Content-Type"] == "image/png"
        assert again.headers["X-Realtime-Source"] == "cache"


@pytest.mark.skipif(not MARKET_FILE.exists(), reason=f"{MARKET_FILE} is not there")
def test_every_path_of_the_brokers_description_is_there_with_its_parameters() -> None:
    document = json.loads(MARKET_FILE.read_bytes())
    shared = document["components"]["parameters"]
    described = {}
    for path, item in document["paths"].items():
        parameters = [*item.get("parameters", []), *item["get"].get("parameters", [])]
        full = [shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in parameters]
        described[path] = {p["name"] for p in full if p["in"] == "query"}
    ours = {route.paths[0]: set(route.query.__struct_fields__) for route in DATA_PATHS}
    assert ours.keys() == described.keys()
    assert {
        path: names - ours[path] for path, names in described.items() if names - ours[path]
    } == {}


async def test_parameters_pass_as_they_came_also_unknown_ones() -> None:
    """Clients escape, repeat and spell them in their own ways: `+`, `%20`, `True`."""
    async with market_server() as server:
        for query in (
            "symbols=AAPL%2CKO&timeframe=1Day&start=2026-10-01T00%3A00%3A00%2B00%3A00",
            "symbols=AAPL&timeframe=5Min&start=2026-10-05&limit=3&later_version=True",
            "timeframe=1Day&symbols=BRK.B&start=2026-10-01&asof=",
        ):
            path = f"/v2/stocks/bars?{query}"
            reply = await server.get(path)
            assert (reply.status, reply.body) == (200, await server.scene.direct(path))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/stocks/quotes/latest?symbols=AAPL&feed=sip", 403),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Min&feed=sip&end=2026-10-06T14:00:00Z", 403),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Fortnight", 400),
        ("/v2/stocks/bars?symbols=AAPL&timeframe=1Day&limit=20000", 400),
        ("/v2/stocks/quotes/latest?symbols=$$$", 400),
        ("/v2/stocks/quotes/latest", 400),
        ("/v2/stocks/NOPE/quotes/latest", 404),
        ("/v1beta1/forex/latest/rates?currency_pairs=USD", 400),
        ("/v1beta1/fixed_income/latest/prices?isins=XX", 400),
        ("/v1beta1/logos/NOPE?placeholder=false", 404),
    ],
)
async def test_the_brokers_refusal_passes_unchanged_and_is_not_cached(
    path: str, status: int
) -> None:
    async with market_server() as server:
        await server.get("/v2/stocks/quotes/latest?symbols=AAPL&feed=iex")
        for _ in range(2):
            reply = await server.get(path, Cache_Control="max-stale")
            assert (reply.status, reply.body) == (status, await server.scene.direct(path))
            assert reply.headers["X-Realtime-Source"] == "rest"


async def test_headers_tell_how_old_a_response_is() -> None:
    async with market_server() as server:
        first = await server.get("/v1beta1/news?limit=1")
        assert first.headers["Age"] == "0"
        assert first.headers["X-Realtime-As-Of"] == "2026-10-06T14:00:00.000Z"
        assert first.headers["Cache-Control"] == "no-store"
        feed = await server.get(f"{QUOTES}&feed=iex")
        assert feed.headers["X-Realtime-Feed"] == "iex"
        assert "X-Realtime-Feed" not in (await server.get(QUOTES)).headers  # the broker chose


async def test_a_rate_limit_is_passed_on_and_an_older_value_only_on_request() -> None:
    async with market_server() as server:
        fresh = await server.get(QUOTES)
        server.scene.clock.move(30)
        server.scene.fault("rate_limited")
        limited = await server.get(QUOTES)
        assert (limited.status, error_message(limited.body)) == (429, "too many requests.")
        assert int(limited.headers["Retry-After"]) >= 1
        used_up = await server.get(QUOTES)
        problem = used_up.problem(429, "market_budget_used_up")
        assert problem["message"] == problem["detail"]  # where the broker's clients look
        assert int(used_up.headers["Retry-After"]) >= 1
        older = await server.get(QUOTES, Cache_Control="max-stale=60")
        assert (older.status, older.body) == (200, fresh.body)
        assert older.headers["X-Realtime-Stale"] == "true"
        assert (await server.get(QUOTES, Cache_Control="max-stale=5")).status == 429


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_failure_of_the_broker_is_a_problem_of_ours(status: int) -> None:
    async with market_server() as server:
        server.scene.fault("server_error", status=status)
        (await server.get(QUOTES)).problem(503, "market_unreachable")


async def test_a_refused_data_key_is_not_reported_as_the_clients_token() -> None:
    async with market_server() as server:
        server.scene.fault("unauthorized")
        (await server.get(QUOTES)).problem(503, "market_key_refused")


@pytest.mark.parametrize(
    "path",
    [
        "/v2/stocks/..%2F..%2Fv2%2Faccount/bars",
        "/v2/stocks/%2e%2e/quotes/latest",
        "/v1beta1/options/snapshots/A%00B",
        "/v1beta1/logos/%3Fa%3Db",
        f"/v1beta1/logos/{'A' * 65}",
        "/v1beta3/crypto/us@evil.example/bars",
    ],
)
async def test_a_segment_of_a_path_cannot_become_another_path(path: str) -> None:
    async with market_server() as server:
        reply = await server.get(path)
        assert (reply.status, server.scene.requests) in [(400, 0), (404, 0)]


async def test_a_query_string_is_bounded() -> None:
    async with market_server() as server:
        many = "&".join(f"a{number}=1" for number in range(101))
        (await server.get(f"/v1beta1/news?{many}")).problem(400, "bad_parameter")
        assert server.scene.requests == 0


def test_every_route_requires_the_permission_and_is_closed_to_other_origins() -> None:
    for route in MARKET_ROUTES:
        is_local = route.paths[0] in FROM_MEMORY
        assert route.access == FROM_MEMORY.get(route.paths[0], "market_data")
        assert route.reaches_broker(route.query()) is not is_local


PAGE = b"<html><script>alert(1)</script></html>"


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", PAGE),
        (200, "text/html", b'{"quotes":{}}'),
        (200, "application/json", b'{"quotes":{"AAPL":'),
        (200, "application/json", b""),
        (403, "text/html", PAGE),
        (404, "text/html", PAGE),
        (502, "text/html", PAGE),
        (302, "text/html", PAGE),
    ],
)
async def test_what_is_not_the_brokers_is_not_passed_on(
    status: int, content_type: str, body: bytes
) -> None:
    """A captive portal, or a proxy: its page is neither shown nor kept."""

    async def answer(_: web.Request) -> web.Response:
        headers = {"Content-Type": content_type, "Location": "/elsewhere"}
        return web.Response(status=status, body=body, headers=headers)

    broker = web.Application()
    broker.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(broker)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with market_server(url=f"http://127.0.0.1:{runner.addresses[0][1]}") as server:
            reply = await server.get(QUOTES)
            problem = reply.problem(503, "market_unreachable")
            assert "alert" not in str(problem) + reply.body.decode()
            cached = server.scene.reader.cache
            assert isinstance(cached, MemoryCache)
            assert len(cached) == 0
    finally:
        await runner.cleanup()
