"""Requests that produce every response of every route."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from realtime.simulator.app import Simulator
from realtime.simulator.rest.routes import ROUTES
from tests.simulator.client import MARKET_BUY, RESTING_BUY, Rest
from tests.simulator.openapi import anonymous

# Tuesday, 2026-10-06, 10:00 in New York: the day has not ended yet, whenever the test runs.
TUESDAY_10_00 = 1_791_295_200_000_000_000
NO_SUCH = "00000000-1c2d-4e3f-8a4b-5c6d7e8f9a0b"
Ask = Callable[..., Awaitable[Any]]
Json = dict[str, Any]


class RecordedResponse(NamedTuple):
    """One response; `path` is the route's, with nameless parameters."""

    method: str
    path: str
    status: int
    body: Any


class ResponseRecorder:
    """Sends requests and records every response."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.responses: list[RecordedResponse] = []

    async def request(
        self, method: str, path: str, *parts: str, body: object = None, **options: Any
    ) -> Any:
        """Request a route with its parameters; return the response's body."""
        url = path.replace("{}", "%s") % parts
        status, answer = await self._rest.request(method, url, body, **options)
        self.responses.append(RecordedResponse(method, path, status, answer))
        return answer


async def request_everything() -> list[RecordedResponse]:
    """Return every response of every route, in a market that always trades."""
    sim = Simulator(accounts=1, step_s=None, requests_per_minute=1000, clock=lambda: TUESDAY_10_00)
    async with sim, Rest(sim) as rest:
        all_responses = ResponseRecorder(rest)
        request = all_responses.request
        await _market(request)
        await _account(request)
        await _orders(request, sim)
        await _positions(request, sim)
        sim.set_market("closed")  # the day's fees are written
        await _past(request)
        await _refusals(request)
        await _gate(request, rest)
        return all_responses.responses


async def _market(request: Ask) -> None:
    await request("GET", "/v2/clock")
    await request("GET", "/v2/calendar", params={"start": "2026-11-20", "end": "2026-12-31"})
    for asset_class in ("us_equity", "crypto"):
        await request("GET", "/v2/assets", params={"asset_class": asset_class})
    contracts = (await request("GET", "/v2/options/contracts"))["option_contracts"]
    await request("GET", "/v2/options/contracts/{}", contracts[0]["symbol"])
    for name in ("AAPL", "ETHUSD", contracts[0]["id"]):
        await request("GET", "/v2/assets/{}", name)


async def _account(request: Ask) -> None:
    await request("GET", "/v2/account")
    await request("GET", "/v2/account/configurations")
    await request("PATCH", "/v2/account/configurations", body={"ptp_no_exception_entry": True})


async def _orders(request: Ask, sim: Simulator) -> None:
    """One order of each kind; two rest, one of which is replaced and canceled."""
    contracts = (await request("GET", "/v2/options/contracts"))["option_contracts"]
    for body in _bodies(contracts[0]["symbol"], contracts[2]["symbol"]):
        await request("POST", "/v2/orders", body=body)
    resting = await request("POST", "/v2/orders", body=RESTING_BUY | {"client_order_id": "mine"})
    _settle(sim)
    for nested in ("false", "true"):
        asked = {"status": "all", "nested": nested, "limit": "500"}
        listed = await request("GET", "/v2/orders", params=asked)
        for order in listed:
            await request("GET", "/v2/orders/{}", order["id"], params={"nested": nested})
    await request("GET", "/v2/orders:by_client_order_id", params={"client_order_id": "mine"})
    new = await request("PATCH", "/v2/orders/{}", resting["id"], body={"qty": "2"})
    await request("DELETE", "/v2/orders/{}", new["id"])
    await request("DELETE", "/v2/orders/{}", new["id"])


