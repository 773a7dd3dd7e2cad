"""Faults of REST answers, each seen by a raw client."""

import asyncio
from typing import Any

import aiohttp
import pytest

from realtime.simulator.app import Simulator
from tests.simulator.client import MARKET_BUY, RESTING_BUY, Rest, listening


@pytest.mark.parametrize("headers", [True, False])
async def test_429_with_and_without_headers(rest: Rest, headers: bool) -> None:
    await rest.fault("rate_limited", account="alpha", count=1, headers=headers)
    async with rest.http.get("/v2/account") as response:
        assert response.status == 429
        assert ("X-RateLimit-Remaining" in response.headers) is headers
        assert "X-Request-ID" in response.headers
    await rest.get("/v2/account")


@pytest.mark.parametrize("html", [True, False])
async def test_401_as_json_and_as_page(rest: Rest, html: bool) -> None:
    await rest.fault("unauthorized", html=html)
    async with rest.http.get("/v2/account") as response:
        assert response.status == 401
        assert response.content_type == ("text/html" if html else "application/json")


@pytest.mark.parametrize(
    ("status", "content"),
    [(500, "application/json"), (502, "text/html"), (503, "text/html"), (504, "text/html")],
)
async def test_server_errors(rest: Rest, status: int, content: str) -> None:
    await rest.fault("server_error", status=status)
    async with rest.http.post("/v2/orders", json=MARKET_BUY) as response:
        assert (response.status, response.content_type) == (status, content)
    await rest.request("DELETE", "/_sim/faults")
    assert await rest.get("/v2/orders?status=all") == []


async def test_fault_concerns_one_method_and_path(rest: Rest) -> None:
    await rest.fault("server_error", method="post", path="/v2/orders")
    await rest.get("/v2/orders")
    await rest.get("/v2/account")
    assert (await rest.request("POST", "/v2/orders", MARKET_BUY))[0] == 503


async def test_fault_concerns_one_account(sim: Simulator, rest: Rest) -> None:
    await rest.fault("server_error", account="alpha")
    assert (await rest.request("GET", "/v2/account"))[0] == 503
    async with Rest(sim, "bravo") as bravo:
        await bravo.get("/v2/account")


async def test_answers_are_late(rest: Rest) -> None:
    await rest.fault("latency", seconds=0.05, jitter_s=0.01, count=1)
    loop = asyncio.get_running_loop()
    asked = loop.time()
    await rest.get("/v2/account")
    assert loop.time() - asked >= 0.05


@pytest.mark.parametrize("performed", [False, True])
async def test_answer_is_never_sent(rest: Rest, performed: bool) -> None:
    await rest.fault("no_answer", method="POST", performed=performed, count=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await rest.request("POST", "/v2/orders", RESTING_BUY)
    assert len(await rest.get("/v2/orders")) == performed


async def test_stop_does_not_wait_for_the_unanswered() -> None:
    async with Simulator(accounts=1, step_s=None) as sim, Rest(sim) as rest:
        await rest.fault("no_answer")
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_lost(rest))
            async with Rest(sim) as other:
                while not (await other.get("/_sim"))["counts"]:
                    pass
            async with asyncio.timeout(4):
                await sim.stop()
        assert asking.result()


async def _lost(rest: Rest) -> bool:
    """Return whether a request loses its connection. A client may retry a lost GET once."""
    try:
        await rest.request("GET", "/v2/account")
    except aiohttp.ClientConnectionError:
        return True
    return False


async def test_order_is_accepted_although_the_response_is_504(sim: Simulator, rest: Rest) -> None:
    await rest.fault("accepted_but_504", account="alpha", count=1)
    async with listening(sim) as stream:
        assert (await rest.request("POST", "/v2/orders", RESTING_BUY))[0] == 504
        assert (await stream.event())["event"] == "pending_new"
    assert len(await rest.get("/v2/orders")) == 1


async def test_positions_lag(sim: Simulator, rest: Rest) -> None:
    fault = await rest.fault("lagging_positions", account="alpha", seconds=60)
    await rest.buy()
    for _ in range(10):
        sim.step()
    assert await rest.get("/v2/positions") == []
    assert (await rest.request("GET", "/v2/positions/AAPL"))[0] == 404
    await rest.request("DELETE", f"/_sim/faults/{fault['id']}")
    assert len(await rest.get("/v2/positions")) == 1


async def test_activities_lag(sim: Simulator, rest: Rest) -> None:
    await rest.fault("lagging_activities", seconds=60, count=2)
    await rest.buy()
    for _ in range(10):
        sim.step()
    assert await rest.get("/v2/account/activities/FILL") == []
    assert await rest.get("/v2/account/activities") == []
    assert await rest.get("/v2/account/activities/FILL") != []


async def test_order_list_is_stale_and_single_orders_are_not(sim: Simulator, rest: Rest) -> None:
    old = await rest.buy(RESTING_BUY)
    await rest.fault("stale_orders", account="alpha", seconds=60)
    new = await rest.buy(RESTING_BUY)
    assert (await rest.request("DELETE", f"/v2/orders/{old['id']}"))[0] == 204
    sim.step()
    listed = await rest.get("/v2/orders?status=open")
    assert [order["id"] for order in listed] == [old["id"]]
    assert listed[0]["status"] == "new"
    assert await rest.get("/v2/orders?status=closed") == []
    assert (await rest.get(f"/v2/orders/{old['id']}"))["status"] == "canceled"
    assert (await rest.get(f"/v2/orders/{new['id']}"))["status"] == "new"


async def test_members_of_documents_are_removed_and_added(rest: Rest) -> None:
    await rest.fault(
        "changed_fields", path="/v2/account", removed=["multiplier"], added=["new_field"]
    )
    account: Any = await rest.get("/v2/account")
    assert "multiplier" not in account
    assert account["new_field"] == "added"
    await rest.request("POST", "/v2/orders", MARKET_BUY)
    await rest.fault("changed_fields", path="/v2/orders", removed=["hwm"])
    orders: Any = await rest.get("/v2/orders?status=all")
    assert all("hwm" not in order for order in orders)
