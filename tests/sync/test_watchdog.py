"""Orders that should have moved on are asked for: legs whose end or whose being nobody told."""

import pytest
from structlog.testing import capture_logs

from tests.equality import unequal
from tests.fleet import Farm
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
"""Five of patience, two of grace, and the reading."""


def test_legs_that_no_frame_shows_are_asked_for() -> None:
    async def act(farm: Farm) -> None:
        farm.simulator.exchange.quirks.parent_legs_in_frame = False
        before = len(farm.record("alpha").state.orders)
        farm.simulator.exchange.submit("alpha", BRACKET)
        await farm.until(
            lambda: len(farm.record("alpha").state.orders) == before + 3, within_s=WITHIN_S
        )
        await farm.until(farm.settled)
        assert await unequal(farm, "alpha") == []

    play(act, accounts=1)


@pytest.mark.parametrize("legs_told", [True, False])
def test_held_legs_that_end_without_a_frame_are_asked_for(legs_told: bool) -> None:
    async def act(farm: Farm) -> None:
        farm.simulator.exchange.quirks.bracket_cancel_frame = False
        farm.simulator.exchange.quirks.parent_legs_in_frame = legs_told
        entry = str(farm.simulator.exchange.submit("alpha", BRACKET)["id"])
        await farm.until(lambda: "held" in _statuses(farm), within_s=WITHIN_S)
        farm.simulator.exchange.cancel("alpha", entry)
        await farm.until(lambda: "held" not in _statuses(farm), within_s=WITHIN_S)
        await farm.until(farm.settled)
        assert await unequal(farm, "alpha") == []

    play(act, accounts=1)


def test_a_group_that_is_whole_is_not_asked_for() -> None:
    async def act(farm: Farm) -> None:
        farm.simulator.exchange.submit("alpha", BRACKET)
        await farm.until(lambda: "held" in _statuses(farm), within_s=1)
        await farm.until(farm.settled)
        assert farm.daemon.store.counts["doubts.legs_unknown"] == 0
        assert farm.daemon.store.counts["doubts.overdue"] == 0

    play(act, accounts=1)


def test_an_order_that_a_connect_finds_pending_is_watched() -> None:
    """No frame tells of it any more: only the reading shows that it should move on."""

    async def act(farm: Farm) -> None:
        exchange = farm.simulator.exchange
        order_id = farm.buy("alpha", type="limit", limit_price="1")
        await farm.until(farm.settled)
        exchange.hold_cancels("alpha", True)
        await farm.fault(kind="cut", account="alpha")
        await farm.until(lambda: not farm.links["alpha"].is_live)
        exchange.cancel("alpha", order_id)
        await farm.until(lambda: farm.links["alpha"].is_live)
        assert "pending_cancel" in _statuses(farm)
        await farm.fault(kind="drop", account="alpha", for_s=1)
        exchange.hold_cancels("alpha", False)
        with capture_logs() as lines:
            await farm.until(lambda: "pending_cancel" not in _statuses(farm), within_s=40)
        found = [line for line in lines if line["event"] == "reconcile.difference_found"]
        assert [(line["key"], line["reason"]) for line in found] == [(order_id, "overdue")]

    play(act, accounts=1)


def _statuses(farm: Farm) -> set[str]:
    return {order.status for order in farm.record("alpha").state.orders.values()}
