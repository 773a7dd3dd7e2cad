"""The control room: faults as JSON, switches, books, and errors that say what is right."""

from typing import Any

import pytest

from realtime.simulator.app import Simulator
from realtime.simulator.control.server import COMMANDS
from realtime.simulator.faults.catalogue import FAULT_TYPES
from tests.simulator.client import RESTING_BUY, Rest, listening


async def test_index_lists_every_route_and_fault(rest: Rest) -> None:
    index = await rest.get("/_sim")
    assert set(index["faults"]) == set(FAULT_TYPES)
    assert {f"POST /_sim/{command.path}" for command in COMMANDS} <= set(index["routes"])
    assert all(fault["does"] for fault in index["faults"].values())
    assert (index["accounts"], index["seed"], index["market"]) == (3, 7, "always")


async def test_faults_are_listed_and_removed_one_by_one(rest: Rest) -> None:
    first = await rest.fault("latency", account="alpha", seconds=0, count=5)
    second = await rest.fault("server_error", account="bravo", for_s=60)
    await rest.get("/v2/account")
    listed = await rest.get("/_sim/faults")
    assert [(each["id"], each["used"]) for each in listed] == [
        (first["id"], 1),
        (second["id"], 0),
    ]
    assert listed[0]["left"] == 4
    assert 0 < listed[1]["ends_in_s"] <= 60
    assert await rest.request("DELETE", f"/_sim/faults/{first['id']}") == (200, {"removed": 1})
    assert (await rest.request("DELETE", f"/_sim/faults/{first['id']}"))[0] == 404
    assert await rest.request("DELETE", "/_sim/faults") == (200, {"removed": 1})
    assert await rest.get("/_sim/faults") == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"kind": "delayy"}, "did you mean 'delay'"),
        ({"kind": "delay", "second": 1}, "did you mean 'seconds'"),
        ({"kind": "delay", "seconds": "long"}, "Expected `float`, got `str` - at `$.seconds`"),
        ({"kind": "delay", "seconds": -1}, "$.seconds"),
        ({"kind": "cut", "for_s": 0}, "$.for_s"),
        ({"kind": "cut", "count": 0}, "$.count"),
        ({"kind": "second_connection", "mode": "third"}, "$.mode"),
        ({"kind": "second_connection", "mode": "evict"}, "did you mean 'evict-oldest'"),
        ({"kind": "drop", "event": "fil"}, "did you mean 'fill'"),
        ({"kind": "missing_fields", "fields": ["prize"]}, "did you mean 'price'"),
        ({"kind": "missing_fields", "fields": []}, "length >= 1"),
        ({"kind": "latency", "path": "v2"}, 'the beginning of a path, such as "/v2/orders"'),
        ({"kind": "latency", "method": "FETCH"}, "Expected GET, POST, PATCH or DELETE"),
        ({"kind": "cut", "clean": True, "code": 1006}, "1006 is a cut without `clean`"),
        ({"kind": 7}, "unknown kind 7"),
        ({}, "unknown kind None"),
        ([], "a fault is a JSON object"),
        ("cut", "a fault is a JSON object"),
    ],
)
async def test_bad_fault_is_400_and_names_the_nearest(rest: Rest, body: object, says: str) -> None:
    status, answer = await rest.request("POST", "/_sim/faults", body)
    assert status == 400
    assert says in answer["error"]
    assert await rest.get("/_sim/faults") == []


async def test_unknown_account_is_404_and_names_the_nearest(rest: Rest) -> None:
    for path, body in (("faults", {"kind": "cut"}), ("reject_next", {})):
        status, answer = await rest.request("POST", f"/_sim/{path}", {**body, "account": "alhpa"})
        assert status == 404
        assert "did you mean 'alpha'" in answer["error"]
    assert (await rest.request("GET", "/_sim/books/alhpa"))[0] == 404


