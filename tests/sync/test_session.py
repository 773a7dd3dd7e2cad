"""A session reads by REST what its stream cannot show."""

from realtime.core.model import OrderId
from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play


def test_unreadable_frame_makes_everything_provisional_at_once() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="garbage", account="alpha", instead=True, count=3)
        fleet.buy("alpha", qty="2", type="limit", limit_price="300")
        await fleet.until(lambda: fleet.daemon.store.counts["frames.unreadable"] > 0, within_s=1)
        assert fleet.record("alpha").state.provisional == {"account", "positions", "orders"}
        await fleet.until(fleet.settled)

    play(act, accounts=1)


def test_position_without_a_frame_causes_a_reconciliation() -> None:
    """The balance refresh shows it, long before a reconciliation is due."""

    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="deaf", account="alpha", count=1)
        order_id = OrderId(fleet.buy("alpha", qty="2"))
        await fleet.until(lambda: order_id in fleet.record("alpha").state.orders, within_s=22)

    play(act, accounts=1)


def test_orders_are_provisional_when_rest_has_a_position_without_a_frame() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="drop", account="alpha", for_s=5)
        fleet.buy("alpha", qty="2", type="limit", limit_price="300")
        await fleet.until(lambda: bool(fleet.record("alpha").state.positions), within_s=20)
        assert "orders" in fleet.record("alpha").state.provisional
        await fleet.until(fleet.settled)
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


def test_execution_that_lags_behind_its_order_is_counted_as_soon_as_it_is_listed() -> None:
    """No frame brought it, and the read that showed the order as filled was too early for it."""

    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="drop", account="alpha", event="fill", count=1)
        await fleet.fault(kind="lagging_activities", account="alpha", seconds=8, for_s=60)
        order_id = OrderId(fleet.buy("alpha", qty="2"))
        await fleet.until(lambda: not fleet.working("alpha"))
        await fleet.refresh("alpha")
        state = fleet.record("alpha").state
        assert state.orders[order_id].status == "filled"
        assert order_id not in state.executions
        await fleet.until(lambda: order_id in fleet.record("alpha").state.executions, within_s=15)

    play(act, accounts=1)


def test_orders_that_a_read_has_changed_are_watched() -> None:
    """A list from before an order's end shows it as pending; no frame will report the end."""

    async def act(fleet: Fleet) -> None:
        exchange = fleet.simulator.exchange
        order_id = OrderId(fleet.buy("alpha", type="limit", limit_price="1"))
        await fleet.until(fleet.settled)
        exchange.hold_cancels("alpha", True)
        await fleet.fault(kind="drop", account="alpha", count=2)
        exchange.cancel("alpha", order_id)
        await fleet.refresh("alpha")
        assert fleet.record("alpha").state.orders[order_id].status == "pending_cancel"
        exchange.hold_cancels("alpha", False)
        await fleet.until(
            lambda: fleet.record("alpha").state.orders[order_id].status == "canceled", within_s=13
        )

    play(act, accounts=1)
