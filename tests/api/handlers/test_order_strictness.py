"""Orders over HTTP, sent by an attacker or in a hurry: strict forms, whole batches, own shares."""

import asyncio
from pathlib import Path

import pytest

from tests.api.orders.client import MARKET, Trader, play

GOOD: dict[str, object] = {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET}


@pytest.mark.parametrize(
    "bad",
    [
        {"qty": "1e29"}, {"qty": 1e29}, {"qty": "1_0"}, {"qty": "١"}, {"qty": " 1"}, {"qty": "1\n"},
        {"qty": "NaN"}, {"qty": "1e-30"}, {"notional": "1e400", "qty": None}, {"qty": 10**40},
        {"limit_price": "1_0", "type": "limit"}, {"qty": {}}, {"qty": []}, {"qty": True},
        {"symbol": "AAPL\n"}, {"symbol": ".."}, {"client_order_id": "a\n"}, {"legs": [[[[]]]]},
        {"take_profit": {"limit_price": "1e29"}}, {"order_class": "strange"}, {"side": 5},
    ],
    ids=str,
)  # fmt: skip
def test_one_absurd_order_costs_no_other_its_result(tmp_path: Path, bad: dict[str, object]) -> None:
    async def scene(trader: Trader) -> None:
        orders = [{**GOOD, "account_id": "alpha", "client_order_id": f"o-{n}"} for n in range(4)]
        orders[1] = {**orders[1], **bad}
        answer = await trader.ask("POST", "/orders/batch", orders)
        assert answer.status == 207
        assert [row["status"] for row in answer.json] == [200, 422, 200, 200]
        assert len(trader.at_broker("alpha")) == 3

    play(scene, tmp_path, accounts=1)


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
def test_a_key_that_is_none_is_refused_before_a_batch_begins(tmp_path: Path, key: str) -> None:
    async def scene(trader: Trader) -> None:
        orders = [{**GOOD, "account_id": "alpha"}] * 2
        answer = await trader.ask("POST", "/orders/batch", orders, Idempotency_Key=key)
        assert (answer.status, answer.json["code"]) == (422, "invalid_order")
        assert not trader.at_broker("alpha")

    play(scene, tmp_path, accounts=1)


