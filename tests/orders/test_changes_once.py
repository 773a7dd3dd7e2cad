"""Every kind of call, each insisted on, through faults, lost answers and restarts: done once."""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct

from realtime.orders.errors import Declined, Unresolved
from realtime.orders.order_request import OrderChanges
from realtime.orders.results import Placed
from realtime.simulator.app import Simulator
from tests.orders.test_never_twice import FAULTS
from tests.orders.trading import TradingSetup, broker, order, trading
from tests.virtual import run

CALLS = 7
HELD = 100
SEEDS = range(25)
TRIES = 300
"""Every 3 s: nine answers of 429 in a row take the account's budget for nine minutes."""
FINAL = ("broker_forbids", "broker_refuses", "broker_knows_not", "invalid_order")
"""Refusals after which nobody insists."""


class Deed(Struct):
    """One thing that somebody wants, and what came of it."""

    kind: str
    key: str
    of: str = ""
    """The order that it is about."""
    placed: list[Placed] = []
    refused: str | None = None
    is_restarted: bool = False


async def do(setup: TradingSetup, deed: Deed) -> list[Placed]:
    key = deed.key
    match deed.kind:
        case "place":
            return [await setup.place(order(type="limit", limit_price="1"), key=key)]
        case "batch":
            wishes = [order(symbol=s, type="limit", limit_price="1") for s in ("MSFT", "KO")]
            outcomes = await setup.place_all(wishes, key=key)
            for outcome in outcomes:
                if not isinstance(outcome, Placed):
                    raise outcome
            return [each for each in outcomes if isinstance(each, Placed)]
        case "close":
            return [await setup.close_position("alpha", "GLD", qty=Decimal(5), key=key)]
        case "close all":
            return [await setup.close_position("alpha", "WMT", key=key)]
        case "replace":
            changes = OrderChanges(limit_price=Decimal(2))
            return [await setup.replace("alpha", deed.of, changes, key=key)]
        case _:
            await setup.cancel("alpha", deed.of)
            return []


async def insist(setup: TradingSetup, deed: Deed) -> None:
    for _ in range(TRIES):
        try:
            deed.placed = await do(setup, deed)
        except Declined as error:
            if error.code in FINAL:
                deed.refused = error.code
                return
            await asyncio.sleep(error.retry_after_s or 1)
        except Unresolved:
            await asyncio.sleep(3)
        else:
            return
    raise AssertionError(f"{deed.kind} never came through")


def trouble(simulator: Simulator, rng: random.Random) -> None:
    if rng.random() < 0.8 and len(simulator.faults.list_active()) < 3:
        fault = rng.choice(list(FAULTS.values()))
        method = rng.choice(["POST", "POST", "PATCH", "DELETE", "GET"])
        simulator.add_fault({**fault, "method": method, "count": rng.randint(1, 3)})


async def restarted(task: "asyncio.Task[None]", rng: random.Random) -> bool:
    """Whether the gateway was ended in the middle of it."""
    await asyncio.wait([task], timeout=rng.uniform(0, 4))
    if task.done():
        return False
    task.cancel()
    await asyncio.wait([task])
    return True


def wanted(rng: random.Random, done: list[Deed], key: str) -> Deed:
    resting = [d.placed[0].order.id for d in done if d.kind in ("place", "replace") and d.placed]
    replaced = {d.of for d in done}
    working = [order_id for order_id in resting if order_id not in replaced]
    kinds = ["place", "batch", "close", "close all"] + ["replace", "cancel"] * 2 * bool(working)
    kind = rng.choice(kinds)
    if kind == "close all" and any(d.kind == kind for d in done):
        kind = "close"
    return Deed(kind, key, rng.choice(working) if kind in ("replace", "cancel") else "")


async def history(seed: int, journal: Path) -> Counter[str]:
    """One account, some calls, all that can go wrong; in the end the books are compared."""
    rng = random.Random(seed)
    counted: Counter[str] = Counter()
    done: list[Deed] = []
    async with broker(accounts=1, seed=seed, requests_per_minute=100_000) as simulator:
        for symbol in ("GLD", "WMT"):
            simulator.exchange.submit("alpha", own(symbol))
        await asyncio.sleep(30)
        before = {str(row["id"]) for row in listed(simulator)}
        deed = None
        while len(done) < CALLS:
            counted["starts"] += 1
            async with trading(simulator, seed=rng.getrandbits(32), journal=journal) as setup:
                while len(done) < CALLS:
                    deed = deed or wanted(rng, done, f"k-{len(done)}")
                    trouble(simulator, rng)
                    task = asyncio.create_task(insist(setup, deed))
                    if not deed.is_restarted and rng.random() < 0.4:
                        deed.is_restarted = True
                        if await restarted(task, rng):
                            break
                    await task
                    done.append(deed)
                    deed = None
        simulator.faults.clear()
        await asyncio.sleep(60)
        compare(simulator, done, before)
    for each in done:
        counted[each.kind] += 1
        counted["refused"] += each.refused is not None
        counted["asked"] += sum(p.how != "confirmed" for p in each.placed)
    return counted


def own(symbol: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "qty": str(HELD),
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
    }


def listed(simulator: Simulator) -> list[dict[str, object]]:
    return simulator.exchange.orders("alpha", {"status": "all", "limit": "500"})


def compare(simulator: Simulator, done: list[Deed], before: set[str]) -> None:
    """Exactly the orders that callers were told of are there, and what they did was done once."""
    told = [placed.order.id for deed in done for placed in deed.placed]
    there = {str(row["id"]): row for row in listed(simulator) if str(row["id"]) not in before}
    assert sorted(told) == sorted(there)
    held = {str(row["symbol"]): str(row["qty"]) for row in simulator.exchange.positions("alpha")}
    closed = sum(5 for deed in done if deed.kind == "close" and deed.placed)
    gone = any(deed.kind == "close all" and deed.placed for deed in done)
    assert held == {"GLD": str(HELD - closed)} | ({} if gone else {"WMT": str(HELD)})
    for deed in done:
        if deed.kind == "cancel" and deed.refused is None:
            assert there[deed.of]["status"] == "canceled"
        if deed.kind == "replace" and deed.placed:
            assert there[deed.of]["replaced_by"] == deed.placed[0].order.id


def play(seed: int, journal: Path) -> Counter[str]:
    return run(partial(history, seed, journal), limit_s=36_000)


def test_every_kind_of_call(tmp_path: Path) -> None:
    told: Counter[str] = Counter()
    for seed in SEEDS:
        told += play(seed, tmp_path / f"{seed}.jsonl")
    assert told["starts"] > 1.5 * len(SEEDS)
    for kind in ("place", "batch", "close", "close all", "replace", "cancel"):
        assert told[kind] > 10, told
    assert told["asked"] > 20, told
    assert told["refused"] < len(SEEDS), told


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thousands_of_histories(tmp_path: Path) -> None:
    for seed in range(1000, 2000):
        play(seed, tmp_path / f"{seed}.jsonl")
