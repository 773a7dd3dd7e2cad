"""Lookups for clients: a budget of their own, and unknown ids that are remembered for a while."""

import asyncio

import pytest

from realtime.orders.errors import Declined
from realtime.orders.order_lookup import BURST, INTERVAL_S, UNKNOWN_TTL_S
from tests.orders.trading import ANYONE, TradingSetup, broker, order, trading
from tests.virtual import run


async def find(setup: TradingSetup, client_order_id: str, label: str = "alpha") -> str:
    try:
        found = await setup.gateway.find(label, client_order_id, ANYONE)
    except Declined as error:
        return error.code
    return "none" if found is None else "found"


def test_lookups_are_limited_for_each_account() -> None:
    async def main() -> None:
        async with broker(accounts=2) as simulator, trading(simulator) as setup:
            results = [await find(setup, f"u-{n}") for n in range(BURST + 1)]
            assert results == ["none"] * BURST + ["budget_spent"]
            assert await find(setup, "u", "bravo") == "none"
            await asyncio.sleep(INTERVAL_S)
            assert [await find(setup, f"v-{n}") for n in range(2)] == ["none", "budget_spent"]

    run(main)


def test_a_refused_lookup_says_when_to_retry() -> None:
    async def main() -> float | None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            for n in range(BURST):
                await find(setup, f"u-{n}")
            with pytest.raises(Declined) as error:
                await setup.gateway.find("alpha", "late", ANYONE)
            return error.value.retry_after_s

    retry_after_s = run(main)
    assert retry_after_s is not None
    assert 0 < retry_after_s <= INTERVAL_S


def test_an_unknown_id_costs_one_request_in_a_while() -> None:
    async def main() -> list[int]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            counts = []
            for _ in range(3):
                assert await find(setup, "u-1") == "none"
                counts.append(setup.posts("alpha"))
            await asyncio.sleep(UNKNOWN_TTL_S + 1)
            await find(setup, "u-1")
            return [*counts, setup.posts("alpha")]

    assert run(main) == [1, 1, 1, 2]


def test_an_order_of_ours_is_found_at_once() -> None:
    """What was unknown before it was placed here is not remembered as unknown."""

    async def main() -> list[str]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            before = await find(setup, "o-1")
            await setup.place(order(client_order_id="o-1"))
            return [before, await find(setup, "o-1")]

    assert run(main) == ["none", "found"]