@pytest.mark.parametrize("body", ["{", "nonsense", b"\xff", "[" * 100_000])
async def test_body_that_is_not_json_is_400(rest: Rest, body: str | bytes) -> None:
    for path in ("faults", "traffic"):
        status, answer = await rest.request("POST", f"/_sim/{path}", data=body)
        assert status == 400
        assert "not JSON" in answer["error"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("traffic", {"activty": 1}, "did you mean 'activity'"),
        ("traffic", {"activity": -1}, "$.activity"),
        ("traffic", {}, "activity"),
        ("market", {"mode": "sometimes"}, "$.mode"),
        ("market", {"mode": "opn"}, "did you mean 'open'"),
        ("set_price", {"symbol": "AAPL", "price": "0"}, 'above zero as a string, such as "200.5"'),
        ("set_price", {"symbol": "AAPL", "price": "much"}, "$.price"),
        ("set_price", {"symbol": "AAPL", "price": "NaN"}, "$.price"),
        ("set_price", {"symbol": "AAPL", "price": "-5"}, "$.price"),
        ("set_price", {"symbol": "AAPL", "price": "0.00"}, "$.price"),
        ("set_price", {"symbol": "AAPL", "price": "1e99"}, "$.price"),
        ("set_price", {"symbol": "AAPL", "price": 5}, "$.price"),
        ("deposit", {"account": "alpha", "amount": "Infinity"}, "$.amount"),
        ("set_price", {"symbol": "NONE", "price": "1"}, ""),
        ("split", {"symbol": "NONE", "ratio": 2}, ""),
        ("rename", {"symbol": "NONE", "to": "SOME"}, ""),
        ("rename", {"symbol": "AAPL", "to": "some"}, "$.to"),
        ("rename", {"symbol": "AAPL", "to": "MSFT"}, "MSFT is taken"),
        ("deposit", {"account": "alpha", "amount": "much"}, ""),
        ("bust", {"account": "alpha", "execution_id": "none"}, ""),
        ("correct", {"account": "alpha", "execution_id": "none", "price": "1"}, ""),
        ("advance", {"steps": 0}, "$.steps"),
        ("quirks", {"pdt_field": True}, "did you mean 'pdt_fields'"),
        ("traffic", [1], "JSON object"),
    ],
)
async def test_bad_command_is_400(rest: Rest, path: str, body: object, says: str) -> None:
    status, answer = await rest.request("POST", f"/_sim/{path}", body)
    assert status == 400, answer
    assert answer["error"]
    assert says in answer["error"]


async def test_unknown_routes_point_to_the_list(rest: Rest) -> None:
    for method, path in (("GET", "/_sim/bookz"), ("PUT", "/_sim/traffic")):
        status, answer = await rest.request(method, path)
        assert status == 404
        assert answer == {"error": f"no {method} {path} here; GET /_sim lists all routes"}


async def command(rest: Rest, path: str, **body: object) -> Any:
    status, answer = await rest.request("POST", f"/_sim/{path}", body)
    assert status == 200, answer
    return answer


async def test_books_return_the_exchange_state(rest: Rest) -> None:
    order = await rest.buy(RESTING_BUY)
    books = await rest.get("/_sim/books/alpha")
    assert books["label"] == "alpha"
    assert [each["id"] for each in books["orders"]] == [order["id"]]
    assert {each["label"] for each in await rest.get("/_sim/books")} == {
        "alpha",
        "bravo",
        "charlie",
    }


async def test_books_count_requests(sim: Simulator, rest: Rest) -> None:
    await rest.get("/v2/account")
    async with listening(sim, "bravo"):
        pass
    counts = {each["label"]: each["counts"] for each in await rest.get("/_sim/books")}
    assert counts["alpha"] == {"requests": 1}
    assert counts["bravo"] == {"authorized": 1, "listening": 1}


async def test_price_is_pinned_and_resting_orders_match(rest: Rest) -> None:
    order = await rest.buy(RESTING_BUY)
    assert (await command(rest, "set_price", symbol="AAPL", price="49"))["price"] == "49"
    await command(rest, "advance", steps=20)
    assert (await rest.get(f"/v2/orders/{order['id']}"))["status"] == "filled"
    assert (await rest.get("/_sim/prices"))["AAPL"]


