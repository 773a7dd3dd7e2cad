"""Orders at a front: passed on to the owner once, and never sent twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import structs

from realtime.auth.keys import parse_secrets
from realtime.auth.tokens import TokenRules
from realtime.cluster.hop import FORWARD_PATH
from realtime.config.settings import AuthSettings, Settings
from realtime.runtime.daemon import run_daemon
from realtime.simulator.app import Simulator
from tests.auth.made import SECRET as TOKEN_SECRET
from tests.cluster.fronts import (
    MESH_PORT,
    RELAY_PORT,
    SECRET,
    Pair,
    as_owner,
    front_settings,
    pair,
)
from tests.cluster.test_front import first_label
from tests.fleet import fleet
from tests.virtual import nanosecond_clock, run, world

Scenario = Callable[[Pair, Simulator], Awaitable[None]]

ORDER = {
    "symbol": "AAPL",
    "qty": "1",
    "side": "buy",
    "type": "limit",
    "time_in_force": "day",
    "limit_price": "1.10",
}


SPELLINGS_OF_ORDERS = ("/orde%72s", "/%6frders", "/api/v1/orde%72s", "/api/%76%31/orders")
"""The router decodes a path before it compares."""


def play(
    scenario: Scenario,
    *,
    configure: Callable[[Settings], Settings] = lambda settings: settings,
    configure_front: Callable[[Settings], Settings] = lambda settings: settings,
) -> None:
    async def main() -> None:
        simulator = Simulator(accounts=2, clock=nanosecond_clock)
        async with (
            simulator,
            pair(
                simulator,
                world(1),
                world(2),
                configure=configure,
                configure_front=configure_front,
            ) as both,
        ):
            await both.until(both.owner.settled)
            await both.until(lambda: both.status.is_current)
            await scenario(both, simulator)

    run(main)


def placed(simulator: Simulator, label: str) -> list[dict[str, Any]]:
    """All orders of an account in the broker's books."""
    return list(simulator.exchange.orders(label, {"status": "all", "limit": "500"}))


def test_an_order_is_placed_by_the_owner_under_an_id_of_the_front() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        before = placed(simulator, label)
        status, headers, order = await both.send("POST", "/orders", {**ORDER, "account_id": label})
        assert (status, headers["X-Realtime-Owner"]) == (200, "beta")
        assert (order["account_id"], order["origin"]) == (label, "ours")
        assert order["client_order_id"].startswith("rt-")
        (new,) = [o for o in placed(simulator, label) if o not in before]
        assert new["client_order_id"] == order["client_order_id"]
        assert new["limit_price"] == "1.1"
        await both.until(both.is_equal)
        status, headers, again = await both.send("GET", f"/orders/{order['id']}")
        assert (status, again["id"]) == (200, order["id"])
        assert "X-Realtime-Owner" not in headers  # from memory
        path = f"/orders/{order['id']}?account_id={label}"
        status, _, changed = await both.send("PATCH", path, {"limit_price": "1.20"})
        assert status == 200
        status, _, _ = await both.send("DELETE", f"/orders/{changed['id']}?account_id={label}")
        assert status == 204
        await both.until(lambda: not both.owner.working(label))
        await both.until(both.is_equal)

    play(scenario)


def test_an_id_of_the_client_is_kept_and_the_body_is_not_changed() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        own = {**ORDER, "account_id": label, "client_order_id": "my-own"}
        status, _, order = await both.send("POST", "/orders", own)
        assert (status, order["client_order_id"]) == (200, "my-own")
        status, _, again = await both.send("POST", "/orders", own)
        assert (status, again["id"]) == (200, order["id"])
        status, _, quick = await both.send(
            "POST", f"/stocks/AAPL/buy?qty=1&limit_price=1.10&account_id={label}"
        )
        assert status == 200
        assert quick["client_order_id"].startswith("rt-")
        status, _, problem = await both.send("POST", "/orders", b'{"symbol": ')
        assert (status, problem["code"]) == (501, "several_owners") or status == 422
        status, _, problem = await both.send(
            "POST", "/orders", {**ORDER, "account_id": label, "quantity": 1}
        )
        assert (status, problem["code"]) == (422, "invalid_order")

    play(scenario)


