"""Closes against a broker that is slow, lags and fills in parts: never more than is held."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest

from realtime.orders.errors import Declined, Unresolved
from realtime.orders.order_request import OrderChanges, Placement
from realtime.orders.results import Placed
from tests.orders.trading import TradingSetup, broker, order, trading
from tests.virtual import run

HELD = 100
SEEDS = range(30)

FAULTS: list[dict[str, object]] = [
    {"kind": "latency", "seconds": 0.1},
    {"kind": "latency", "seconds": 0.4, "jitter_s": 0.4, "method": "POST"},
    {"kind": "latency", "seconds": 2.0, "jitter_s": 2.0, "method": "GET", "path": "/v2/positions"},
    {"kind": "lagging_positions", "seconds": 8},
    {"kind": "accepted_but_504", "method": "POST", "count": 2},
    {"kind": "no_answer", "method": "POST", "performed": True, "count": 1},
    {"kind": "server_error", "method": "POST", "count": 2},
]


def held(setup: TradingSetup) -> Decimal:
    rows = setup.simulator.exchange.positions("alpha")
    return sum((Decimal(str(row["qty"])) for row in rows), Decimal())


async def watch(setup: TradingSetup, lowest: list[Decimal]) -> None:
    while True:
        lowest[0] = min(lowest[0], held(setup))
        await asyncio.sleep(0.05)


Route = Callable[[TradingSetup, random.Random], Awaitable[Placed]]


async def close_all(setup: TradingSetup, _: random.Random) -> Placed:
    return await setup.close_position("alpha", "AMD")


async def close_part(setup: TradingSetup, rng: random.Random) -> Placed:
    return await setup.close_position("alpha", "AMD", qty=Decimal(rng.randint(1, 60)))


async def sell_to_close(setup: TradingSetup, rng: random.Random) -> Placed:
    intent = {"position_intent": "sell_to_close", "side": "sell", "symbol": "AMD"}
    return await setup.place(order(qty=str(rng.randint(1, 60)), **intent))


async def rest_to_close(setup: TradingSetup, rng: random.Random) -> Placed:
    """A limit that does not fill: what it holds is not left for others."""
    limit = {"type": "limit", "limit_price": "9999", "time_in_force": "gtc"}
    intent = {"position_intent": "sell_to_close", "side": "sell", "symbol": "AMD"}
    return await setup.place(order(qty=str(rng.randint(1, 20)), **limit, **intent))


ROUTES: list[Route] = [close_all, close_part, close_part, sell_to_close, rest_to_close]


async def try_route(route: Route, setup: TradingSetup, rng: random.Random) -> str:
    try:
        await route(setup, rng)
    except Declined as error:
        return error.code
    except Unresolved:
        return "order_unknown"
    return "placed"


@pytest.mark.slow
def test_closes_of_every_route_never_cross_zero() -> None:
    async def main(seed: int) -> Counter[str]:
        rng = random.Random(seed)
        async with (
            broker(accounts=1, seed=seed, requests_per_minute=100_000) as simulator,
            trading(simulator, seed=seed) as setup,
        ):
            await setup.place(order(symbol="AMD", qty=str(HELD)))
            await asyncio.sleep(30)
            assert held(setup) == HELD
            for fault in rng.sample(FAULTS, 2):
                simulator.add_fault(fault)
            lowest = [held(setup)]
            watcher = asyncio.create_task(watch(setup, lowest))
            results: Counter[str] = Counter()
            async with asyncio.TaskGroup() as tasks:
                running = []
                for _ in range(14):
                    await asyncio.sleep(rng.choice([0, 0.05, 0.3, 3.0, 12.0]))
                    route = rng.choice(ROUTES)
                    running.append(tasks.create_task(try_route(route, setup, rng)))
            await asyncio.sleep(60)
            watcher.cancel()
            results.update(task.result() for task in running)
            assert lowest[0] >= 0, (seed, lowest, results)
            return results

    results: Counter[str] = Counter()
    for seed in SEEDS:
        results += run(lambda seed=seed: main(seed))  # type: ignore[misc]  # the loop's own value
    assert results["placed"] > 2 * len(SEEDS), results
    assert results["position_unsettled"] > len(SEEDS), results


@pytest.mark.parametrize("clicks", [2, 8])
def test_closing_twice_at_once_sells_once(clicks: int) -> None:
    async def main() -> tuple[Counter[str], Decimal]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(symbol="AMD", qty=str(HELD)))
            await asyncio.sleep(20)
            simulator.add_fault({"kind": "latency", "seconds": 0.4})
            rng = random.Random(1)
            results = await asyncio.gather(
                *(try_route(close_all, setup, rng) for _ in range(clicks))
            )
            await asyncio.sleep(20)
            return Counter(results), held(setup)

    assert run(main) == (Counter(placed=1, position_unsettled=clicks - 1), Decimal(0))


def test_a_sale_in_flight_counts_for_a_close() -> None:
    """A plain order is not limited, and is counted: a close after it sells only the rest."""

    async def main() -> tuple[str, Decimal]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(symbol="AMD", qty=str(HELD)))
            await asyncio.sleep(20)
            simulator.add_fault({"kind": "latency", "seconds": 0.4})
            sale = asyncio.create_task(setup.place(order(symbol="AMD", qty=str(HELD), side="sell")))
            await asyncio.sleep(0.05)
            result = await try_route(close_all, setup, random.Random(1))
            await sale
            await asyncio.sleep(20)
            return result, held(setup)

    assert run(main) == ("position_unsettled", Decimal(0))


LOW, HIGH = "NVDA261120C00200000", "NVDA261120C00210000"


def spread(qty: int, intent: str = "sell_to_close", ratio: int = 1) -> Placement:
    """A multi-leg order that sells a leg and buys another."""
    legs = [
        {"symbol": LOW, "position_intent": intent, "ratio_qty": str(ratio)},
        {"symbol": HIGH, "position_intent": "buy_to_open", "ratio_qty": "1"},
    ]
    return order(symbol=None, side=None, order_class="mleg", qty=str(qty), legs=legs)


async def hold_options(setup: TradingSetup, qty: int) -> None:
    setup.simulator.exchange.set_price(LOW, "6.30")
    setup.simulator.exchange.set_price(HIGH, "3.10")
    await setup.place(order(symbol=LOW, qty=str(qty)))
    await asyncio.sleep(20)


def held_of(setup: TradingSetup, symbol: str) -> Decimal:
    rows = setup.simulator.exchange.positions("alpha")
    return sum((Decimal(str(row["qty"])) for row in rows if row["symbol"] == symbol), Decimal())


@pytest.mark.parametrize("intent", ["sell_to_close", "sell_to_open"])
def test_a_leg_in_flight_counts_for_a_close(intent: str) -> None:
    """Whether it is marked as closing or not: the close after it sells only the rest."""

    async def main() -> tuple[str, Decimal]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await hold_options(setup, 4)
            simulator.add_fault({"kind": "latency", "seconds": 0.4, "method": "POST"})
            sale = asyncio.create_task(setup.place(spread(4, intent)))
            await asyncio.sleep(0.05)
            code = "placed"
            try:
                await setup.close_position("alpha", LOW)
            except Declined as error:
                code = error.code
            with suppress(Declined):
                await sale
            await asyncio.sleep(20)
            return code, held_of(setup, LOW)

    code, left = run(main)
    assert code == "position_unsettled"
    assert left >= 0


def test_legs_that_close_sell_no_more_than_is_held() -> None:
    async def main() -> tuple[list[str], Decimal]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await hold_options(setup, 4)
            simulator.add_fault({"kind": "latency", "seconds": 0.4, "method": "POST"})

            async def place(request: Placement) -> str:
                try:
                    await setup.place(request)
                except Declined as error:
                    return error.code
                return "placed"

            codes = [
                await place(spread(5)),
                await place(spread(3, ratio=2)),
                *await asyncio.gather(*(place(spread(1, ratio=2)) for _ in range(3))),
            ]
            await asyncio.sleep(20)
            return codes, held_of(setup, LOW)

    codes, left = run(main)
    assert codes == ["invalid_order", "invalid_order", "placed", "placed", "position_unsettled"]
    assert left == 0


def test_legs_before_a_restart_count_after_it(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"

    async def main() -> tuple[str, Decimal]:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, journal=path) as setup:
                await hold_options(setup, 4)
                simulator.add_fault({"kind": "lagging_positions", "seconds": 9})
                await asyncio.sleep(1)
                await setup.place(spread(2, ratio=2))
            async with trading(simulator, seed=2, journal=path) as setup:
                code = "placed"
                try:
                    await setup.close_position("alpha", LOW)
                except Declined as error:
                    code = error.code
                await asyncio.sleep(20)
                return code, held_of(setup, LOW)

    assert run(main) == ("position_unsettled", Decimal(0))


def test_the_same_close_with_its_key_is_joined() -> None:
    async def main() -> tuple[int, Decimal]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(symbol="AMD", qty=str(HELD)))
            await asyncio.sleep(20)
            simulator.add_fault({"kind": "latency", "seconds": 0.4})
            placed = await asyncio.gather(
                *(setup.close_position("alpha", "AMD", key="k") for _ in range(4))
            )
            await asyncio.sleep(20)
            return len({p.order.id for p in placed}), held(setup)

    assert run(main) == (1, Decimal(0))


def test_an_order_marked_as_closing_sells_no_more_than_is_held() -> None:
    async def main() -> list[str]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(symbol="AMD", qty="10"))
            await asyncio.sleep(20)
            codes = []
            intent = {"symbol": "AMD", "side": "sell", "position_intent": "sell_to_close"}
            for more in (
                {**intent, "qty": "11"},
                {**intent, "qty": None, "notional": "10"},
                {**intent, "symbol": "MSFT"},
                {**intent, "side": "buy", "position_intent": "buy_to_close"},
                {**intent, "qty": "10"},
            ):
                try:
                    await setup.place(order(**more))
                except Declined as error:
                    codes.append(error.code)
            await asyncio.sleep(20)
            assert held(setup) == 0
            return codes

    assert run(main) == ["invalid_order", "invalid_order", "broker_knows_not", "invalid_order"]


def test_a_closing_order_cannot_be_made_larger() -> None:
    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(symbol="AMD", qty="10"))
            await asyncio.sleep(20)
            resting = await rest_to_close(setup, random.Random(1))
            with pytest.raises(Declined, match="cannot be made larger"):
                await setup.replace("alpha", resting.order.id, OrderChanges(qty=Decimal(99)))

    run(main)


def test_closes_before_a_restart_count_after_it(tmp_path: Path) -> None:
    """The journal shows the close; the list still shows the position."""
    path = tmp_path / "orders.jsonl"

    async def main() -> Decimal:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, journal=path) as setup:
                await setup.place(order(symbol="AMD", qty=str(HELD)))
                await asyncio.sleep(20)
                simulator.add_fault({"kind": "lagging_positions", "seconds": 9})
                await asyncio.sleep(1)
                await setup.close_position("alpha", "AMD")
            async with trading(simulator, seed=2, journal=path) as setup:
                results = []
                for _ in range(12):
                    results.append(await try_route(close_all, setup, random.Random(1)))
                    await asyncio.sleep(1)
                assert set(results) <= {"position_unsettled", "broker_knows_not"}
                return held(setup)

    assert run(main) == 0
