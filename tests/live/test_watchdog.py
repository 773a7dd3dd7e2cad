"""Orders that should have moved on are asked for: legs whose end or whose being nobody told."""

import pytest

from tests.equality import unequal
from tests.farm import Farm
from tests.live.scene import play

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


def _statuses(farm: Farm) -> set[str]:
    return {order.status for order in farm.record("alpha").state.orders.values()}
