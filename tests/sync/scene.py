"""A small fleet and a simulator in virtual time."""

from collections.abc import Awaitable, Callable, Mapping

from realtime.simulator.app import Simulator
from realtime.simulator.faults.catalogue import parse_fault
from tests import virtual
from tests.fleet import Fleet, fleet


def play(
    act: Callable[[Fleet], Awaitable[None]],
    *,
    accounts: int = 2,
    synced_first: bool = True,
    before: Mapping[str, object] | None = None,
    numbers: Mapping[str, str] | None = None,
    initial_balance: str | None = None,
) -> None:
    """Start simulator and daemon, wait until all accounts are settled, then act.

    `before` is a fault from the start; then the test does its own waiting.
    """

    async def scene() -> None:
        simulator = Simulator(accounts=accounts, seed=5, clock=virtual.nanosecond_clock)
        async with simulator:
            if before is not None:
                simulator.faults.add(parse_fault(dict(before)))
            async with fleet(
                simulator, virtual.world(5), numbers=numbers, initial_balance=initial_balance
            ) as running:
                if synced_first and before is None:
                    await running.until(running.settled)
                await act(running)

    virtual.run(scene)
