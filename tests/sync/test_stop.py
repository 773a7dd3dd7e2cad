"""A stop that comes in the same moment as something else."""

import asyncio
from contextlib import suppress

from realtime.runtime.account_tasks import STOP_TIMEOUT_S, stop_tasks
from realtime.simulator.app import Simulator
from tests import virtual
from tests.fleet import fleet


def test_a_stop_in_the_moment_of_a_loss_is_not_lost() -> None:
    """Broker and daemon go together: every task ends, none goes on to reconnect."""

    async def scene() -> float:
        loop = asyncio.get_running_loop()
        async with Simulator(accounts=3, seed=5, clock=virtual.nanosecond_clock) as simulator:
            async with fleet(simulator, virtual.world(5)) as running:
                await running.until(running.all_synced)
                await running.fault(kind="cut")
                began = loop.time()
            return loop.time() - began

    assert virtual.run(scene) <= STOP_TIMEOUT_S


def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    """As a TaskGroup does before Python 3.13, when it ends by an error in the same moment."""

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
