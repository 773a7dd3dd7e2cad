"""What the first snapshot after a connect could not show is read soon."""

import asyncio

import pytest

from realtime.core.model import OrderId
from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play


@pytest.mark.parametrize("lag", ["stale_orders", "lagging_activities"])
def test_data_that_lagged_at_a_connect_is_read_soon_after(lag: str) -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind=lag, account="alpha", seconds=9, for_s=12)
        fleet.buy("alpha", qty="3")
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: not fleet.links["alpha"].is_synced)
        await fleet.until(lambda: fleet.links["alpha"].is_synced)
        assert "orders" in fleet.record("alpha").state.provisional, "lists may lag"
        connects = fleet.attempts("alpha")
        await fleet.until(lambda: len(fleet.record("alpha").state.executions) == 1, within_s=40)
        await fleet.until_done("alpha")
        assert await unequal(fleet, "alpha") == []
        assert fleet.attempts("alpha") == connects, "no reconnect: the new stream is not deaf"

    play(act, accounts=1)


def test_failed_reconciliation_is_still_due() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="drop", account="alpha", for_s=5)
        order_id = fleet.buy("alpha", qty="2", type="limit", limit_price="300")
        await fleet.fault(kind="server_error", account="alpha", path="/v2/orders", for_s=40)
        await fleet.until(
            lambda: order_id in map(str, fleet.record("alpha").state.orders), within_s=60
        )

    play(act, accounts=1)


def test_balances_that_cannot_be_read_are_provisional() -> None:
    """Prices move without fills: without a response for a while they may be old."""

    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="server_error", account="alpha", status=503, for_s=60)
        await fleet.until(lambda: "account" in fleet.record("alpha").state.provisional, within_s=20)
        await fleet.until(fleet.settled, within_s=80)

    play(act, accounts=1)


def test_order_that_ended_in_an_outage_and_is_in_no_list_is_read_by_id() -> None:
    """More than a page of orders is newer, and it is older than two snapshots overlap."""
    cheap = {"type": "limit", "limit_price": "1", "time_in_force": "gtc"}

    async def act(fleet: Fleet) -> None:
        exchange = fleet.simulator.exchange
        old = fleet.buy("alpha", **cheap)
        await asyncio.sleep(1)
        for _ in range(510):
            exchange.cancel("alpha", fleet.buy("alpha", **cheap))
        await asyncio.sleep(100)
        fleet.buy("alpha", **cheap)
        await asyncio.sleep(100)
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: not fleet.links["alpha"].is_synced)
        exchange.cancel("alpha", old)
        await fleet.until(fleet.settled, within_s=200)
        assert fleet.record("alpha").state.orders[OrderId(old)].status == "canceled"

    play(act, accounts=1)
