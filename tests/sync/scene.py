"""A small fleet in virtual time for tests of one account's life."""

from collections.abc import Awaitable, Callable, Mapping

from realtime.simulator.app import Simulator
from realtime.simulator.faults.catalogue import parse_fault
from tests import virtual
from tests.fleet import Fleet, fleet


def play(
    act: Callable[[Fleet], Awaitable[None]],
    *,
    accounts: int = 2,
    live_first: bool = True,
    before: Mapping[str, object] | None = None,
    numbers: Mapping[str, str] | None = None,
) -> None:
    """Start simulator and daemon, wait until all is settled, then act. `before`: a fault from the
    beginning, with which nothing is waited for."""

    async def scene() -> None:
        simulator = Simulator(accounts=accounts, seed=5, clock=virtual.nanosecond_clock)
        async with simulator:
            if before is not None:
                simulator.faults.add(parse_fault(dict(before)))
            async with fleet(simulator, virtual.world(5), numbers=numbers) as running:
                if live_first and before is None:
                    await running.until(running.settled)
                await act(running)

    virtual.run(scene)
