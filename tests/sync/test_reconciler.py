"""Reconciliation repairs what the stream lost, and replaces a deaf stream."""

import asyncio

import pytest
from structlog.testing import capture_logs

from realtime.sync.intervals import FIRST_RECONCILE_S, intervals_for
from realtime.sync.reconciler import GRACE_S, JITTER, MIN_INTERVAL_S
from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play

MAX_S = intervals_for(2).reconcile_s * (1 + JITTER) + 20
RESTING = {"type": "limit", "limit_price": "1"}


def test_deaf_stream_is_detected_and_replaced() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="deaf", account="alpha", count=1)
            order_id = fleet.buy("alpha", qty="4")
            await fleet.until(lambda: order_id in _orders(fleet, "alpha"), within_s=MAX_S)
            await fleet.until(lambda: not fleet.links["alpha"].is_synced)
            assert "did not deliver" in str(fleet.links["alpha"].last_error_message)
            await fleet.until_done("alpha")
        assert any(line["event"] == "link.deaf" for line in lines)
        assert await unequal(fleet, "alpha") == []
        assert fleet.links["bravo"].reconnect_attempts == 0
        order_id = fleet.buy("alpha", qty="1")
        await fleet.until(lambda: order_id in _orders(fleet, "alpha"), within_s=1)

    play(act)


@pytest.mark.slow
def test_quiet_market_is_not_a_deaf_stream() -> None:
    async def act(fleet: Fleet) -> None:
        before = fleet.attempts("alpha")
        await asyncio.sleep(3000)
        assert fleet.attempts("alpha") == before

    play(act, accounts=1)


def test_lost_frame_is_repaired_without_a_reconnect() -> None:
    async def act(fleet: Fleet) -> None:
        before = fleet.attempts("alpha")
        await fleet.fault(kind="drop", account="alpha", count=1)
        fleet.simulator.exchange.deposit("alpha", "1")  # no event: nothing to drop
        order_id = fleet.buy("alpha", qty="2")
        await fleet.until(lambda: order_id in _orders(fleet, "alpha"), within_s=5)
        await fleet.until_done("alpha")
        assert await unequal(fleet, "alpha") == []
        assert fleet.attempts("alpha") == before

    play(act, accounts=1)


def test_lost_end_of_a_market_order_is_read() -> None:
    async def act(fleet: Fleet) -> None:
        order_id = fleet.buy("alpha", qty="2")
        await fleet.until(lambda: order_id in _orders(fleet, "alpha"), within_s=5)
        await fleet.fault(kind="drop", account="alpha", for_s=3)
        await fleet.until(lambda: _orders(fleet, "alpha")[order_id] == "filled", within_s=10)
        await fleet.until_done("alpha")
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


def test_stream_that_delivers_other_events_is_lossy_and_kept() -> None:
    async def act(fleet: Fleet) -> None:
        counts = fleet.daemon.store.counts
        with capture_logs() as lines:
            await fleet.fault(kind="drop", account="alpha", for_s=3)
            missed = fleet.buy("alpha", **RESTING)
            await fleet.until(lambda: counts["differences.order_missing"] > 0, within_s=MAX_S)
            fleet.buy("alpha", **RESTING)
            await asyncio.sleep(2 * GRACE_S)
        evidence = [line["evidence"] for line in lines if line["event"] == "stream.lossy"]
        assert len(evidence) == 1
        assert missed in evidence[0]
        assert not any(line["event"] == "link.deaf" for line in lines)

    play(act, accounts=1)


def test_events_from_before_a_connect_are_not_expected_from_the_new_stream() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="stale_orders", account="alpha", seconds=9, for_s=10)
        await fleet.fault(kind="refuse_handshake", account="alpha", status=503, for_s=4)
        await fleet.fault(kind="cut", account="alpha")
        await fleet.until(lambda: not fleet.links["alpha"].is_synced)
        order_id = fleet.buy("alpha", **RESTING)
        await fleet.until(lambda: fleet.links["alpha"].is_synced, within_s=8)
        assert order_id not in _orders(fleet, "alpha"), "the first snapshot must lag"
        with capture_logs() as lines:
            await fleet.until(
                lambda: order_id in _orders(fleet, "alpha"), within_s=FIRST_RECONCILE_S[1] + 1
            )
            await asyncio.sleep(2 * GRACE_S)
        assert not any(line["event"].startswith("link.") for line in lines)

    play(act, accounts=1)


def _orders(fleet: Fleet, label: str) -> dict[str, str]:
    return {str(key): order.status for key, order in fleet.record(label).state.orders.items()}


def test_failed_reconciliation_is_repeated_until_it_succeeds() -> None:
    """Ten seconds later, not when the next one is due by the schedule."""

    async def act(fleet: Fleet) -> None:
        path = "/v2/orders"
        await fleet.fault(kind="server_error", account="alpha", status=500, path=path, for_s=70)
        with capture_logs() as lines:
            await asyncio.sleep(70 + MIN_INTERVAL_S + 2)
        events = [line["event"] for line in lines if line.get("reason") == "schedule"]
        failed = [line for line in lines if line["event"] == "reconcile.failed"]
        assert len(failed) >= 3
        assert events == ["reconcile.finished"]

    play(act, accounts=1)
