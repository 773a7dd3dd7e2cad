"""Our own routes of market data."""

from typing import Any

import msgspec
import pytest

from realtime.api.handlers.market_data import read_cache_rules
from realtime.api.market_routes import MARKET_ROUTES
from realtime.api.routes import openapi_document
from realtime.market.rest.reader import CacheRules
from realtime.store.store import Store
from tests.api.guarded import token
from tests.api.market.server import MarketServer, market_server
from tests.api.reader import Clock, reading

ASSETS = ("stocks", "options", "crypto")


def symbol_of(server: MarketServer, asset_class: str) -> str:
    if asset_class == "options":
        return server.scene.simulator.exchange.listing.options()[0].symbol
    return {"stocks": "AAPL", "crypto": "BTC/USD"}[asset_class]


@pytest.mark.parametrize("field", ["quote", "trade", "snapshot"])
async def test_a_stock_has_the_body_of_the_brokers_own_route(field: str) -> None:
    async with market_server() as server:
        reply = await server.get(f"/api/v1/stocks/aapl/{field}?routing_key=client-7")
        path = "snapshot" if field == "snapshot" else f"{field}s/latest"
        assert reply.body == await server.scene.direct(f"/v2/stocks/AAPL/{path}?feed=iex")
        assert reply.headers["X-Realtime-Feed"] == "iex"
        assert reply.headers["X-Realtime-Source"] == "rest"
        again = await server.get(f"/stocks/AAPL/{field}?feed=iex")
        assert (again.body, again.headers["X-Realtime-Source"]) == (reply.body, "cache")


@pytest.mark.parametrize("field", ["quote", "trade", "snapshot"])
@pytest.mark.parametrize("asset_class", ASSETS)
async def test_options_and_coins_have_the_same_form(asset_class: str, field: str) -> None:
    async with market_server() as server:
        symbol = symbol_of(server, asset_class)
        reply = await server.get(f"/{asset_class}/{symbol}/{field}")
        assert reply.json["symbol"] == symbol
        assert "latestQuote" in reply.json if field == "snapshot" else reply.json[field]["t"]


@pytest.mark.parametrize("text", ["BTC/USD", "BTC%2FUSD", "btcusd", "BTC-USD"])
async def test_a_pair_may_be_spelled_in_any_way(text: str) -> None:
    async with market_server() as server:
        for name in ("quote", "bars"):
            reply = await server.get(f"/crypto/{text}/{name}")
            assert (reply.status, reply.json["symbol"]) == (200, "BTC/USD")


@pytest.mark.parametrize("asset_class", ASSETS)
async def test_bars_have_the_form_of_the_brokers_route_for_stocks(asset_class: str) -> None:
    async with market_server() as server:
        symbol = symbol_of(server, asset_class)
        query = "timeframe=1Day&start=2026-09-01&end=2026-09-30&limit=3"
        reply = await server.get(f"/{asset_class}/{symbol}/bars?{query}")
        assert list(reply.json) == ["symbol", "bars", "next_page_token"]
        assert (reply.json["symbol"], len(reply.json["bars"])) == (symbol, 3)
        if asset_class == "stocks":
            direct = await server.scene.direct(f"/v2/stocks/AAPL/bars?{query}&adjustment=raw")
            assert reply.body == direct
        token_ = reply.json["next_page_token"]
        following = await server.get(f"/{asset_class}/{symbol}/bars?{query}&page_token={token_}")
        assert following.json["bars"][0]["t"] > reply.json["bars"][-1]["t"]


@pytest.mark.parametrize("asset_class", ASSETS)
async def test_bars_without_a_start_are_the_newest_in_the_order_of_time(asset_class: str) -> None:
    async with market_server() as server:
        symbol = symbol_of(server, asset_class)
        reply = await server.get(f"/{asset_class}/{symbol}/bars?limit=5")
        times = [bar["t"] for bar in reply.json["bars"]]
        assert (len(times), times) == (5, sorted(set(times)))
        assert times[-1].startswith("2026-10-06")
        assert reply.json["next_page_token"] is None


@pytest.mark.parametrize("asset_class", ASSETS)
async def test_a_batch_names_what_is_wrong_with_a_symbol_and_returns_the_others(
    asset_class: str,
) -> None:
    async with market_server() as server:
        symbol = symbol_of(server, asset_class)
        unknown = {"stocks": "NOPE", "options": "NOPE261218C00001000", "crypto": "NOPE/USD"}
        body = {"symbols": [symbol.lower(), unknown[asset_class], "$$", ""]}
        reply = await server.post(f"/{asset_class}/quotes/batch", body)
        document = reply.json
        assert list(document["quotes"]) == [symbol]
        assert {name: error["code"] for name, error in document["errors"].items()} == {
            unknown[asset_class]: "unknown_symbol", "$$": "bad_symbol", "": "bad_symbol",
        }  # fmt: skip
        assert document["feed"] == {"stocks": "iex", "options": "indicative"}.get(asset_class)
        assert (document["as_of"], document["stale"]) == ("2026-10-06T14:00:00.000Z", [])
        single = (await server.get(f"/{asset_class}/{symbol}/quote")).json
        assert single["quote"] == document["quotes"][symbol]


