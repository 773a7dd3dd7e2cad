"""Twenty programs on one account: each gets every execution once, in one order, whatever happens to
the daemon's own connection."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.api.alpaca.client import STEPS, Client, trade
from tests.api.alpaca.test_trading_socket import Socket, listening

PROGRAMS = 20
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "cut"},
    {"kind": "drop", "count": 2},
    {"kind": "duplicate", "count": 3},
    {"kind": "reorder", "count": 2},
    {"kind": "delay", "seconds": 2.0, "count": 2},
    {"kind": "server_error", "status": 503, "count": 2},
)


async def read(connected: Socket, updates: list[Any]) -> None:
    """Read until cancelled."""
    while (update := await connected.receive(1e6)) is not None:
        updates.append(update)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_program_gets_every_execution_once_in_the_same_order(
    tmp_path: Path, seed: int
) -> None:
    async def scene(client: Client) -> None:
        rng = random.Random(seed)
        received: list[list[Any]] = [[] for _ in range(PROGRAMS)]
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            programs = [await stack.enter_async_context(listening(client)) for _ in received]
            tasks = [
                group.create_task(read(program, updates))
                for program, updates in zip(programs, received, strict=True)
            ]
            for _ in range(15):
                fault = rng.choice(FAULTS)
                await client.fleet.fault(**{"account": "alpha", **fault})
                for _ in range(rng.randrange(1, 4)):
                    client.fleet.buy("alpha", rng.choice(("AAPL", "KO")), str(rng.randrange(1, 9)))
                client.fleet.simulator.step(prices_move=False)
                await asyncio.sleep(rng.uniform(0, 3))
            async with client.fleet.http.delete(f"{client.fleet.simulator.url}/_sim/faults"):
                pass
            for _ in range(STEPS):
                client.fleet.simulator.step(prices_move=False)
            await asyncio.sleep(60)  # until every fault's delay is over
            await client.fleet.refresh("alpha")
            await client.fleet.until(client.fleet.settled, within_s=900)
            assert not any(task.done() for task in tasks), "none was disconnected"
            for task in tasks:
                task.cancel()
        assert all(updates == received[0] for updates in received)
        numbers = [update["seq"] for update in received[0]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        fills = [
            update["data"]["execution_id"]
            for update in received[0]
            if update["data"]["event"] in ("fill", "partial_fill")
        ]
        listed = (await client.there("GET", "/v2/account/activities/FILL?page_size=100")).json
        happened = {activity["id"].partition("::")[2] for activity in listed}
        assert len(fills) == len(set(fills))
        assert set(fills) == happened

    trade(scene, tmp_path)
