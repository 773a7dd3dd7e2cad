"""Orders over HTTP: place, read back, replace, cancel, many at once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.api.orders.client import MARKET, Trader, play


def test_an_order_is_placed_and_seen_at_once(tmp_path: Path) -> None:
    """Readers see it with the answer, once, and the stream adds nothing twice."""

    async def scene(trader: Trader) -> None:
        placed = await trader.order(type="limit", limit_price="1", qty=2)
        assert placed.status == 200, placed.json
        assert placed.json["account_id"] == "alpha"
        assert placed.json["origin"] == "ours"
        assert placed.json["status"] in ("pending_new", "new", "accepted")
        assert placed.headers["X-Realtime-Account"] == "alpha"
        assert placed.headers["X-Realtime-Route"] == "exact"
        seen = await trader.ask("GET", "/realtime/orders/alpha")
        assert [row["id"] for row in seen.json] == [placed.json["id"]]
        assert "account_id" not in seen.json[0]
        await asyncio.sleep(5)
        seen = await trader.ask("GET", "/realtime/orders/alpha")
        assert [(row["id"], row["status"]) for row in seen.json] == [(placed.json["id"], "new")]
        trader.fleet.buy("alpha", "AAPL", "1", type="limit", limit_price="2")
        await asyncio.sleep(1)
        found = await trader.ask("GET", "/orders?account_id=alpha")
        assert sorted(row["origin"] for row in found.json) == ["other", "ours"]
        ours = await trader.ask("GET", "/orders?origin=ours&status=open")
        assert [row["id"] for row in ours.json] == [placed.json["id"]]
        one = await trader.ask("GET", f"/orders/{placed.json['id']}")
        assert one.json["id"] == placed.json["id"]
        name = placed.json["client_order_id"]
        for query in (f"client_order_id={name}", f"client_order_id={name}&account_id=alpha"):
            by_name = await trader.ask("GET", f"/orders/by_client_order_id?{query}")
            assert by_name.json["id"] == placed.json["id"]

    play(scene, tmp_path)


def test_replace_and_cancel(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        placed = await trader.order(type="limit", limit_price="1")
        await asyncio.sleep(1)
        build_replacement = await trader.ask(
            "PATCH", f"/orders/{placed.json['id']}", {"limit_price": "2"}
        )
        assert build_replacement.status == 200, build_replacement.json
        assert build_replacement.json["replaces"] == placed.json["id"]
        assert build_replacement.json["limit_price"] == "2"
        await asyncio.sleep(1)
        gone = await trader.ask(
            "DELETE", f"/orders/{build_replacement.json['id']}?account_id=alpha"
        )
        assert (gone.status, gone.json) == (204, None)
        again = await trader.ask("DELETE", f"/orders/{build_replacement.json['id']}")
        assert again.status == 422
        assert again.json["alpaca"]["message"] == 'order is already in "canceled" state'
        nothing = await trader.ask("PATCH", f"/orders/{build_replacement.json['id']}", {})
        assert (nothing.status, nothing.json["code"]) == (422, "invalid_order")
        unknown = await trader.ask("DELETE", "/orders/00000000-0000-0000-0000-000000000000")
        assert (unknown.status, unknown.json["code"]) == (404, "unknown_order")

    play(scene, tmp_path)


def test_cancel_all_and_its_isolation(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        for label in ("alpha", "bravo"):
            for _ in range(2):
                assert (await trader.order(label, type="limit", limit_price="1")).status == 200
        trader.fleet.simulator.add_fault({"kind": "unauthorized", "account": "bravo"})
        answer = await trader.ask("DELETE", "/orders")
        assert answer.status == 207
        by_account = {(row["account_id"], row["status"]) for row in answer.json}
        assert by_account == {("alpha", 200), ("bravo", 503)}
        await asyncio.sleep(1)
        assert {row["status"] for row in trader.at_broker("alpha")} == {"canceled"}

    play(scene, tmp_path)


def test_quick_orders(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        bought = await trader.ask("POST", "/stocks/AAPL/buy?qty=3&account_id=alpha")
        assert (bought.status, bought.json["qty"], bought.json["side"]) == (200, "3", "buy")
        by_amount = await trader.ask("POST", "/stocks/msft/buy", {"notional": 50, "tier": "basic"})
        assert by_amount.status in (200, 503)
        limit = await trader.ask(
            "POST", "/stocks/AAPL/buy", {"qty": 1, "limit_price": 2.5, "account_id": "alpha"}
        )
        assert (limit.json["type"], limit.json["limit_price"]) == ("limit", "2.5")
        await asyncio.sleep(3)
        sold = await trader.ask("POST", "/stocks/AAPL/sell?qty=3&account_id=bravo")
        assert sold.status in (200, 403)
        both = await trader.ask("POST", "/stocks/AAPL/buy?qty=1&account_id=alpha", {"qty": 2})
        assert (both.status, both.json["code"]) == (422, "invalid_order")
        none = await trader.ask("POST", "/stocks/AAPL/buy?account_id=alpha")
        assert none.json["alpaca"] == {"code": 40010001, "message": "qty or notional is required"}

    play(scene, tmp_path)


def test_a_batch_answers_each_in_its_order(tmp_path: Path) -> None:
    """One's refusal, 429 or silence touches no other; a mixture is 207."""

    async def scene(trader: Trader) -> None:
        def request(label: str, **more: object) -> dict[str, object]:
            return {
                "account_id": label,
                "symbol": "AAPL",
                "qty": "1",
                "side": "buy",
                **MARKET,
            } | more

        good = await trader.ask(
            "POST", "/orders/batch", {"orders": [request("alpha"), request("bravo")]}
        )
        assert (good.status, [row["status"] for row in good.json]) == (200, [200, 200])
        trader.fleet.simulator.add_fault(
            {"kind": "no_answer", "account": "charlie", "method": "POST", "performed": True}
        )
        trader.fleet.simulator.add_fault({"kind": "rate_limited", "account": "delta"})
        began = asyncio.get_running_loop().time()
        mixed = await trader.ask(
            "POST",
            "/orders/batch",
            [
                request("alpha", qty="100000000"),
                request("charlie", client_order_id="c-1"),
                request("delta"),
                request("bravo"),
                request("nobody"),
                {"symbol": "AAPL", "qty": 1, "sid": "buy"},
                7,
            ],
        )
        assert mixed.status == 207
        assert [row["status"] for row in mixed.json] == [403, 200, 429, 200, 404, 422, 422]
        assert mixed.json[0]["body"]["alpaca"]["message"] == "insufficient buying power"
        assert mixed.json[1]["body"]["client_order_id"] == "c-1"
        assert mixed.json[3]["body"]["account_id"] == "bravo"
        assert asyncio.get_running_loop().time() - began < 12
        assert len(trader.at_broker("charlie")) == 1
        empty = await trader.ask("POST", "/orders/batch", [])
        assert empty.status == 422

    play(scene, tmp_path, accounts=4)


