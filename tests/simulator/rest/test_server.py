"""REST without faults: headers, credentials, limits, errors and every route."""

import aiohttp
import pytest

from realtime.simulator.app import Simulator
from realtime.simulator.rest.routes import ROUTES
from tests.simulator.client import MARKET_BUY, RESTING_BUY, Rest

NO_SUCH = "00000000-1c2d-4e3f-8a4b-5c6d7e8f9a0b"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/account",
        "/v2/account/configurations",
        "/v2/account/activities",
        "/v2/account/activities/FILL",
        "/v2/account/portfolio/history",
        "/v2/positions",
        "/v2/orders",
        "/v2/orders?status=all&limit=500&nested=true&direction=asc",
        "/v2/clock",
        "/v2/calendar?start=2026-01-02&end=2026-01-09",
        "/v2/assets",
        "/v2/assets/AAPL",
        "/v2/assets/BTC%2FUSD",
        "/v2/options/contracts?underlying_symbols=NVDA",
    ],
)
async def test_reading_routes_answer(rest: Rest, path: str) -> None:
    async with rest.http.get(path) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/json"


async def test_every_answer_carries_its_request_id_and_budget(rest: Rest) -> None:
    ids = set()
    for path in ("/v2/account", "/v2/positions/NONE", "/v2/orders/x"):
        async with rest.http.get(path) as response:
            ids.add(response.headers["X-Request-ID"])
            assert response.headers["X-RateLimit-Limit"] == "1000"
            assert int(response.headers["X-RateLimit-Remaining"]) < 1000
            assert int(response.headers["X-RateLimit-Reset"]) > 1_000_000_000
    assert len(ids) == 3


async def test_requests_beyond_the_budget_are_refused_for_that_account_alone() -> None:
    limited = {"code": 42910000, "message": "rate limit exceeded."}
    sim = Simulator(accounts=2, step_s=None, requests_per_minute=2)
    async with sim, Rest(sim) as alpha, Rest(sim, "bravo") as bravo:
        await alpha.get("/v2/account")
        await alpha.get("/v2/clock")
        async with alpha.http.get("/v2/account") as response:
            assert response.status == 429
            assert response.headers["X-RateLimit-Remaining"] == "0"
            assert await response.json() == limited
        await bravo.get("/v2/account")


async def test_bad_key_is_401_with_that_space(sim: Simulator, rest: Rest) -> None:
    for headers in ({"APCA-API-SECRET-KEY": "wrong"}, {"APCA-API-KEY-ID": "demo-unknown"}):
        async with rest.http.get("/v2/account", headers=headers) as response:
            assert response.status == 401
            assert await response.text() == '{"message": "unauthorized."}'


async def test_request_without_key_gets_the_proxys_page(sim: Simulator) -> None:
    async with aiohttp.ClientSession(sim.url) as http, http.get("/v2/account") as response:
        assert (response.status, response.content_type) == (401, "text/html")


@pytest.mark.parametrize("path", ["/", "/v2", "/v2/nothing", "/v3/orders", "/v2/events/trades"])
async def test_unknown_route_is_404(rest: Rest, path: str) -> None:
    assert await rest.request("GET", path) == (404, {"message": "Not Found"})


async def test_unknown_method_is_405(rest: Rest) -> None:
    assert (await rest.request("PUT", "/v2/orders"))[0] == 405


@pytest.mark.parametrize(
    "body", ["{", "", "nonsense", '{"symbol": "AAPL"', b"\xff\xfe", "[" * 100_000]
)
async def test_body_that_is_not_json_is_400(rest: Rest, body: str | bytes) -> None:
    status, answer = await rest.request("POST", "/v2/orders", data=body)
    assert status == 400
    assert answer["message"] == "request body format is invalid"


@pytest.mark.parametrize("body", ["[]", "42", "null", '"x"', "{}"])
async def test_json_that_is_no_order_is_refused(rest: Rest, body: str) -> None:
    status, answer = await rest.request("POST", "/v2/orders", data=body)
    assert status == 422
    assert list(answer) == sorted(answer)


@pytest.mark.parametrize(
    "query",
    ["status=weird", "limit=0", "limit=501", "limit=x", "direction=up", "after=yesterday"],
)
async def test_bad_parameter_is_422(rest: Rest, query: str) -> None:
    status, answer = await rest.request("GET", f"/v2/orders?{query}")
    assert status == 422, answer
    assert isinstance(answer["code"], int)


async def test_bad_flag_is_422(rest: Rest) -> None:
    assert (await rest.request("DELETE", "/v2/positions?cancel_orders=perhaps"))[0] == 422


async def test_missing_things_are_404(rest: Rest) -> None:
    position = {"code": 40410000, "message": "position does not exist"}
    order = {"code": 40410000, "message": f"order not found for {NO_SUCH}"}
    assert await rest.request("GET", "/v2/positions/AAPL") == (404, position)
    assert await rest.request("GET", f"/v2/orders/{NO_SUCH}") == (404, order)


