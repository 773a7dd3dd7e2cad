"""One order each: under faults, cuts and repeats. Two intended orders are two."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import structs

from realtime.config.settings import AlpacaApiSettings, OrderLimits, Settings
from tests.api.alpaca.client import Client, Reply, keys, trade

BUY: dict[str, Any] = {
    "symbol": "AAPL", "qty": 1.0, "side": "buy", "type": "market", "time_in_force": "day",
}  # fmt: skip
LIMIT = {**BUY, "type": "limit", "limit_price": "1"}

MAX_ANSWER_S = 8.0

NEVER_SENT_AGAIN = (200, 403, 404, 422, 500)
"""Statuses on which no SDK repeats a request by itself."""


async def post(client: Client, body: object = BUY, **more: Any) -> Reply:
    started_at = asyncio.get_running_loop().time()
    reply = await client.here("POST", "/v2/orders", body, **more)
    assert asyncio.get_running_loop().time() - started_at < MAX_ANSWER_S
    assert reply.status not in (502, 504)
    assert "Retry-After" not in reply.headers
    return reply


async def fault(client: Client, kind: str, **more: object) -> None:
    await client.fleet.fault(kind=kind, account=client.label, **more)


def test_order_equals_the_brokers(tmp_path: Path) -> None:
    """The response is the broker's, and the order is in every read after it."""

    async def scene(client: Client) -> None:
        reply = await post(client)
        assert reply.status == 200
        order_id = reply.json["id"]
        assert reply.json["client_order_id"].startswith("rt-")
        (order,) = client.at_broker()
        assert (order["id"], order["qty"]) == (order_id, "1")
        for target in (
            "/v2/orders?status=all", f"/v2/orders/{order_id}",
            f"/v2/orders:by_client_order_id?client_order_id={reply.json['client_order_id']}",
        ):  # fmt: skip
            read = await client.here("GET", target)
            assert order_id.encode() in read.body
            assert read.body == (await client.there("GET", target)).body

    trade(scene, tmp_path)


@pytest.mark.parametrize(
    ("kind", "options", "statuses"),
    [
        ("accepted_but_504", {"count": 3}, {200}),
        ("accepted_but_504", {"count": 1}, {200}),
        ("no_answer", {"count": 1, "performed": True}, {200, 500}),
        ("no_answer", {"count": 1, "performed": False}, {500}),
        ("server_error", {"count": 1, "status": 500}, {500}),
        ("server_error", {"count": 1, "status": 502}, {500}),
        ("server_error", {"count": 1, "status": 503}, {500}),
        ("server_error", {"count": 1, "status": 504}, {500}),
        ("rate_limited", {"count": 1}, {429}),
    ],
)
def test_sdk_that_repeats_gets_one_order(
    tmp_path: Path, kind: str, options: dict[str, object], statuses: set[int]
) -> None:
    """The client repeats as alpaca-py does: on 429 and 504, after 3 s, at most three times."""

    async def scene(client: Client) -> None:
        await fault(client, kind, method="POST", **options)
        replies = [await post(client)]
        while replies[-1].status in (429, 504) and len(replies) < 4:
            await asyncio.sleep(3)
            replies.append(await post(client))
        assert replies[0].status in statuses
        await asyncio.sleep(30)
        orders = client.at_broker()
        assert len(orders) == (kind == "accepted_but_504" or options.get("performed", False))
        if replies[-1].status == 200:
            assert orders[0]["id"] == replies[-1].json["id"]

    trade(scene, tmp_path)


def test_repeat_of_an_unknown_order_joins_it(tmp_path: Path) -> None:
    """The response is lost and the broker does not list the order yet: 500, and every repeat is
    the same order. Once its answer was delivered, the next one is another order."""

    async def scene(client: Client) -> None:
        await fault(client, "deaf", for_s=60.0)
        await fault(client, "no_answer", method="POST", count=1, performed=True)
        await fault(client, "server_error", method="GET", status=503)
        first = await post(client)
        assert first.status == 500
        assert first.json["code"] == 50010000
        assert "client_order_id rt-" in first.json["message"]
        again = await post(client)
        assert again.status in (200, 500)
        assert len(client.at_broker()) == 1
        client.fleet.simulator.faults.clear()
        await asyncio.sleep(10)
        found = await post(client)
        assert found.status == 200
        (order,) = client.at_broker()
        assert found.json["id"] == order["id"]
        assert found.headers["X-Realtime-Repeat"] == f"of {order['id']}"
        assert (await post(client)).json["id"] != order["id"]
        assert len(client.at_broker()) == 2

    trade(scene, tmp_path)