def _bodies(lower: str, upper: str) -> list[Json]:
    coin = {"symbol": "ETH/USD", "qty": "0.5", "side": "buy", "time_in_force": "gtc"}
    exits = {"take_profit": {"limit_price": "900"}, "stop_loss": {"stop_price": "1"}}
    legs = [
        {"symbol": symbol, "ratio_qty": "1", "side": side}
        for symbol, side in ((lower, "buy"), (upper, "sell"))
    ]
    return [
        MARKET_BUY | {"qty": "3"},
        {**MARKET_BUY, "qty": None, "notional": "30"},
        coin | {"type": "market"},
        MARKET_BUY | {"symbol": lower},
        MARKET_BUY | {"symbol": "F", "side": "sell"},
        MARKET_BUY | {"symbol": "KO", "order_class": "bracket", **exits},
        MARKET_BUY | {"symbol": "KO", "type": "stop", "stop_price": "800"},
        MARKET_BUY | {"symbol": "DIS", "type": "trailing_stop", "trail_percent": "5"},
        {"qty": "1", "order_class": "mleg", "type": "market", "time_in_force": "day", "legs": legs},
    ]


async def _positions(request: Ask, sim: Simulator) -> None:
    for each in await request("GET", "/v2/positions"):
        await request("GET", "/v2/positions/{}", each["asset_id"])
    await request("DELETE", "/v2/positions/{}", "AAPL", params={"qty": "1"})
    _settle(sim)
    held = RESTING_BUY | {"side": "sell", "limit_price": "9000", "qty": "1"}
    await request("POST", "/v2/orders", body=held)
    _settle(sim)
    await request("DELETE", "/v2/positions/{}", "AAPL")
    await request("DELETE", "/v2/positions")
    _settle(sim)
    await request("DELETE", "/v2/orders")


async def _past(request: Ask) -> None:
    await request("GET", "/v2/account/activities")
    for kind in ("FILL", "JNLC"):
        await request("GET", "/v2/account/activities/{}", kind)
    asked = {"period": "1D", "intraday_reporting": "continuous", "cashflow_types": "ALL"}
    await request("GET", "/v2/account/portfolio/history", params=asked)


async def _refusals(request: Ask) -> None:
    await request("GET", "/v2/orders/{}", "nonsense")
    await request("POST", "/v2/orders", body=MARKET_BUY | {"qty": "10000000"})
    await request("POST", "/v2/orders", body=MARKET_BUY | {"symbol": "NOPE"})
    await request("POST", "/v2/orders", data="{")
    await request("PATCH", "/v2/orders/{}", NO_SUCH, data="{")
    await request("PATCH", "/v2/account/configurations", data="{")
    await request("PATCH", "/v2/account/configurations", body={"no_shorting": "perhaps"})
    for method in ("GET", "PATCH", "DELETE"):
        await request(method, "/v2/orders/{}", NO_SUCH, body={} if method == "PATCH" else None)
    await request("GET", "/v2/orders:by_client_order_id", params={"client_order_id": "never"})
    for method in ("GET", "DELETE"):
        await request(method, "/v2/positions/{}", "NOPE")
    for path in ("/v2/assets/{}", "/v2/options/contracts/{}"):
        await request("GET", path, "NOPE")
    await request("GET", "/v2/account/activities/{}", "NOPE")
    for path, name in (
        ("/v2/orders", "limit"),
        ("/v2/account/activities", "page_size"),
        ("/v2/account/portfolio/history", "period"),
        ("/v2/options/contracts", "limit"),
        ("/v2/calendar", "start"),
    ):
        await request("GET", path, params={name: "nonsense"})


async def _gate(request: Ask, rest: Rest) -> None:
    """Responses of every route to a wrong key and to too many requests."""
    wrong = {"APCA-API-SECRET-KEY": "wrong"}
    for headers in (wrong, {}):
        for route in ROUTES:
            path = anonymous(route.path)
            await request(route.method, path, *["x"] * path.count("{}"), headers=headers)
        await rest.fault("rate_limited")


def _settle(sim: Simulator) -> None:
    for _ in range(20):
        sim.step(prices_move=False)