async def test_execution_is_corrected_and_busted(sim: Simulator, rest: Rest) -> None:
    await rest.buy()
    await command(rest, "advance", steps=20)
    fill = (await rest.get("/v2/account/activities/FILL"))[0]
    execution = fill["id"].split("::")[1]
    async with listening(sim) as stream:
        await command(rest, "correct", account="alpha", execution_id=execution, price="100")
        corrected = await stream.event()
        assert (corrected["event"], corrected["price"]) == ("trade_correct", "100")
        assert corrected["previous_execution_id"] == execution
        latest = corrected["execution_id"]
        await command(rest, "bust", account="alpha", execution_id=latest)
        assert (await stream.event())["event"] == "trade_bust"
    assert await rest.get("/v2/positions") == []


async def test_next_order_is_rejected(sim: Simulator, rest: Rest) -> None:
    await command(rest, "reject_next", account="alpha")
    async with listening(sim) as stream:
        await rest.buy()
        await command(rest, "advance")
        events = [(await stream.event())["event"]]
        while events[-1] != "rejected":
            events.append((await stream.event())["event"])
    assert "fill" not in events


async def test_deposit_raises_cash_without_an_event(sim: Simulator, rest: Rest) -> None:
    async with listening(sim) as stream:
        before = (await rest.get("/v2/account"))["cash"]
        await command(rest, "deposit", account="alpha", amount="500")
        assert float((await rest.get("/v2/account"))["cash"]) == float(before) + 500
        assert await stream.is_silent()


async def test_split_doubles_a_position_without_an_event(sim: Simulator, rest: Rest) -> None:
    await rest.buy()
    await command(rest, "advance", steps=20)
    async with listening(sim) as stream:
        await command(rest, "split", symbol="AAPL", ratio=2)
        assert await stream.is_silent()
    assert (await rest.get("/v2/positions/AAPL"))["qty"] == "2"


async def test_a_renamed_stock_is_found_under_its_new_name(rest: Rest) -> None:
    await rest.buy()
    await command(rest, "advance", steps=20)
    await command(rest, "rename", symbol="AAPL", to="APPL")
    assert [p["symbol"] for p in await rest.get("/v2/positions")] == ["APPL"]
    assert (await rest.request("POST", "/_sim/rename", {"symbol": "AAPL", "to": "APP"}))[0] == 400


async def test_day_ends_on_command(rest: Rest) -> None:
    await rest.buy()
    await command(rest, "advance", steps=20)
    await command(rest, "end_day")
    account = await rest.get("/v2/account")
    assert account["last_equity"] == account["equity"]


async def test_held_cancels_wait_until_released(rest: Rest) -> None:
    order = await rest.buy(RESTING_BUY)
    await command(rest, "hold_cancels", account="alpha", on=True)
    assert (await rest.request("DELETE", f"/v2/orders/{order['id']}"))[0] == 204
    await command(rest, "advance")
    assert (await rest.get(f"/v2/orders/{order['id']}"))["status"] == "pending_cancel"
    await command(rest, "hold_cancels", account="alpha", on=False)
    await command(rest, "advance")
    assert (await rest.get(f"/v2/orders/{order['id']}"))["status"] == "canceled"


async def test_market_is_closed(rest: Rest) -> None:
    await command(rest, "market", mode="closed")
    assert (await rest.get("/v2/clock"))["is_open"] is False
    assert (await rest.buy())["status"] == "accepted"


async def test_quirks_are_switched(rest: Rest) -> None:
    assert "pattern_day_trader" not in await rest.get("/v2/account")
    assert (await command(rest, "quirks", pdt_fields=True))["pdt_fields"] is True
    assert "pattern_day_trader" in await rest.get("/v2/account")
    assert (await rest.get("/_sim/quirks"))["pdt_fields"] is True


async def test_every_quirk_of_the_exchange_has_its_switch(sim: Simulator, rest: Rest) -> None:
    known = await rest.get("/_sim/quirks")
    for name, value in known.items():
        assert (await command(rest, "quirks", **{name: value}))[name] == value


async def test_traffic_is_switched_while_running(rest: Rest) -> None:
    assert await command(rest, "traffic", activity=12.5) == {"activity": 12.5}
    assert await rest.get("/_sim/traffic") == {"activity": 12.5}