async def test_a_batch_of_a_thousand_is_four_requests() -> None:
    async with market_server(feed="iex") as server:
        symbols = ["AAPL", *(f"A{number}" for number in range(999))]
        reply = await server.post("/stocks/quotes/batch", {"symbols": symbols})
        assert (len(reply.json["quotes"]), len(reply.json["errors"])) == (1, 999)
        assert server.scene.requests == 4


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"symbols":[]}', b'{"symbols":"AAPL"}', b'{"symbols":[1]}',
        b'{"symbol":["AAPL"]}', b'{"symbols":["A"],"feeds":"iex"}', b"\xff\xfe",
        b'{"symbols":["A"],"currency":"usd"}',
        msgspec.json.encode({"symbols": ["A"] * 1001}),
    ],
)  # fmt: skip
async def test_a_body_of_another_form_is_refused_with_the_form(body: bytes) -> None:
    async with market_server() as server:
        problem = (await server.post("/stocks/quotes/batch", body)).problem(400, "bad_parameter")
        assert "symbols" in problem["remedy"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/stocks/$$$/quote", 400, "bad_symbol"),
        ("/stocks/..%2Faccount/quote", 400, "bad_symbol"),
        ("/options/AAPL/quote", 400, "bad_symbol"),
        ("/crypto/BTC/quote", 400, "bad_symbol"),
        ("/stocks/NOPE/quote", 404, "unknown_symbol"),
        ("/stocks/BRK-B/quote", 404, "unknown_symbol"),
        ("/stocks/AAPL/quote?feed=opra", 400, "bad_parameter"),
        ("/stocks/AAPL/quote?feeds=iex", 400, "bad_parameter"),
        ("/stocks/AAPL/quote?feed=sip", 403, "feed_refused"),
        ("/options/NVDA261218C00100000/quote?feed=opra", 403, "feed_refused"),
        ("/stocks/AAPL/bars?limit=0", 400, "bad_parameter"),
        ("/stocks/AAPL/bars?limit=10001", 400, "bad_parameter"),
        ("/stocks/AAPL/bars?adjustment=none", 400, "bad_parameter"),
        ("/stocks/AAPL/bars?timeframe=1Fortnight", 400, "market_request_refused"),
        ("/stocks/AAPL/bars?start=2026-10-05&end=2026-10-01", 400, "market_request_refused"),
        ("/stocks/AAPL/bars?feed=sip&end=2026-10-06T14:00:00Z", 403, "feed_refused"),
    ],
)
async def test_an_error_has_code_and_remedy(path: str, status: int, code: str) -> None:
    async with market_server() as server:
        problem = (await server.get(path)).problem(status, code)
        if code in ("feed_refused", "market_request_refused"):
            assert problem["alpaca"]["message"]


async def test_a_batch_without_any_value_has_the_status_of_its_problem() -> None:
    async with market_server() as server:
        reply = await server.post(
            "/stocks/quotes/batch", {"symbols": ["AAPL", "KO"], "feed": "sip"}
        )
        reply.problem(403, "feed_refused")
        server.scene.fault("server_error", status=500)
        reply = await server.post("/stocks/quotes/batch", {"symbols": ["AAPL"], "feed": "iex"})
        reply.problem(503, "market_unreachable")


async def test_the_feed_is_the_best_one_that_the_key_may_use_or_the_configured_one() -> None:
    async with market_server() as server:
        server.scene.simulator.market_data.settings.plan = "plus"
        for path, feed in (("/stocks/AAPL/quote", "sip"), ("/options/{}/quote", "opra")):
            reply = await server.get(path.format(symbol_of(server, "options")))
            assert reply.headers["X-Realtime-Feed"] == feed
    async with market_server(feed="delayed_sip") as server:
        assert (await server.get("/stocks/AAPL/quote")).headers["X-Realtime-Feed"] == "delayed_sip"
        assert server.scene.requests == 1


