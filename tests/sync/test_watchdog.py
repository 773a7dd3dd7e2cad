"""Orders that should have changed are read: legs whose end or existence no frame reported."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play

BRACKET = {
    "symbol": "AAPL",
    "qty": "2",
    "side": "buy",
    "type": "limit",
    "limit_price": "100",
    "time_in_force": "day",
    "order_class": "bracket",
    "take_profit": {"limit_price": "300"},
    "stop_loss": {"stop_price": "90"},
}
WITHIN_S = 10
"""Five of timeout, two of grace, and the read."""


def test_legs_without_a_frame_are_read() -> None:
    async def act(fleet: Fleet) -> None:
        fleet.simulator.exchange.quirks.parent_legs_in_frame = False
        before = len(fleet.record("alpha").state.orders)
        fleet.simulator.exchange.submit("alpha", BRACKET)
        await fleet.until(
            lambda: len(fleet.record("alpha").state.orders) == before + 3, within_s=WITHIN_S
        )
        await fleet.until(fleet.settled)
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


@pytest.mark.parametrize("legs_in_frame", [True, False])
def test_held_legs_that_end_without_a_frame_are_read(legs_in_frame: bool) -> None:
    async def act(fleet: Fleet) -> None:
        fleet.simulator.exchange.quirks.bracket_cancel_frame = False
        fleet.simulator.exchange.quirks.parent_legs_in_frame = legs_in_frame
        entry = str(fleet.simulator.exchange.submit("alpha", BRACKET)["id"])
        await fleet.until(lambda: "held" in _statuses(fleet), within_s=WITHIN_S)
        fleet.simulator.exchange.cancel("alpha", entry)
        await fleet.until(lambda: "held" not in _statuses(fleet), within_s=WITHIN_S)
        await fleet.until(fleet.settled)
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


def test_complete_group_is_not_read() -> None:
    async def act(fleet: Fleet) -> None:
        fleet.simulator.exchange.submit("alpha", BRACKET)
        await fleet.until(lambda: "held" in _statuses(fleet), within_s=1)
        await fleet.until(fleet.settled)
        assert fleet.daemon.store.counts["anomalies.legs_unknown"] == 0
        assert fleet.daemon.store.counts["anomalies.overdue"] == 0

    play(act, accounts=1)


def test_pending_order_in_a_snapshot_is_watched() -> None:
    """No frame reports it: only the snapshot shows that it should change."""

    async def act(fleet: Fleet) -> None:
        exchange = fleet.simulator.exchange
        order_id = fleet.buy("alpha", type="limit", limit_price="1")
        await fleet.until(fleet.settled)
        exchange.hold_cancels("alpha", True)
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: not fleet.links["alpha"].is_synced)
        exchange.cancel("alpha", order_id)
        await fleet.until(lambda: fleet.links["alpha"].is_synced)
        assert "pending_cancel" in _statuses(fleet)
        await fleet.fault(kind="drop", account="alpha", for_s=1)
        exchange.hold_cancels("alpha", False)
        with capture_logs() as lines:
            await fleet.until(lambda: "pending_cancel" not in _statuses(fleet), within_s=40)
        differences = [line for line in lines if line["event"] == "reconcile.difference_found"]
        assert [(line["key"], line["reason"]) for line in differences] == [(order_id, "overdue")]

    play(act, accounts=1)


def test_order_that_does_not_change_is_read_at_doubling_intervals() -> None:
    """Ten seconds after it should have changed, then 20, 40 and 80 s later; not every ten."""

    async def act(fleet: Fleet) -> None:
        exchange = fleet.simulator.exchange
        order_id = fleet.buy("alpha", type="limit", limit_price="1")
        await fleet.until(fleet.settled)
        exchange.hold_cancels("alpha", True)
        exchange.cancel("alpha", order_id)
        with capture_logs() as lines:
            await asyncio.sleep(180)
        reads = [
            line
            for line in lines
            if line["event"] == "reconcile.finished" and line["reason"] == "overdue"
        ]
        assert len(reads) == 4

    play(act, accounts=1)


def _statuses(fleet: Fleet) -> set[str]:
    return {order.status for order in fleet.record("alpha").state.orders.values()}