def test_the_kill_switch_and_closes_reach_the_owner() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        status, _, state = await both.send("POST", "/orders/halt", {"reason": "test"})
        assert (status, state["halted"]) == (200, True)
        assert both.owner.daemon.trading_service.kill_switch.state.halted
        status, _, problem = await both.send("POST", "/orders", {**ORDER, "account_id": label})
        assert (status, problem["code"]) == (423, "orders_halted")
        assert (await both.send("GET", "/orders/halt"))[2]["halted"] is True
        assert (await both.send("POST", "/orders/resume"))[2]["halted"] is False
        both.owner.buy(label)
        await both.owner.until_done(label)
        status, _, document = await both.send("DELETE", f"/positions/{label}?wait_s=60")
        assert status in (200, 202)
        assert document["accounts"][0]["account_id"] == label
        status, _, budget = await both.send("GET", f"/realtime/budget/{label}")
        assert (status, budget["account_id"]) == (200, label)
        status, _, _ = await both.send("POST", f"/realtime/accounts/{label}/refresh")
        assert status == 200

    play(scenario)


def test_a_lost_response_is_looked_up_and_the_order_is_not_sent_again() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        for headers in ({}, {"Idempotency_Key": "k1"}):
            await both.until(lambda: both.status.is_current)
            before = placed(simulator, label)
            both.relay.pause_responses()
            task = asyncio.create_task(
                both.send("POST", "/orders", {**ORDER, "account_id": label}, **headers)
            )
            await both.until(lambda: len(placed(simulator, label)) > len(before))  # noqa: B023
            both.relay.cut()
            both.relay.resume()
            status, reply, order = await task
            assert status == 200
            assert reply["X-Realtime-Owner"] == "beta"
            (new,) = [o for o in placed(simulator, label) if o not in before]
            assert order["id"] == new["id"]

    play(scenario)


def test_a_change_whose_response_is_lost_is_not_repeated() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        order_id = both.owner.buy(label, type="limit", limit_price="1.00")
        await both.until(both.is_equal)
        connections = both.relay.connections
        both.relay.pause_responses()
        path = f"/orders/{order_id}?account_id={label}"
        task = asyncio.create_task(both.send("DELETE", path))
        await both.until(lambda: not both.owner.working(label))
        both.relay.refuses = True
        both.relay.cut()
        status, _, problem = await task
        assert (status, problem["code"]) == (504, "owner_response_lost")
        assert both.relay.connections <= connections + 3

    play(scenario)


def test_without_the_owner_nothing_is_sent_and_reads_go_on() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        both.relay.refuses = True
        both.relay.cut()
        await both.until(lambda: not both.status.is_current)
        await both.relay.__aexit__()
        status, headers, problem = await both.send(
            "POST", "/orders", {**ORDER, "account_id": label}
        )
        assert (status, problem["code"]) == (503, "owner_unreachable")
        assert headers["Retry-After"] == "2"
        assert "nothing was sent" in problem["remedy"]
        status, headers, _ = await both.read(f"/realtime/dashboard/{label}")
        assert (status, headers["X-Realtime-Stale"]) == (200, "true")

    play(scenario)


def test_an_owner_that_is_silent_gets_no_order_but_a_cancel() -> None:
    """A daemon that was stopped would place the order when it goes on."""

    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        order_id = both.owner.buy(label, type="limit", limit_price="1.00")
        await both.until(both.is_equal)
        before = len(placed(simulator, label))
        both.relay.pause()
        await both.until(lambda: not both.status.is_current)
        status, _, problem = await both.send("POST", "/orders", {**ORDER, "account_id": label})
        assert (status, problem["code"]) == (503, "owner_unreachable")
        assert "nothing is received from it" in problem["detail"]
        for path in SPELLINGS_OF_ORDERS:
            status, _, problem = await both.send("POST", path, {**ORDER, "account_id": label})
            assert (path, status, problem["code"]) == (path, 503, "owner_unreachable")
        path = f"/orders/{order_id}?account_id={label}"
        cancel = asyncio.create_task(both.send("DELETE", path))
        await asyncio.sleep(0.5)
        both.relay.resume()
        assert (await cancel)[0] == 204
        await both.until(lambda: not both.owner.working(label))
        assert len(placed(simulator, label)) == before

    play(scenario)


def test_no_number_of_reads_delays_a_cancel() -> None:
    """A token that may only read, and asks a lot, must not keep others from trading."""

    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        order_id = both.owner.buy(label, type="limit", limit_price="1.00")
        await both.until(both.is_equal)
        both.relay.pause_responses()
        path = f"/realtime/budget/{label}"
        reads = [asyncio.create_task(both.send("GET", path)) for _ in range(80)]
        await asyncio.sleep(0.1)
        path = f"/orders/{order_id}?account_id={label}"
        cancel = asyncio.create_task(both.send("DELETE", path))
        await both.until(lambda: not both.owner.working(label))
        both.relay.resume()
        assert (await cancel)[0] == 204
        assert {status for status, _, _ in await asyncio.gather(*reads)} <= {200, 503}

    play(scenario)


