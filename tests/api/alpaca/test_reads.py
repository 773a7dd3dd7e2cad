"""Every answer from memory is the broker's own, byte for byte; all others come from the broker."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.api.alpaca.client import Client, trade
from tests.api.alpaca.order_books import place_random_orders, random_query

QUERIES = 300
MANY_QUERIES = 10_000


async def compare(client: Client, target: str) -> str:
    """Compare both answers; return where ours came from."""
    await asyncio.sleep(1.5)  # within the budget of what is passed on
    here, there = await client.here("GET", target), await client.there("GET", target)
    assert (here.status, here.body) == (there.status, there.body), target
    assert here.source in ("memory", "upstream")
    return here.source


async def compare_random_lists(client: Client, seed: int, queries: int, orders: int) -> float:
    """Compare lists of a random account; return the part that came from memory."""
    rng = random.Random(seed)
    place_random_orders(client.fleet, client.label, rng, orders)
    await client.settle()
    listed = client.at_broker()
    sources = [await compare(client, random_query(rng, listed)) for _ in range(queries)]
    for order in rng.sample(listed, 20):
        for nested in ("", "?nested=true", "?nested=False"):
            await compare(client, f"/v2/orders/{order['id']}{nested}")
        wanted = f"/v2/orders:by_client_order_id?client_order_id={order['client_order_id']}"
        await compare(client, wanted)
    return sources.count("memory") / len(sources)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_lists_equal_the_brokers(tmp_path: Path, seed: int) -> None:
    async def scene(client: Client) -> None:
        assert await compare_random_lists(client, seed, QUERIES, orders=60) > 0.2

    trade(scene, tmp_path)


def test_random_lists_of_a_long_history_equal_the_brokers(tmp_path: Path) -> None:
    """More orders than memory keeps: what reaches beyond it is passed on."""

    async def scene(client: Client) -> None:
        await compare_random_lists(client, 3, QUERIES, orders=900)

    trade(scene, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_random_lists_equal_the_brokers(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        await compare_random_lists(client, 4, MANY_QUERIES, orders=150)

    trade(scene, tmp_path)
