"""Every response of the market-data API against the published specification."""

import json
from typing import Any

import pytest

from realtime.simulator.app import Simulator
from realtime.simulator.market.rest.server import NEWS, ROUTES
from tests.simulator.client import Rest
from tests.simulator.openapi import FILE, Specification, anonymous

TUESDAY_10_00 = 1_791_295_200_000_000_000
MARKET_FILE = FILE.with_name("market-data-api.json")

pytestmark = pytest.mark.skipif(not MARKET_FILE.exists(), reason=f"{MARKET_FILE} is not there")

PICTURE = "/v1beta1/logos/{}"
STOCKS = {"symbols": "AAPL,SIRI"}
COINS = {"symbols": "BTC/USD,ETH/USD"}
PERPS = {"symbols": "BTCUSDT.P,ETHUSDT.P,NOPEUSDT.P"}
PAST = {"start": "2026-10-01", "end": "2026-10-05", "limit": "50"}
DAYS = {**PAST, "timeframe": "1Day"}


def requests_of_every_route(option: str) -> list[tuple[str, list[str], dict[str, str]]]:
    """Return (route, path parameters, query) of at least one request per route."""
    options = {"symbols": option}
    latest = ("bars", "trades", "quotes")
    return [
        ("/v2/stocks/meta/conditions/{}", ["trade"], {"tape": "A"}),
        ("/v2/stocks/meta/conditions/{}", ["quote"], {"tape": "C"}),
        ("/v2/stocks/meta/exchanges", [], {}),
        ("/v2/stocks/bars", [], STOCKS | DAYS),
        ("/v2/stocks/bars", [], STOCKS | PAST | {"timeframe": "5Min", "adjustment": "all"}),
        ("/v2/stocks/bars", [], STOCKS | PAST | {"timeframe": "1Week", "sort": "desc"}),
        ("/v2/stocks/bars", [], {"symbols": "NOPE"} | DAYS),
        ("/v2/stocks/trades", [], STOCKS | PAST),
        ("/v2/stocks/quotes", [], STOCKS | PAST | {"feed": "iex"}),
        ("/v2/stocks/auctions", [], STOCKS | PAST),
        *((f"/v2/stocks/{name}/latest", [], STOCKS) for name in latest),
        ("/v2/stocks/snapshots", [], STOCKS | {"feed": "sip"}),
        ("/v2/stocks/snapshots", [], STOCKS | {"feed": "delayed_sip"}),
        ("/v2/stocks/{}/bars", ["AAPL"], DAYS),
        *((f"/v2/stocks/{{}}/{name}", ["AAPL"], PAST) for name in ("trades", "quotes")),
        ("/v2/stocks/{}/auctions", ["AAPL"], PAST),
        *((f"/v2/stocks/{{}}/{name}/latest", ["AAPL"], {}) for name in latest),
        ("/v2/stocks/{}/snapshot", ["AAPL"], {}),
        ("/v1beta3/crypto/{}/bars", ["us"], COINS | DAYS),
        ("/v1beta3/crypto/{}/trades", ["us"], COINS | PAST),
        ("/v1beta3/crypto/{}/quotes", ["us"], COINS | PAST),
        *((f"/v1beta3/crypto/{{}}/latest/{name}", ["us"], COINS) for name in latest),
        ("/v1beta3/crypto/{}/latest/orderbooks", ["us"], COINS),
        ("/v1beta3/crypto/{}/snapshots", ["us"], COINS),
        ("/v1beta1/options/bars", [], options | DAYS),
        ("/v1beta1/options/trades", [], options | PAST),
        ("/v1beta1/options/trades/latest", [], options),
        ("/v1beta1/options/quotes/latest", [], options),
        ("/v1beta1/options/snapshots", [], options),
        ("/v1beta1/options/snapshots/{}", ["NVDA"], {"feed": "indicative", "limit": "3"}),
        ("/v1beta1/options/meta/conditions/{}", ["trade"], {}),
        ("/v1beta1/options/meta/exchanges", [], {}),
        ("/v1beta1/screener/{}/movers", ["stocks"], {"top": "3"}),
        ("/v1beta1/screener/{}/movers", ["crypto"], {}),
        ("/v1beta1/screener/stocks/most-actives", [], {"by": "trades"}),
        ("/v1beta1/news", [], {"symbols": "AAPL", "include_content": "true"}),
        ("/v1beta1/forex/latest/rates", [], {"currency_pairs": "USDJPY,EURUSD"}),
        ("/v1beta1/forex/rates", [], PAST | {"currency_pairs": "USDJPY", "timeframe": "1Day"}),
        ("/v1beta1/indices/latest/values", [], {"symbols": "SPX,VIX"}),
        ("/v1beta1/indices/values", [], PAST | {"symbols": "SPX"}),
        ("/v1beta1/fixed_income/latest/prices", [], {"isins": "US912797KJ59"}),
        ("/v1beta1/fixed_income/latest/quotes", [], {"isins": "US912797KJ59,US912810SK51"}),
        *(
            (f"/v1beta1/crypto-perps/{{}}/latest/{name}", ["global"], PERPS)
            for name in (*latest, "orderbooks", "pricing")
        ),
        ("/v1/corporate-actions", [], {"types": "forward_split,reverse_split,name_change"}),
    ]


async def test_every_response_is_as_described() -> None:
    """200 of every route, and the errors that name a status; null tokens end the pages."""
    document = json.loads(MARKET_FILE.read_bytes())
    schemas = document["components"]["schemas"]
    schemas["next_page_token"]["nullable"] = True
    # The recordings of MARKET 2.2 have an empty content where none was requested.
    del schemas["news"]["properties"]["content"]["minLength"]
    spec = Specification(document)
    sim = Simulator(accounts=1, step_s=None, clock=lambda: TUESDAY_10_00)
    async with sim, Rest(sim) as rest:
        await _prepare(sim, rest)
        contracts = (await rest.get("/v2/options/contracts"))["option_contracts"]
        requests = requests_of_every_route(contracts[0]["symbol"])
        complaints = []
        for route, parts, query in requests:
            status, body = await rest.request(
                "GET", route.replace("{}", "%s") % (*parts,), params=query
            )
            assert status == 200, (route, query, status, body)
            schema = _schema(spec, route)
            complaints += [(route, query, text) for text in spec.complaints(schema, body)]
        assert complaints == []
    described = {anonymous(route.path) for route in (*ROUTES, NEWS)} - {PICTURE}
    assert described == {route for route, _, _ in requests}


async def _prepare(sim: Simulator, rest: Rest) -> None:
    sim.market_data.settings.plan = "plus"
    await rest.get("/v2/stocks/meta/exchanges")
    for _ in range(3):
        sim.step()
    for path, body in (
        ("split", {"symbol": "NVDA", "ratio": 2}),
        ("split", {"symbol": "F", "ratio": 10, "reverse": True}),
        ("rename", {"symbol": "DIS", "to": "DISN"}),
        ("correct_trade", {"symbol": "AAPL", "price": "228"}),
    ):
        status, answer = await rest.request("POST", f"/_sim/{path}", body)
        assert status == 200, answer


def _schema(spec: Specification, route: str) -> dict[str, Any]:
    names = {
        "/v2/stocks/{}/snapshot": {
            "allOf": [{"type": "object", "required": ["symbol"]}],
        }
    }
    if route in names:
        return names[route]
    schema = spec.schema("GET", route, 200)
    assert schema is not None, route
    return schema
