"""A stop that comes in the same moment as something else."""

import asyncio

from realtime.app import STOP_S
from realtime.simulator.app import Simulator
from tests import virtual
from tests.farm import farm


def test_a_stop_in_the_moment_of_a_loss_is_not_lost() -> None:
    """Broker and daemon go together: every task ends, none goes on to reconnect."""

    async def scene() -> float:
        loop = asyncio.get_running_loop()
        async with Simulator(accounts=3, seed=5, clock=virtual.nanosecond_clock) as simulator:
            async with farm(simulator, virtual.world(5)) as running:
                await running.until(running.all_live)
                await running.fault(kind="cut")
                began = loop.time()
            return loop.time() - began

    assert virtual.run(scene) <= STOP_S