def test_keys_of_a_batch_are_no_keys_of_single_orders(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        orders = [{**GOOD, "account_id": "alpha"}] * 2
        for key in ("k", "k#0", "k\\t0"):
            await trader.ask("POST", "/orders", orders[0], Idempotency_Key=key)
        batch = await trader.ask("POST", "/orders/batch", orders, Idempotency_Key="k")
        assert batch.status == 200
        again = await trader.ask("POST", "/orders/batch", orders, Idempotency_Key="k")
        assert [row["client_order_id"] for row in again.json] == [
            row["client_order_id"] for row in batch.json
        ]
        assert len(trader.at_broker("alpha")) == 5

    play(scene, tmp_path, accounts=1)


def test_routing_may_be_in_the_query_and_in_the_body(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        placed = await trader.ask("POST", "/orders?account_id=bravo", GOOD)
        assert (placed.status, placed.json["account_id"]) == (200, "bravo")
        same = await trader.ask("POST", "/orders?account_id=bravo", {**GOOD, "account_id": "bravo"})
        assert same.status == 200
        other = await trader.ask(
            "POST", "/orders?account_id=alpha", {**GOOD, "account_id": "bravo"}
        )
        assert (other.status, other.json["code"]) == (422, "invalid_order")
        assert "contradict" in other.json["detail"]
        by_key = await trader.ask("POST", "/stocks/order?routing_key=x", GOOD)
        assert by_key.headers["X-Realtime-Route"] == "hash among 3"
        batch = await trader.ask(
            "POST", "/orders/batch?account_id=alpha", [GOOD, {**GOOD, "account_id": "bravo"}]
        )
        assert [row["status"] for row in batch.json] == [200, 422]
        halted = await trader.ask("POST", "/orders/halt?account_id=alpha", {"account_id": "bravo"})
        assert halted.status == 422

    play(scene, tmp_path)


def test_reads_take_their_turns_too(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        answers = [await trader.ask("GET", "/account?strategy=round_robin") for _ in range(3)]
        accounts = {answer.headers["X-Realtime-Account"] for answer in answers}
        assert accounts == {"alpha", "bravo", "charlie"}
        assert answers[0].headers["X-Realtime-Route"] == "round_robin among 3"
        vague = await trader.ask("GET", "/positions")
        assert (vague.status, vague.json["code"]) == (400, "account_required")
        assert "order" not in vague.json["detail"]

    play(scene, tmp_path)


def test_lookups_of_unknown_ids_do_not_use_up_the_budget(tmp_path: Path) -> None:
    """A client that only reads has a share of its own; cancels and orders keep theirs."""

    async def scene(trader: Trader) -> None:
        placed = await trader.order("alpha", type="limit", limit_price="1")
        before = trader.fleet.requests("alpha")
        path = "/orders/by_client_order_id?account_id=alpha&client_order_id="
        answers = await asyncio.gather(*(trader.ask("GET", f"{path}u-{n}") for n in range(230)))
        codes = {answer.json["code"] for answer in answers}
        assert codes == {"unknown_order", "budget_spent"}
        assert trader.fleet.requests("alpha") - before <= 10
        canceled = await trader.ask("DELETE", f"/orders/{placed.json['id']}")
        assert canceled.status == 204

    play(scene, tmp_path)


def test_an_unknown_id_is_looked_up_once_in_a_while(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        path = "/orders/by_client_order_id?account_id=alpha&client_order_id=u-1"
        before = trader.fleet.requests("alpha")
        for _ in range(4):
            assert (await trader.ask("GET", path)).status == 404
        assert trader.fleet.requests("alpha") - before <= 2
        trader.fleet.buy("alpha", client_order_id="u-1")
        await asyncio.sleep(6)
        assert (await trader.ask("GET", path)).status == 200

    play(scene, tmp_path)


@pytest.mark.parametrize("client_order_id", ["", "%20", "a%0A", "%00", "%C3%A9", "x" * 128 + "%20"])
def test_an_id_that_is_none_is_not_looked_up(tmp_path: Path, client_order_id: str) -> None:
    async def scene(trader: Trader) -> None:
        before = trader.fleet.simulator.counters.get("alpha").get("requests", 0)
        path = "/orders/by_client_order_id?account_id=alpha&client_order_id=" + client_order_id
        assert (await trader.ask("GET", path)).status in (400, 404)
        assert trader.fleet.requests("alpha") - before <= 1

    play(scene, tmp_path)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=str,
)
def test_a_page_of_another_origin_cannot_spend_requests(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async def scene(trader: Trader) -> None:
        path = "/orders/by_client_order_id?account_id=alpha&client_order_id=u-1"
        answer = await trader.ask("GET", path, None, **headers)
        assert (answer.status, answer.json["code"]) == (403, "cross_origin")
        assert (await trader.ask("GET", path, None, Sec_Fetch_Site="none")).status == 404

    play(scene, tmp_path)


@pytest.mark.parametrize(
    "order_id",
    ["..", "%2E%2E", "..%2Fpositions", "%2e", "*", "a%0a",
     "773742da-1cfc-4d9c-ac52-d118e6135afa%0A", "773742da1cfc4d9cac52d118e6135afa"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_text_that_is_no_order_id_never_becomes_a_path(
    tmp_path: Path, method: str, order_id: str
) -> None:
    """`DELETE /v2/orders/..` would cancel everything at a broker that normalizes paths."""

    async def scene(trader: Trader) -> None:
        placed = await trader.order("alpha", type="limit", limit_price="1")
        before = trader.fleet.requests("alpha")
        body = {"qty": "2"} if method == "PATCH" else None
        answer = await trader.ask(method, f"/orders/{order_id}?account_id=alpha", body)
        assert answer.status in (404, 405, 422)
        assert trader.fleet.requests("alpha") - before <= 1
        assert placed.json["id"] in trader.fleet.working("alpha")

    play(scene, tmp_path)


@pytest.mark.parametrize(
    "symbol",
    [
        *("..", "%2E%2E", "AMD%0A", "AMD%20", "A%2F%2FB", "*", "%00"),
        *("%C5%BFPY", "%EF%AC%80", "%C3%9F", "W%C4%B1Z"),  # their capitals are ASCII: SPY, FF, SS
    ],
)
def test_a_text_that_is_no_symbol_closes_nothing(tmp_path: Path, symbol: str) -> None:
    async def scene(trader: Trader) -> None:
        trader.fleet.buy("alpha", "AMD", "5")
        await asyncio.sleep(5)
        before = trader.fleet.requests("alpha")
        answer = await trader.ask("DELETE", f"/positions/alpha/{symbol}")
        assert answer.status in (404, 405, 422)
        for side in ("buy", "sell"):
            quick = await trader.ask("POST", f"/stocks/{symbol}/{side}?qty=1&account_id=alpha")
            assert quick.status in (404, 405, 422)
            assert quick.json["code"] in ("unknown_route", "invalid_order"), quick.json
        assert trader.fleet.requests("alpha") - before <= 2

    play(scene, tmp_path)


def test_every_null_is_as_if_it_were_absent(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        nulls = dict.fromkeys(
            ["order_class", "notional", "limit_price", "stop_price", "trail_price", "trail_percent",
             "extended_hours", "client_order_id", "take_profit", "stop_loss", "legs",
             "position_intent", "force", "tier", "labels", "strategy", "routing_key"]
        )  # fmt: skip
        assert (await trader.order("alpha", **nulls)).status == 200

    play(scene, tmp_path, accounts=1)


def test_a_coin_without_its_slash_is_left_to_the_broker(tmp_path: Path) -> None:
    """`BTCUSD` has no rule of stocks: the broker decides. What is held is known to be a coin."""

    async def scene(trader: Trader) -> None:
        trader.fleet.buy("alpha", "BTC/USD", "0.02", time_in_force="gtc")
        await asyncio.sleep(15)
        more = {"symbol": "BTCUSD", "qty": "0.01", "time_in_force": "gtc"}
        placed = await trader.order("alpha", **more)
        assert placed.status == 200 or placed.json["reached_broker"], placed.json
        wrong = await trader.order("alpha", **{**more, "time_in_force": "day"})
        assert (wrong.status, wrong.json["alpaca"]["message"]) == (
            422, "invalid crypto time_in_force",
        )  # fmt: skip
        await trader.fleet.until_done("alpha")
        closed = await trader.ask("DELETE", "/positions/alpha/BTCUSD")
        assert closed.status == 200

    play(scene, tmp_path, accounts=1)


@pytest.mark.parametrize("clicks", [2, 8])
def test_a_double_click_closes_once(tmp_path: Path, clicks: int) -> None:
    """Eight at once, by several routes, with a slow broker: the position is sold once."""

    async def scene(trader: Trader) -> None:
        trader.fleet.buy("alpha", "AMD", "100")
        await trader.fleet.until_done("alpha")
        trader.fleet.simulator.add_fault({"kind": "latency", "seconds": 0.4})
        paths = ["/positions/alpha/AMD", "/positions/alpha/AMD?qty=60", "/positions/alpha?wait_s=0"]
        closes = [trader.ask("DELETE", paths[n % 3]) for n in range(clicks)]
        sell = "/stocks/AMD/sell?qty=50&account_id=alpha&position_intent=sell_to_close"
        answers = await asyncio.gather(*closes, trader.ask("POST", sell))
        assert {answer.status for answer in answers} <= {200, 202, 409, 423, 404}
        assert sum(answer.status == 200 for answer in answers) >= 1
        await asyncio.sleep(60)
        rows = trader.fleet.simulator.exchange.positions("alpha")
        assert all(float(str(row["qty"])) >= 0 for row in rows), rows
        sold = [o for o in trader.at_broker("alpha") if o["side"] == "sell"]
        assert sum(float(str(o["filled_qty"])) for o in sold) <= 100

    play(scene, tmp_path, accounts=1)
