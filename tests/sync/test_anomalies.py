"""Anomalies are read by REST; one that cannot be read stays marked."""

import asyncio

from tests.fleet import Fleet
from tests.sync.scene import play


def test_anomaly_that_cannot_be_resolved_stays() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="server_error", account="alpha", status=503, for_s=30)
        await fleet.fault(kind="garbage", account="alpha", instead=True, count=1)
        fleet.buy("alpha", qty="2", type="limit", limit_price="1")
        await fleet.until(lambda: fleet.daemon.store.counts["frames.unreadable"] > 0, within_s=1)
        for _ in range(25):
            await asyncio.sleep(1)
            assert "orders" in fleet.record("alpha").state.provisional
        await fleet.until(fleet.settled)

    play(act, accounts=1)