async def test_error_keys_are_sorted(rest: Rest) -> None:
    status, answer = await rest.request("POST", "/v2/orders", MARKET_BUY | {"qty": "1000000"})
    assert status == 403
    assert list(answer) == ["buying_power", "code", "cost_basis", "message"]


async def test_order_lives_over_rest(sim: Simulator, rest: Rest) -> None:
    """Placed, found by both ids, replaced, canceled with 204."""
    order = await rest.buy(RESTING_BUY | {"client_order_id": "mine"})
    sim.step()
    assert (await rest.get(f"/v2/orders/{order['id']}"))["status"] == "new"
    by_own = await rest.get("/v2/orders:by_client_order_id?client_order_id=mine")
    assert by_own["id"] == order["id"]
    status, new = await rest.request("PATCH", f"/v2/orders/{order['id']}", {"limit_price": "51"})
    assert (status, new["replaces"]) == (200, order["id"])
    sim.step()
    async with rest.http.delete(f"/v2/orders/{new['id']}") as response:
        assert (response.status, await response.read()) == (204, b"")
        assert "X-Request-ID" in response.headers
    sim.step()
    assert (await rest.get(f"/v2/orders/{new['id']}"))["status"] == "canceled"
    assert (await rest.request("DELETE", f"/v2/orders/{new['id']}"))[0] == 422


async def test_positions_are_closed_one_and_all(sim: Simulator, rest: Rest) -> None:
    await rest.buy(MARKET_BUY | {"qty": "10"})
    await rest.buy(MARKET_BUY | {"symbol": "KO", "qty": "4"})
    settle(sim)
    status, order = await rest.request("DELETE", "/v2/positions/AAPL?percentage=50")
    assert (status, order["qty"], order["side"]) == (200, "5", "sell")
    settle(sim)
    assert (await rest.get("/v2/positions/AAPL"))["qty"] == "5"
    status, closed = await rest.request("DELETE", "/v2/positions?cancel_orders=true")
    assert status == 207
    assert {each["symbol"] for each in closed} == {"AAPL", "KO"}
    settle(sim)
    assert await rest.get("/v2/positions") == []


async def test_crypto_position_is_found_under_all_its_names(sim: Simulator, rest: Rest) -> None:
    buy = {"symbol": "ETH/USD", "qty": "0.5", "side": "buy", "type": "market"}
    await rest.buy(buy | {"time_in_force": "gtc"})
    settle(sim)
    for name in ("ETHUSD", "ETH%2FUSD"):
        assert (await rest.get(f"/v2/positions/{name}"))["symbol"] == "ETHUSD"


async def test_all_orders_are_canceled_with_207(sim: Simulator, rest: Rest) -> None:
    assert await rest.request("DELETE", "/v2/orders") == (207, [])
    order = await rest.buy(RESTING_BUY)
    sim.step()
    status, answers = await rest.request("DELETE", "/v2/orders")
    assert (status, answers[0]["id"], answers[0]["status"]) == (207, order["id"], 200)


async def test_configuration_is_changed(rest: Rest) -> None:
    path = "/v2/account/configurations"
    status, answer = await rest.request("PATCH", path, {"no_shorting": True})
    assert (status, answer["no_shorting"]) == (200, True)
    assert (await rest.get(path))["no_shorting"] is True
    assert (await rest.request("PATCH", path, [1]))[0] == 422


def test_table_has_no_route_twice() -> None:
    rows = [(route.method, route.path) for route in ROUTES]
    assert len(rows) == len(set(rows))


def settle(sim: Simulator) -> None:
    """Step until partial fills are through."""
    for _ in range(20):
        sim.step()


async def test_unknown_key_is_401_before_any_429(rest: Rest) -> None:
    """Also while the rate limit fault is on, and for every combination of key and secret."""
    await rest.fault("rate_limited")
    for headers in (
        {"APCA-API-KEY-ID": "demo-unknown", "APCA-API-SECRET-KEY": "demo-secret-alpha"},
        {"APCA-API-KEY-ID": "demo-alpha", "APCA-API-SECRET-KEY": "wrong"},
    ):
        for _ in range(3):
            status, body = await rest.request("GET", "/v2/account", headers=headers)
            assert (status, body) == (401, {"message": "unauthorized."})
    assert (await rest.request("GET", "/v2/account"))[0] == 429


async def test_proxy_page_with_403_is_a_fault(rest: Rest) -> None:
    await rest.fault("server_error", status=403, count=1)
    status, body = await rest.request("GET", "/v2/account")
    assert (status, "<h1>403 Forbidden</h1>" in body) == (403, True)
    assert (await rest.request("GET", "/v2/account"))[0] == 200
