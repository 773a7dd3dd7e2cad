"""Chains of replacements are followed to their end, and marked until then."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from realtime.core.order_groups import unknown_successors
from realtime.core.state import ORDERS
from realtime.store.records import Change
from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play

WITHIN_S = 12.0


def follow_chain(fleet: Fleet, order_id: str, length: int) -> str:
    """Replace an order several times at the broker; return the id of the last one."""
    exchange = fleet.simulator.exchange
    for _ in range(length):
        price = Decimal(str(exchange.order("alpha", order_id, nested=False)["limit_price"]))
        body = {"limit_price": str(price + 1)}
        order_id = str(exchange.replace("alpha", order_id, body)["id"])
    return order_id


def record_unmarked_gaps(fleet: Fleet) -> list[object]:
    """Every state that names an unknown order without a mark."""
    gaps: list[object] = []

    def check(change: Change) -> None:
        record = change.after
        assert record is not None
        is_marked = not record.link.is_synced or record.state.provisional >= ORDERS
        if not is_marked and unknown_successors(record.state):
            gaps.append(unknown_successors(record.state))

    fleet.daemon.store.subscribe(check)
    return gaps


async def discover_by_frame(fleet: Fleet, order_id: str) -> str:
    await fleet.fault(kind="drop", account="alpha", event="new", count=1)
    first = follow_chain(fleet, order_id, 1)
    await fleet.fault(kind="drop", account="alpha", for_s=0.5)
    return follow_chain(fleet, first, 3)


async def discover_by_list(fleet: Fleet, order_id: str) -> str:
    await fleet.fault(kind="drop", account="alpha", for_s=0.5)
    last = follow_chain(fleet, order_id, 3)
    await fleet.fault(kind="stale_orders", account="alpha", seconds=5, for_s=30)
    await fleet.fault(kind="cut", account="alpha")
    await fleet.until(lambda: not fleet.links["alpha"].is_synced)
    await fleet.until(lambda: fleet.links["alpha"].is_synced)
    return last


async def discover_by_watchdog(fleet: Fleet, order_id: str) -> str:
    exchange = fleet.simulator.exchange
    exchange.hold_replaces("alpha", True)
    first = follow_chain(fleet, order_id, 1)
    await asyncio.sleep(1)
    await fleet.fault(kind="drop", account="alpha", for_s=2)
    exchange.hold_replaces("alpha", False)
    last = follow_chain(fleet, first, 2)
    await asyncio.sleep(9)
    return last


@pytest.mark.parametrize("discover", [discover_by_frame, discover_by_list, discover_by_watchdog])
def test_chain_is_followed_to_its_end_and_marked_until_then(
    discover: Callable[[Fleet, str], Awaitable[str]],
) -> None:
    async def act(fleet: Fleet) -> None:
        gaps = record_unmarked_gaps(fleet)
        order_id = fleet.buy("alpha", type="limit", limit_price="1")
        await fleet.until(fleet.settled)
        last = await discover(fleet, order_id)
        await fleet.until(
            lambda: last in map(str, fleet.record("alpha").state.orders), within_s=WITHIN_S
        )
        assert gaps == []
        await fleet.until(fleet.settled)
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)
