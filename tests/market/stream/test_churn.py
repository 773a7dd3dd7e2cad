"""10 000 random subscribes and departures of 50 clients: the union is their sum, always."""

import asyncio
import random
from collections import Counter

import pytest

from realtime.market.stream.union import LINGER_S
from realtime.simulator.faults.catalogue import parse_fault
from tests.market.stream.scene import IEX, Client, Scene, in_virtual_time

CLIENTS, STEPS = 50, 10_000
NAMES = [f"S{number}" for number in range(60)] + ["*"]
CHANNELS = ("trades", "quotes", "bars", "statuses")


def check(scene: Scene, clients: list[Client | None]) -> None:
    """Union = sum of the clients; each client has what its last ack says."""
    hub = scene.streams.hubs[IEX]
    sums = Counter(pair for client in clients if client for pair in client.session.client.pairs)
    assert hub.union.used == set(sums)
    assert hub.clients == sum(client is not None for client in clients)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_union_is_the_sum_of_the_clients_and_what_the_broker_has(seed: int) -> None:
    async def main(scene: Scene) -> None:
        rng = random.Random(seed)
        clients: list[Client | None] = [None] * CLIENTS
        hub = scene.streams.get_hub(IEX)

        async def act(number: int) -> None:
            client = clients[number]
            if client is None:
                clients[number] = await scene.client()
                return
            if rng.random() < 0.05:
                client.session.close()
                clients[number] = None
                return
            names = {c: rng.sample(NAMES, rng.randint(1, 6)) for c in rng.sample(CHANNELS, 2)}
            before = client.session.client.pairs
            pairs = {(c, name) for c in names for name in names[c]}
            action = rng.choice(["subscribe", "subscribe", "unsubscribe"])
            await client.send(action=action, **names)
            expected = before | pairs if action == "subscribe" else before - pairs
            assert client.session.client.pairs == expected
            client.port.frames.clear()

        done = 0
        while done < STEPS:
            count = rng.randint(1, 8)
            async with asyncio.TaskGroup() as tasks:
                for number in rng.sample(range(CLIENTS), count):
                    tasks.create_task(act(number))
            done += count
            check(scene, clients)
            if rng.random() < 0.02:
                await asyncio.sleep(rng.random() * 40)
            if rng.random() < 0.002:
                scene.simulator.faults.add(parse_fault({"kind": "cut", "account": "alpha"}))
        await asyncio.sleep(LINGER_S + 20)
        await scene.until(lambda: hub.plan.acked == hub.union.wanted, within_s=200)
        check(scene, clients)
        assert hub.plan.acked == hub.union.used
        (session,) = scene.simulator.market_data.stream.sessions
        held = {(c, name) for c in CHANNELS for name in session.subscriptions.names(c)}
        assert held == hub.union.used
        assert hub.counts["differences"] == 0

    in_virtual_time(main, limit_s=100_000, step_s=None, accounts=1, settings=None, plan="plus")
