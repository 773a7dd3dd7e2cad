"""Invalid input on every route is rejected with a message, never with a 500."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from realtime.simulator.app import MAX_BODY, Simulator
from realtime.simulator.http_log import http_log
from realtime.simulator.rest.routes import ROUTES, Route
from tests.simulator.client import LIMIT_S, MARKET_BUY, Rest
from tests.simulator.openapi import anonymous

# Numbers that are none, or too large, small, long or exact; types that do not belong; and what
# people put into fields to see what happens.
ODD: list[Any] = [
    *(0, -1, 1e308, 10**30, 10**400, 1e-9, 0.1 + 0.2, True, False),
    *("", " ", "0", "-1", "NaN", "-nan", "Infinity", "1e308", "1e999", "1e-400", "0x10", "1_000"),
    *("1,000", "+1", "--1", "٣", "１２", "9" * 400, "0." + "0" * 40 + "1", "1e18"),
    *([], {}, [[]], {"a": 1}, [None], [1, 2], {"limit_price": "NaN"}, [{"symbol": "AAPL"}]),
    *("BUY", "null", "true", "'; DROP TABLE orders;--", "<script>", "\x00", "💥", "x" * 5000),
    *("../../etc/passwd", "%00", "{{7*7}}", "00000000-0000-0000-0000-000000000000"),
]
FIELDS = [
    *("symbol", "qty", "notional", "side", "type", "time_in_force", "order_class", "legs"),
    *("limit_price", "stop_price", "trail_price", "trail_percent", "take_profit", "stop_loss"),
    *("extended_hours", "client_order_id", "position_intent", "advanced_instructions", "nonsense"),
]
# Types that give each price a meaning, so that its value is looked at.
SHAPES: dict[str, dict[str, Any]] = {
    "limit_price": {"type": "limit"},
    "stop_price": {"type": "stop"},
    "trail_price": {"type": "trailing_stop"},
    "trail_percent": {"type": "trailing_stop"},
    "notional": {"qty": None},
    "take_profit": {"order_class": "bracket", "stop_loss": {"stop_price": "1"}},
    "stop_loss": {"order_class": "bracket", "take_profit": {"limit_price": "9000"}},
    "legs": {"order_class": "mleg"},
}
SPAN = "after until direction"
PARAMETERS = [
    (
        "GET",
        "/v2/orders",
        f"status limit {SPAN} nested symbols side asset_class before_order_id after_order_id",
    ),
    ("GET", "/v2/orders:by_client_order_id", "client_order_id"),
    (
        "GET",
        "/v2/account/activities",
        f"activity_types category date {SPAN} page_size page_token",
    ),
    (
        "GET",
        "/v2/account/portfolio/history",
        "period timeframe intraday_reporting start end date_end pnl_reset cashflow_types",
    ),
    ("GET", "/v2/assets", "status asset_class exchange attributes"),
    ("GET", "/v2/calendar?start=2029-12-01", "end date_type"),
    (
        "GET",
        "/v2/options/contracts",
        "underlying_symbols status expiration_date expiration_date_gte root_symbol type style"
        " strike_price_gte page_token limit",
    ),
    ("DELETE", "/v2/positions/AAPL", "qty percentage"),
    ("DELETE", "/v2/positions", "cancel_orders"),
]
PLACED = [route for route in ROUTES if "{" in route.path]
PLACES = ["..%2f..", "%00", "%0d%0aX:%20y", "x" * 3000, "%25", "'", "*", "null", "%20", "%ff%fe"]


@pytest.fixture
async def patient() -> AsyncIterator[Rest]:
    """A client with a budget for thousands of requests."""
    sim = Simulator(accounts=1, step_s=None, requests_per_minute=1_000_000)
    async with sim, Rest(sim) as rest:
        yield rest


def is_fine(status: int, answer: Any) -> bool:
    """Whether an answer is a success, or a refusal that says why."""
    if status < 300:
        return True
    return status < 500 and isinstance(answer, dict) and 0 < len(answer["message"]) < 300


@pytest.mark.parametrize("field", FIELDS)
async def test_no_field_of_an_order_breaks_it(patient: Rest, field: str) -> None:
    for value in ODD:
        body = MARKET_BUY | SHAPES.get(field, {}) | {field: value}
        status, answer = await patient.request("POST", "/v2/orders", body)
        assert is_fine(status, answer), (value, status, answer)


@pytest.mark.parametrize("field", ["qty", "limit_price", "trail", "client_order_id", "legs"])
async def test_no_field_of_a_replacement_breaks_it(patient: Rest, field: str) -> None:
    order = await patient.buy(MARKET_BUY | {"type": "limit", "limit_price": "50"})
    for value in ODD:
        status, answer = await patient.request("PATCH", f"/v2/orders/{order['id']}", {field: value})
        assert is_fine(status, answer), (value, status, answer)
        order = answer if status == 200 else order


async def test_no_configuration_breaks_it(patient: Rest) -> None:
    path = "/v2/account/configurations"
    for field in ("max_margin_multiplier", "max_options_trading_level", "no_shorting", "x"):
        for value in ODD:
            status, answer = await patient.request("PATCH", path, {field: value})
            assert is_fine(status, answer), (value, status, answer)


@pytest.mark.parametrize(
    ("method", "path", "parameters"), PARAMETERS, ids=[f"{row[0]} {row[1]}" for row in PARAMETERS]
)
async def test_no_parameter_breaks_it(
    patient: Rest, method: str, path: str, parameters: str
) -> None:
    for name in parameters.split():
        for value in ODD:
            text = value if isinstance(value, str) else json.dumps(value)
            status, answer = await patient.request(method, path, params={name: text})
            assert status < 300 or is_fine(status, answer), (name, value, status, answer)


@pytest.mark.parametrize("route", PLACED, ids=lambda route: f"{route.method} {route.path}")
async def test_no_path_breaks_it(patient: Rest, route: Route) -> None:
    for place in PLACES:
        path = anonymous(route.path).replace("{}", place)
        body: object = {} if route.method in {"POST", "PATCH"} else None
        answer = await patient.request(route.method, path, body)
        assert is_fine(*answer), (path, answer)


async def test_too_large_a_body_is_refused(rest: Rest) -> None:
    status, answer = await rest.request("POST", "/v2/orders", data=b" " * (MAX_BODY + 1))
    assert status == 413
    assert "nginx" in answer


@pytest.mark.parametrize("key", ["", " ", "demo-alpha ", "x" * 5000, "demo-bravo"])
async def test_no_other_key_opens_an_account(sim: Simulator, key: str) -> None:
    headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": "demo-secret-alpha"}
    async with (
        aiohttp.ClientSession(sim.url, headers=headers) as http,
        http.get("/v2/account") as response,
    ):
        # A header is read without the blanks around it.
        assert response.status == (200 if key == "demo-alpha " else 401)


async def test_request_201_in_a_minute_is_refused() -> None:
    async with Simulator(accounts=1, step_s=None) as sim, Rest(sim) as rest:
        statuses = [(await rest.request("GET", "/v2/clock"))[0] for _ in range(201)]
    assert statuses == [200] * 200 + [429]


@pytest.mark.parametrize(
    "raw",
    [
        b"NONSENSE / HTTP/1.1\r\n\r\n",
        b"GET /v2/assets/\xf0\x9f HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST /v2/orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    ],
)
async def test_malformed_http_gets_400_and_is_not_logged(
    sim: Simulator, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", sim.port)
        writer.write(raw)
        assert (await reader.readline()).split()[1] in {b"400", b"401"}
        writer.close()
        await writer.wait_closed()
    assert caplog.records == []


def test_failures_of_our_own_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        http_log.exception("ours")
    assert [each.levelno for each in caplog.records] == [logging.ERROR]


async def test_invalid_handshake_gets_an_html_error(sim: Simulator) -> None:
    async with aiohttp.ClientSession(sim.url) as http, http.get("/stream") as response:
        assert (response.status, response.content_type) == (400, "text/html")