async def test_status_names_feed_budget_and_cache() -> None:
    async with market_server() as server:
        assert (await server.get("/market/status")).json["rest"]["feed"] is None
        for _ in range(3):
            await server.get("/stocks/AAPL/quote")
        status = (await server.get("/market/status")).json
        assert (status["account"], status["rest"]["feed"]) == ("alpha", "iex")
        assert (status["rest"]["requests"], status["rest"]["cache_hits"]) == (2, 2)
        assert status["rest"]["budget"]["remaining"] == 198
        assert status["rest"]["cache"]["kind"] == "memory"
        assert status["rest"]["cache"]["entries"] == 1


async def test_cached_responses_are_removed_by_the_beginning_of_their_path() -> None:
    async with market_server(feed="iex") as server:
        await server.get("/stocks/AAPL/quote")
        await server.get("/stocks/KO/quote")
        await server.get("/v2/stocks/bars?symbols=AAPL&timeframe=1Day")
        reply = await server.post("/market/cache/invalidate?prefix=/stocks/AAPL")
        assert reply.json == {"prefix": "/stocks/AAPL", "removed": 1}
        assert (await server.post("/market/cache/invalidate")).json["removed"] == 2


@pytest.mark.parametrize(
    ("header", "rules"),
    [
        (None, CacheRules()),
        ("", CacheRules()),
        ("no-cache", CacheRules(no_cache=True)),
        ("Max-Stale", CacheRules(max_stale_s=86_400)),
        ("max-stale=90", CacheRules(max_stale_s=90)),
        ("max-stale=999999999", CacheRules(max_stale_s=86_400)),
        ("no-cache, max-stale = 5", CacheRules(no_cache=True, max_stale_s=5)),
        ("max-age=0", CacheRules(max_age_s=0)),
        ("max-age=7,only-if-cached", CacheRules(max_age_s=7)),
        ("max-age=-1", CacheRules()),
        ("max-stale=x", CacheRules()),
        ("s-max-age=3", CacheRules()),
    ],
)
def test_cache_control_is_read_as_in_rfc_9111(header: str | None, rules: CacheRules) -> None:
    assert read_cache_rules(header) == rules


async def test_a_token_needs_the_permission() -> None:
    wrong = token(account_id="*", permissions=["account_access", "trading", "admin"])
    right = token(account_id="alpha", permissions=["market_data"])
    async with market_server(tokens=True) as server:
        for path in ("/stocks/AAPL/quote", "/v2/stocks/AAPL/quotes/latest", "/market/status"):
            (await server.get(path)).problem(401, "token_missing")
            (await server.get(path, Authorization=f"Bearer {wrong}")).problem(
                403, "permission_missing"
            )
            assert (await server.get(path, Authorization=f"Bearer {right}")).status == 200
            # An unmodified client sends a pair of keys.
            pair = {"APCA_API_KEY_ID": "any", "APCA_API_SECRET_KEY": right}
            assert (await server.get(path, **pair)).status == 200
            pair["APCA_API_SECRET_KEY"] = "s3cr3t"
            (await server.get(path, **pair)).problem(401, "token_invalid")
        batch = await server.post("/stocks/quotes/batch", {"symbols": ["AAPL"]})
        batch.problem(401, "token_missing")
        status = await server.get("/realtime/status", APCA_API_SECRET_KEY=right)
        status.problem(401, "token_missing")


async def test_open_reads_include_market_data_but_no_changes() -> None:
    async with market_server(tokens=True, open_reads=True) as server:
        assert (await server.get("/stocks/AAPL/quote")).status == 200
        (await server.post("/market/cache/invalidate")).problem(401, "token_missing")


async def test_no_page_of_another_origin_can_use_up_the_budget() -> None:
    async with market_server() as server:
        reply = await server.get("/stocks/AAPL/quote", Origin="https://evil.example")
        reply.problem(403, "cross_origin")
        reply = await server.get("/v1beta1/news", Sec_Fetch_Site="cross-site")
        reply.problem(403, "cross_origin")
        assert server.scene.requests == 0


async def test_the_description_is_that_of_the_routes() -> None:
    async with market_server() as server:
        document: Any = (await server.get("/openapi.json")).json
        assert (await server.get("/openapi.json")).body == openapi_document(
            "1.2.3", has_market=True
        )
        for route in MARKET_ROUTES:
            for path in route.paths:
                assert route.method.lower() in document["paths"][path]
        index = (await server.get("/realtime")).json["routes"]
        assert "/stocks/{symbol}/quote" in {entry["path"] for entry in index}


async def test_without_market_nothing_of_it_exists(store: Store, clock: Clock) -> None:
    async with reading(store, clock) as reader:
        for path in ("/stocks/AAPL/quote", "/v2/stocks/AAPL/quotes/latest", "/market/status"):
            (await reader.get(path)).problem(404, "unknown_route")
        assert (await reader.get("/openapi.json")).body == openapi_document("1.2.3")
        assert b"/market/" not in openapi_document("1.2.3")