def test_head_is_passed_on_as_the_get_that_it_is() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        for path in ("/orders/halt", f"/realtime/budget/{first_label(both)}"):
            status, headers, document = await both.send("HEAD", path)
            assert (path, status, document) == (path, 200, None)
            assert headers["X-Realtime-Owner"] == "beta"

    play(scenario)


def test_a_second_hop_is_refused() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        before = len(placed(simulator, label))
        body = {**ORDER, "account_id": label}
        status, _, problem = await both.send("POST", "/orders", body, X_Realtime_Hop="1")
        assert (status, problem["code"]) == (503, "not_owner")
        assert len(placed(simulator, label)) == before

    play(scenario)


def with_auth(settings: Settings) -> Settings:
    rules = TokenRules(leeway_s=0)
    return structs.replace(
        settings, auth=AuthSettings(rules=rules, keys=parse_secrets(TOKEN_SECRET))
    )


def test_the_owner_verifies_the_token_of_the_client_itself() -> None:
    """A front that requires none cannot give what the client does not have."""

    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        before = len(placed(simulator, label))
        body = {**ORDER, "account_id": label}
        status, _, problem = await both.send("POST", "/orders", body)
        assert (status, problem["code"]) == (401, "token_missing")
        assert len(placed(simulator, label)) == before

    play(scenario, configure=with_auth)


def test_the_mesh_passes_on_nothing_without_the_secret_and_a_hop() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        before = len(placed(simulator, label))
        url = f"http://127.0.0.1:{MESH_PORT}{FORWARD_PATH}/orders"
        good = {
            "X-Realtime-Mesh-Secret": SECRET.reveal(),
            "X-Realtime-Method": "POST",
            "X-Realtime-Hop": "1",
        }
        body = {**ORDER, "account_id": label}
        for change, expected in (
            ({"X-Realtime-Mesh-Secret": "wrong"}, 401),
            ({"X-Realtime-Hop": "2"}, 400),
            ({"X-Realtime-Method": "BREW"}, 400),
        ):
            async with both.owner.http.post(url, json=body, headers={**good, **change}) as response:
                assert response.status == expected
        assert len(placed(simulator, label)) == before
        async with both.owner.http.post(url, json=body, headers=good) as response:
            assert response.status == 200
        async with both.owner.http.get(
            f"http://127.0.0.1:{MESH_PORT}/realtime/accounts", headers=good
        ) as response:
            assert response.status == 404

    play(scenario)


def test_with_several_owners_a_request_must_name_one() -> None:
    async def main() -> None:
        one, other = Simulator(accounts=2, clock=nanosecond_clock), None
        async with (
            one,
            fleet(
                one,
                world(1),
                configure=lambda s: as_owner()(structs.replace(s, accounts=s.accounts[:1])),
            ) as first,
            fleet(
                one,
                world(2),
                configure=lambda s: as_owner("gamma", port=RELAY_PORT)(
                    structs.replace(s, accounts=s.accounts[1:])
                ),
            ) as second,
            run_daemon(front_settings(MESH_PORT, RELAY_PORT), world(3)) as front,
        ):
            assert other is None
            both = Pair(first, front, None)  # type: ignore[arg-type]  # no relay
            await both.until(lambda: first.settled() and second.settled())
            assert front.cluster is not None
            await both.until(lambda: front.cluster is not None and front.cluster.is_complete)
            assert sorted(front.store.records) == ["alpha", "bravo"]
            for label, owner in (("alpha", "beta"), ("bravo", "gamma")):
                status, headers, order = await both.send(
                    "POST", "/orders", {**ORDER, "account_id": label}
                )
                assert (status, headers["X-Realtime-Owner"]) == (200, owner)
                assert order["account_id"] == label
            status, _, problem = await both.send("DELETE", "/orders")
            assert (status, problem["code"]) == (501, "several_owners")
            assert "beta" in problem["detail"]
            assert "gamma" in problem["detail"]
            status, _, items = await both.send("DELETE", "/orders?account_id=bravo")
            assert status == 207
            assert [item["account_id"] for item in items] == ["bravo"]

    run(main)
