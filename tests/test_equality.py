"""After disorder the daemon's answers equal the broker's, field by field, for every account."""

import asyncio
import random

import pytest
from structlog.testing import capture_logs

from realtime.core.state import LAG_S
from realtime.simulator.app import Simulator
from tests import virtual
from tests.equality import unequal
from tests.fleet import fleet

ACCOUNTS = 50
EVENTS_A_SECOND = 120.0
DISORDER_S = 40.0
TRAILING_S = 20.0
"""Longer than the schedule on which prices and trailing stops are read."""

CUTS = ({"clean": True}, {"clean": False}, {"clean": False, "code": 1011})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_fifty_accounts_cut_at_random_end_equal_to_the_broker() -> None:
    """Thousands of operations of every kind, a socket cut every half second."""

    async def scene() -> None:
        rng = random.Random(11)
        loop = asyncio.get_running_loop()
        simulator = Simulator(
            accounts=ACCOUNTS, seed=11, activity=EVENTS_A_SECOND, clock=virtual.nanosecond_clock
        )
        async with simulator, fleet(simulator, virtual.world(11)) as running:
            labels = list(simulator.exchange.labels)
            await running.until(running.all_synced)
            while loop.time() < DISORDER_S:
                await asyncio.sleep(rng.uniform(0.1, 0.9))
                cut = {"kind": "cut", "account": rng.choice(labels), **rng.choice(CUTS)}
                await running.fault(**cut)
            simulator.set_activity(0)
            await running.until(running.all_synced, within_s=200)
            await asyncio.sleep(LAG_S + TRAILING_S)
            await running.until(running.settled)
            told = sum(n for name, n in running.daemon.store.counts.items() if "events." in name)
            lost = sum(n for name, n in running.daemon.store.counts.items() if "link_lost" in name)
            assert told > 3000
            assert lost > 40
            for label in labels:
                assert await unequal(running, label) == []

    with capture_logs():
        virtual.run(scene)
