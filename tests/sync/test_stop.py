"""A stop at the same moment as something else."""

import asyncio
from contextlib import suppress

from realtime.runtime.account_tasks import STOP_TIMEOUT_S, stop_tasks
from realtime.simulator.app import Simulator
from tests import virtual
from tests.fleet import fleet


def test_stop_at_the_moment_of_a_lost_connection_is_obeyed() -> None:
    """Broker and daemon stop together: every task ends, none reconnects."""

    async def scene() -> float:
        loop = asyncio.get_running_loop()
        async with Simulator(accounts=3, seed=5, clock=virtual.nanosecond_clock) as simulator:
            async with fleet(simulator, virtual.world(5)) as running:
                await running.until(running.all_synced)
                await running.fault(kind="cut")
                began = loop.time()
            return loop.time() - began

    assert virtual.run(scene) <= STOP_TIMEOUT_S


def test_lost_cancellation_is_repeated() -> None:
    """A TaskGroup loses one before Python 3.13, when it ends by an error in the same moment."""

    async def loses_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)
        await asyncio.sleep(3600)

    async def scene() -> float:
        loop = asyncio.get_running_loop()
        task = loop.create_task(loses_one())
        await asyncio.sleep(1)
        began = loop.time()
        await stop_tasks([task])
        assert task.cancelled()
        return loop.time() - began

    assert virtual.run(scene) < STOP_TIMEOUT_S