def test_connections_are_open_when_the_daemon_has_started(tmp_path: Path) -> None:
    """`max_connections` of each account, before anybody has ordered anything."""

    async def scene(trader: Trader) -> None:
        await asyncio.sleep(1)

    with capture_logs() as log:
        play(scene, tmp_path, accounts=3)
    assert [e["count"] for e in log if e["event"] == "connections.warmed"] == [12]


def test_six_accounts_cost_the_time_of_one(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        trader.fleet.simulator.add_fault({"kind": "latency", "seconds": 1, "method": "POST"})
        loop = asyncio.get_running_loop()
        labels = list(trader.fleet.simulator.exchange.labels)
        body = {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET}
        began = loop.time()
        await trader.ask("POST", "/orders", {**body, "account_id": "alpha"})
        one_s = loop.time() - began
        began = loop.time()
        answer = await trader.ask(
            "POST", "/orders/batch", [{**body, "account_id": a} for a in labels]
        )
        assert answer.status == 200
        assert loop.time() - began < 1.1 * one_s

    play(scene, tmp_path, accounts=6)


def test_a_lost_answer_is_the_order(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        trader.fleet.simulator.add_fault({"kind": "accepted_but_504", "method": "POST", "count": 1})
        placed = await trader.order()
        assert placed.status == 200
        assert [row["id"] for row in trader.at_broker("alpha")] == [placed.json["id"]]

    play(scene, tmp_path)


def test_unknown_is_said_and_can_be_asked_again(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        trader.fleet.simulator.add_fault({"kind": "server_error", "method": "POST", "count": 1})
        lost = await trader.order(client_order_id="o-1")
        assert (lost.status, lost.json["code"]) == (504, "order_unknown")
        assert lost.json["client_order_id"] == "o-1"
        assert lost.json["status_of_order"] == "unknown"
        unknown = await trader.ask(
            "GET", "/orders/by_client_order_id?client_order_id=o-1&account_id=alpha"
        )
        assert (unknown.status, unknown.json["code"]) == (504, "order_unknown")
        never = await trader.ask(
            "GET", "/orders/by_client_order_id?client_order_id=o-2&account_id=alpha"
        )
        assert (never.status, never.json["code"]) == (404, "unknown_order")
        again = await trader.order(client_order_id="o-1")
        assert again.status == 200
        assert len(trader.at_broker("alpha")) == 1

    play(scene, tmp_path)


def test_unknown_is_pushed(tmp_path: Path) -> None:
    """Whoever listens hears that nobody knows, and that it was found; only of their accounts."""

    async def scene(trader: Trader) -> None:
        url = f"http://127.0.0.1:{trader.fleet.daemon.port}/realtime/events?types=order&account_id="
        heard: dict[str, list[tuple[str, object]]] = {"alpha": [], "bravo": []}

        async def listen(label: str) -> None:
            async with trader.fleet.http.get(url + label) as answer:
                async for raw in answer.content:
                    name, _, data = raw.decode().strip().partition(": ")
                    if name == "event":
                        kind = data
                    elif name == "data" and kind == "unknown":
                        heard[label].append((kind, json.loads(data)))

        listening = [asyncio.create_task(listen(label)) for label in heard]
        await asyncio.sleep(1)
        trader.fleet.simulator.add_fault({"kind": "server_error", "method": "POST", "count": 1})
        lost = await trader.order(client_order_id="o-1")
        assert lost.json["code"] == "order_unknown"
        told = {"account_id": "alpha", "tier": None, "client_order_id": "o-1", "order_id": None}
        await trader.fleet.until(lambda: heard["alpha"] == [("unknown", told)])
        trader.fleet.simulator.exchange.submit(
            "alpha",
            {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET, "client_order_id": "o-1"},
        )
        await trader.fleet.until(lambda: len(heard["alpha"]) == 2)
        order_id = trader.at_broker("alpha")[0]["id"]
        assert heard["alpha"][1] == ("unknown", {**told, "order_id": order_id})
        assert not heard["bravo"]
        for task in listening:
            task.cancel()
        await asyncio.wait(listening)

    play(scene, tmp_path)


def test_idempotency_key(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        body = {"account_id": "alpha", "symbol": "AAPL", "qty": "1", "side": "buy", **MARKET}
        first = await trader.ask("POST", "/orders", body, Idempotency_Key="k-1")
        again = await trader.ask("POST", "/orders", body, Idempotency_Key="k-1")
        assert first.json["id"] == again.json["id"]
        assert again.headers["Idempotency-Replayed"] == "true"
        other = await trader.ask("POST", "/orders", {**body, "qty": "2"}, Idempotency_Key="k-1")
        assert other.status == 422
        assert len(trader.at_broker("alpha")) == 1
        batch = [
            await trader.ask("POST", "/orders/batch", [body, body], Idempotency_Key="b")
            for _ in range(2)
        ]
        ids = [[row["body"]["id"] for row in answer.json] for answer in batch]
        assert ids[0] == ids[1]
        assert len(set(ids[0])) == 2

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/orders", {"symbol": "AAPL", "foo": 1}, 422),
        ("/orders", [], 422),
        ("/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit",
                     "time_in_force": "day", "account_id": "alpha"}, 422),
        ("/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET}, 400),
        ("/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET,
                     "account_id": "x"}, 404),
        ("/stocks/order", {"symbol": "BTC/USD", "qty": "1", "side": "buy", "type": "market",
                           "time_in_force": "gtc", "account_id": "alpha"}, 422),
        ("/options/order", {"symbol": "AAPL", "qty": "1", "side": "buy", **MARKET}, 422),
        ("/orders?x=1", {"symbol": "AAPL"}, 400),
        ("/orders/halt", {"acount_id": "alpha"}, 422),
        ("/orders/halt", {"account_id": "x"}, 404),
    ],
)  # fmt: skip
def test_what_is_wrong_never_reaches_the_broker(
    tmp_path: Path, path: str, body: object, status: int
) -> None:
    async def scene(trader: Trader) -> None:
        before = trader.fleet.requests("alpha")
        answer = await trader.ask("POST", path, body)
        assert answer.status == status, answer.json
        assert answer.json["remedy"]
        assert trader.fleet.requests("alpha") == before

    play(scene, tmp_path)


def test_routing_says_which_and_why(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        taken = [await trader.order(None, strategy="round_robin") for _ in range(6)]
        labels = [answer.headers["X-Realtime-Account"] for answer in taken]
        assert sorted(labels[:3]) == sorted(labels[3:]) == ["alpha", "bravo", "charlie"]
        assert taken[0].headers["X-Realtime-Route"] == "round_robin among 3"
        keyed = [await trader.order(None, routing_key="k") for _ in range(3)]
        assert len({answer.json["account_id"] for answer in keyed}) == 1
        among = await trader.order(None, strategy="random", labels=["bravo"])
        assert among.json["account_id"] == "bravo"
        trader.fleet.simulator.add_fault({"kind": "refuse_handshake", "account": "alpha"})
        trader.fleet.simulator.add_fault({"kind": "cut", "account": "alpha"})
        await trader.fleet.until(lambda: not trader.fleet.record("alpha").link.is_synced)
        others = [await trader.order(None, strategy="round_robin") for _ in range(4)]
        assert {answer.json["account_id"] for answer in others} == {"bravo", "charlie"}
        refused = await trader.order("alpha")
        assert (refused.status, refused.json["code"]) == (409, "account_not_synced")
        assert (await trader.order("alpha", force=True)).status == 200
        account = await trader.ask("GET", "/account?routing_key=k")
        assert account.json["account_number"]
        assert (await trader.ask("GET", "/positions?account_id=bravo")).status == 200

    play(scene, tmp_path)


def test_the_budget_is_told(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        await trader.order()
        answer = await trader.ask("GET", "/realtime/budget/alpha")
        assert answer.status == 200
        assert answer.json["account_id"] == "alpha"
        assert answer.json["orders"] == 1
        assert answer.json["reads"] > 3
        assert answer.json["others"] == 0
        spent = answer.json["orders"] + answer.json["reads"]
        assert answer.json["remaining"] == 200 - spent
        for _ in range(170):
            last = await trader.order(type="limit", limit_price="1")
        full = [await trader.order() for _ in range(10)][-1]
        assert last.status in (200, 429)
        assert (full.status, full.json["code"]) == (429, "budget_spent")
        assert 1 <= int(full.headers["Retry-After"]) <= 61
        assert (await trader.ask("DELETE", "/orders?account_id=alpha")).json[0]["status"] == 200

    play(scene, tmp_path, accounts=1)


def test_the_audit_log_has_it_before_it_leaves(tmp_path: Path) -> None:
    async def scene(trader: Trader) -> None:
        trader.fleet.simulator.add_fault({"kind": "latency", "seconds": 2, "method": "POST"})
        asked = asyncio.create_task(trader.order(client_order_id="o-1"))
        await asyncio.sleep(1)
        path = tmp_path / "orders.jsonl"
        assert [line["event"] for line in lines(path)] == ["order.intended"]
        await asked
        intended, placed = lines(path)
        assert placed["event"] == "order.placed"
        assert intended["client_order_id"] == placed["client_order_id"] == "o-1"
        assert (placed["account"], placed["principal"]) == ("alpha", "local")
        assert placed["request_id"]
        assert placed["took_ms"] >= 2000
        assert path.stat().st_mode & 0o777 == 0o600

    play(scene, tmp_path)


def lines(path: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
