"""What the first reading after a connect could not show is found soon, and not held against it."""

import asyncio

import pytest

from realtime.core.model import OrderId
from tests.equality import unequal
from tests.fleet import Farm
from tests.sync.scene import play


@pytest.mark.parametrize("lag", ["stale_orders", "lagging_activities"])
def test_what_lagged_at_a_connect_is_read_soon_after(lag: str) -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind=lag, account="alpha", seconds=9, for_s=12)
        farm.buy("alpha", qty="3")
        await farm.fault(kind="cut", account="alpha")
        await farm.until(lambda: not farm.links["alpha"].is_live)
        await farm.until(lambda: farm.links["alpha"].is_live)
        assert "orders" in farm.record("alpha").state.provisional, "lists may lag"
        connects = farm.attempts("alpha")
        await farm.until(lambda: len(farm.record("alpha").state.executions) == 1, within_s=40)
        await farm.until_done("alpha")
        assert await unequal(farm, "alpha") == []
        assert farm.attempts("alpha") == connects, "the new socket is not to blame"

    play(act, accounts=1)


def test_a_comparison_that_fails_is_still_due() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="drop", account="alpha", for_s=5)
        order_id = farm.buy("alpha", qty="2", type="limit", limit_price="300")
        await farm.fault(kind="server_error", account="alpha", path="/v2/orders", for_s=40)
        await farm.until(
            lambda: order_id in map(str, farm.record("alpha").state.orders), within_s=60
        )

    play(act, accounts=1)


def test_money_that_cannot_be_read_is_marked() -> None:
    """Nothing was filled, but prices move: after a while without an answer they may be old."""

    async def act(farm: Farm) -> None:
        await farm.fault(kind="server_error", account="alpha", status=503, for_s=60)
        await farm.until(lambda: "account" in farm.record("alpha").state.provisional, within_s=20)
        await farm.until(farm.settled, within_s=80)

    play(act, accounts=1)


def test_what_an_unreadable_frame_may_have_told_is_marked_at_once() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="garbage", account="alpha", instead=True, count=3)
        farm.buy("alpha", qty="2", type="limit", limit_price="300")
        await farm.until(lambda: farm.daemon.store.counts["frames.unreadable"] > 0, within_s=1)
        assert farm.record("alpha").state.provisional == {"account", "positions", "orders"}
        await farm.until(farm.settled)

    play(act, accounts=1)


def test_orders_are_in_doubt_when_rest_has_a_position_that_no_frame_told() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="drop", account="alpha", for_s=5)
        farm.buy("alpha", qty="2", type="limit", limit_price="300")
        await farm.until(lambda: bool(farm.record("alpha").state.positions), within_s=20)
        assert "orders" in farm.record("alpha").state.provisional
        await farm.until(farm.settled)
        assert await unequal(farm, "alpha") == []

    play(act, accounts=1)


def test_an_order_that_ended_in_an_outage_and_is_in_no_list_is_asked_for_by_id() -> None:
    """More orders than one page shows are newer, and it is older than a reading goes back."""
    cheap = {"type": "limit", "limit_price": "1", "time_in_force": "gtc"}

    async def act(farm: Farm) -> None:
        exchange = farm.simulator.exchange
        old = farm.buy("alpha", **cheap)
        await asyncio.sleep(1)
        for _ in range(510):
            exchange.cancel("alpha", farm.buy("alpha", **cheap))
        await asyncio.sleep(100)
        farm.buy("alpha", **cheap)
        await asyncio.sleep(100)
        await farm.fault(kind="cut", account="alpha")
        await farm.until(lambda: not farm.links["alpha"].is_live)
        exchange.cancel("alpha", old)
        await farm.until(farm.settled, within_s=200)
        assert farm.record("alpha").state.orders[OrderId(old)].status == "canceled"

    play(act, accounts=1)


def test_a_position_that_no_frame_told_asks_for_a_comparison() -> None:
    """So its order is found with the money, long before a comparison is due."""

    async def act(farm: Farm) -> None:
        await farm.fault(kind="deaf", account="alpha", count=1)
        order_id = OrderId(farm.buy("alpha", qty="2"))
        await farm.until(lambda: order_id in farm.record("alpha").state.orders, within_s=22)

    play(act, accounts=1)


def test_a_doubt_that_cannot_be_answered_stays() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="server_error", account="alpha", status=503, for_s=30)
        await farm.fault(kind="garbage", account="alpha", instead=True, count=1)
        farm.buy("alpha", qty="2", type="limit", limit_price="1")
        await farm.until(lambda: farm.daemon.store.counts["frames.unreadable"] > 0, within_s=1)
        for _ in range(25):
            await asyncio.sleep(1)
            assert "orders" in farm.record("alpha").state.provisional
        await farm.until(farm.settled)

    play(act, accounts=1)