def test_two_equal_orders_after_an_answer_are_two(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        first, second = await post(client), await post(client)
        assert (first.status, second.status) == (200, 200)
        assert first.json["id"] != second.json["id"]
        assert "X-Realtime-Repeat" not in second.headers
        assert len(client.at_broker()) == 2

    trade(scene, tmp_path)


def test_client_that_left_gets_its_order_once(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await fault(client, "latency", method="POST", seconds=2.0, count=1)
        with pytest.raises(TimeoutError):
            await client.here("POST", "/v2/orders", BUY, timeout=aiohttp.ClientTimeout(total=1))
        await asyncio.sleep(5)
        (order,) = client.at_broker()
        again = await post(client)
        assert again.json["id"] == order["id"]
        assert again.headers["X-Realtime-Repeat"] == f"of {order['id']}"
        assert (await post(client)).json["id"] != order["id"]
        assert len(client.at_broker()) == 2

    trade(scene, tmp_path)


def test_equal_request_joins_one_in_flight(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await fault(client, "latency", method="POST", seconds=2.0)
        first, second = await asyncio.gather(post(client), post(client))
        assert first.json["id"] == second.json["id"]
        assert len(client.at_broker()) == 1
        other = await asyncio.gather(post(client), post(client, {**BUY, "qty": 2.0}))
        assert len({reply.json["id"] for reply in other}) == 2

    trade(scene, tmp_path)


def test_equal_bodies_of_two_accounts_are_two_orders(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await fault(client, "latency", method="POST", seconds=2.0)
        bravo = structs.replace(client, label="bravo")
        first, second = await asyncio.gather(post(client), post(bravo))
        assert (len(client.at_broker()), len(bravo.at_broker())) == (1, 1)
        assert first.json["id"] != second.json["id"]

    trade(scene, tmp_path)


def test_idempotent_returns_the_first_order_for_a_minute(tmp_path: Path) -> None:
    def idempotent(settings: Settings) -> Settings:
        return structs.replace(settings, alpaca_api=AlpacaApiSettings(idempotent=True))

    async def scene(client: Client) -> None:
        body = {**BUY, "client_order_id": "mine 1"}
        first = await post(client, body)
        await asyncio.sleep(50)
        again = await post(client, body)
        assert (again.status, again.json["id"]) == (200, first.json["id"])
        assert again.headers["X-Realtime-Repeat"] == f"of {first.json['id']}"
        assert (await post(client, {**body, "qty": 2.0})).status == 422
        await asyncio.sleep(11)
        late = await post(client, body)
        assert (late.status, late.json["message"]) == (422, "client_order_id must be unique")
        assert len(client.at_broker()) == 1
        # Without an id of its own an equal body is another order, as ever.
        assert (await post(client)).json["id"] != (await post(client)).json["id"]
        assert len(client.at_broker()) == 3

    trade(scene, tmp_path, change=idempotent)


def test_own_client_order_id_is_unique_as_at_the_broker(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        body = {**BUY, "client_order_id": "mine 1"}
        assert (await post(client, body)).json["client_order_id"] == "mine 1"
        for again in (body, {**body, "qty": 2.0}):
            reply, direct = (
                await post(client, again),
                await client.there("POST", "/v2/orders", again),
            )
            assert (reply.status, reply.body) == (direct.status, direct.body)
            assert reply.status == 422
        assert len(client.at_broker()) == 1

    trade(scene, tmp_path)


def test_cancel_replace_and_cancel_all(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        first = (await post(client, LIMIT)).json["id"]
        replaced = await client.here("PATCH", f"/v2/orders/{first}", {"limit_price": "2"})
        assert replaced.status == 200, replaced.body
        assert replaced.json["replaces"] == first
        canceled = await client.here("DELETE", f"/v2/orders/{replaced.json['id']}")
        assert (canceled.status, canceled.body) == (204, b"")
        read = await client.here("GET", f"/v2/orders/{replaced.json['id']}")
        assert read.json["status"] == "canceled"
        again = await client.here("DELETE", f"/v2/orders/{replaced.json['id']}")
        direct = await client.there("DELETE", f"/v2/orders/{replaced.json['id']}")
        assert (again.status, again.body) == (direct.status, direct.body)
        unknown = "00000000-0000-4000-8000-000000000000"
        for order_id in (unknown, "x"):
            reply = await client.here("DELETE", f"/v2/orders/{order_id}")
            assert (reply.status, reply.json["code"]) == (404, 40410000)
        await post(client, LIMIT)
        await post(client, {**LIMIT, "symbol": "KO"})
        everything = await client.here("DELETE", "/v2/orders")
        assert everything.status == 207
        assert [item["status"] for item in everything.json] == [200, 200]
        assert (await client.here("GET", "/v2/orders")).json == []

    trade(scene, tmp_path)


def test_cancel_whose_answer_was_lost_is_done(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        order_id = (await post(client, LIMIT)).json["id"]
        await fault(client, "accepted_but_504", method="DELETE", count=1)
        reply = await client.here("DELETE", f"/v2/orders/{order_id}")
        assert reply.status == 204

    trade(scene, tmp_path)


def test_positions_are_closed_through_the_gateway(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        for symbol in ("AAPL", "KO", "BTC/USD"):
            tif = "gtc" if "/" in symbol else "day"
            await post(client, {**BUY, "symbol": symbol, "qty": "4", "time_in_force": tif})
        await client.settle()
        part = await client.here("DELETE", "/v2/positions/AAPL?percentage=50")
        assert (part.status, part.json["qty"]) == (200, "2")
        coin = await client.here("DELETE", "/v2/positions/BTC/USD?qty=1")
        assert (coin.status, coin.json["symbol"], coin.json["qty"]) == (200, "BTC/USD", "1")
        too_much = await client.here("DELETE", "/v2/positions/AAPL?qty=100")
        assert too_much.status in (403, 422)
        none = await client.here("DELETE", "/v2/positions/TSLA")
        assert (none.status, none.json["code"]) == (404, 40410000)
        both = await client.here("DELETE", "/v2/positions/KO?qty=1&percentage=5")
        assert both.status == 422
        await client.settle()
        everything = await client.here("DELETE", "/v2/positions?cancel_orders=True")
        assert everything.status == 207
        assert {item["symbol"]: item["status"] for item in everything.json} == {
            "AAPL": 200, "KO": 200, "BTCUSD": 200,
        }  # fmt: skip
        await client.settle()
        assert (await client.here("GET", "/v2/positions")).json == []

    trade(scene, tmp_path)


def test_risk_checks_and_halt_apply(tmp_path: Path) -> None:
    """In Alpaca's form, and nothing reaches the broker."""

    def with_cap(settings: Settings) -> Settings:
        limits = OrderLimits(symbols=("AAPL",))
        return structs.replace(settings, orders=structs.replace(settings.orders, limits=limits))

    async def scene(client: Client) -> None:
        refused = await post(client, {**BUY, "symbol": "KO"})
        assert (refused.status, refused.json["code"]) == (403, 40310000)
        order_id = (await post(client, LIMIT)).json["id"]
        await client.here("POST", "/orders/halt", {"reason": "test"})
        before = client.requests()
        for method, target in (
            ("POST", "/v2/orders"), ("PATCH", f"/v2/orders/{order_id}"),
            ("POST", "/v2/positions/AAPL261120C00200000/exercise"),
            ("POST", "/v2/wallets/transfers"),
        ):  # fmt: skip
            body = {"limit_price": "2"} if method == "PATCH" else BUY
            reply = await client.here(method, target, body)
            assert (reply.status, reply.json["code"]) == (403, 40310000), target
            assert "halted" in reply.json["message"]
        assert client.requests() <= before + 1  # the order that was to be replaced is read
        assert (await client.here("DELETE", f"/v2/orders/{order_id}")).status == 204

    trade(scene, tmp_path, change=with_cap)


def test_audit_log_has_every_change(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await post(client)
        await client.here("POST", "/v2/watchlists", {"name": "x"})
        lines = (tmp_path / "orders.jsonl").read_text()
        assert '"event":"order.intended"' in lines
        assert '"principal":"key:alpha"' in lines
        assert '"message":"POST /v2/watchlists"' in lines

    trade(scene, tmp_path)


@pytest.mark.parametrize(
    "target",
    [
        "/v2/orders/x/y", "/v1/orders", "/v3/orders", "/v2/Orders", "/v2/orders:x",
        "/v2/multi-orders", "/v2/x:orders", "/v2/bulkOrders", "/v2/all_positions",
        "/v2/account/orders", "/v2/positions/AAPL/x/y", "/v2/x%2Forders", "/v2/positions",
        "/v2/x/../orders", "/v2//orders", "/v2/%252e%252e/v2/orders",
    ],
)  # fmt: skip
def test_no_other_path_places_orders(tmp_path: Path, target: str) -> None:
    """A path that another server may take for that of orders never leaves."""

    async def scene(client: Client) -> None:
        before = client.requests()
        reply = await client.here("POST", target, BUY)
        assert reply.status == 404
        assert client.requests() == before

    trade(scene, tmp_path)


def test_other_keys_cannot_be_smuggled(tmp_path: Path) -> None:
    """A change is made with the keys of the selected account, whatever else a request contains."""

    async def scene(client: Client) -> None:
        more = {"X-Realtime-Account": "bravo", "X-Forwarded-For": "1.2.3.4", "Cookie": "a=b"}
        await post(client, headers=more)
        assert len(client.at_broker()) == 1
        bravo = structs.replace(client, label="bravo")
        assert bravo.at_broker() == []
        for field in ("account_id", "force", "strategy", "routing_key"):
            reply = await post(client, {**BUY, field: "bravo"})
            assert (reply.status, reply.json["code"]) == (422, 40010001)
        assert bravo.at_broker() == []
        assert keys("bravo")["APCA-API-KEY-ID"] == "demo-bravo"

    trade(scene, tmp_path)
