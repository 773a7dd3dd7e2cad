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
