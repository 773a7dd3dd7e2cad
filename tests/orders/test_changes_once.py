"""Every kind of call, repeated through faults, lost responses and restarts: carried out once."""

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
"""Refusals after which a call is not repeated."""


class Call(Struct):
    """One call, and its results."""

    kind: str
    key: str
    of: str = ""
    """The order that it concerns."""
    placed: list[Placed] = []
    refused: str | None = None
    is_restarted: bool = False


async def do(setup: TradingSetup, call: Call) -> list[Placed]:
    key = call.key
    match call.kind:
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
            return [await setup.replace("alpha", call.of, changes, key=key)]
        case _:
            await setup.cancel("alpha", call.of)
            return []


async def repeat(setup: TradingSetup, call: Call) -> None:
    for _ in range(TRIES):
        try:
            call.placed = await do(setup, call)
        except Declined as error:
            if error.code in FINAL:
                call.refused = error.code
                return
            await asyncio.sleep(error.retry_after_s or 1)
        except Unresolved:
            await asyncio.sleep(3)
        else:
            return
    raise AssertionError(f"{call.kind} was never carried out")


def add_fault(simulator: Simulator, rng: random.Random) -> None:
    if rng.random() < 0.8 and len(simulator.faults.list_active()) < 3:
        fault = rng.choice(list(FAULTS.values()))
        method = rng.choice(["POST", "POST", "PATCH", "DELETE", "GET"])
        simulator.add_fault({**fault, "method": method, "count": rng.randint(1, 3)})


async def interrupt(task: "asyncio.Task[None]", rng: random.Random) -> bool:
    """Stop the call at a random moment; return whether it was still running."""
    await asyncio.wait([task], timeout=rng.uniform(0, 4))
    if task.done():
        return False
    task.cancel()
    await asyncio.wait([task])
    return True


def choose_call(rng: random.Random, done: list[Call], key: str) -> Call:
    resting = [d.placed[0].order.id for d in done if d.kind in ("place", "replace") and d.placed]
    replaced = {d.of for d in done}
    working = [order_id for order_id in resting if order_id not in replaced]
    kinds = ["place", "batch", "close", "close all"] + ["replace", "cancel"] * 2 * bool(working)
    kind = rng.choice(kinds)
    if kind == "close all" and any(d.kind == kind for d in done):
        kind = "close"
    return Call(kind, key, rng.choice(working) if kind in ("replace", "cancel") else "")


async def history(seed: int, journal: Path) -> Counter[str]:
    """One account, some calls, all faults; in the end compare the books."""
    rng = random.Random(seed)
    counted: Counter[str] = Counter()
    done: list[Call] = []
    async with broker(accounts=1, seed=seed, requests_per_minute=100_000) as simulator:
        for symbol in ("GLD", "WMT"):
            simulator.exchange.submit("alpha", make_order(symbol))
        await asyncio.sleep(30)
        before = {str(row["id"]) for row in listed(simulator)}
        call = None
        while len(done) < CALLS:
            counted["starts"] += 1
            async with trading(simulator, seed=rng.getrandbits(32), journal=journal) as setup:
                while len(done) < CALLS:
                    call = call or choose_call(rng, done, f"k-{len(done)}")
                    add_fault(simulator, rng)
                    task = asyncio.create_task(repeat(setup, call))
                    if not call.is_restarted and rng.random() < 0.4:
                        call.is_restarted = True
                        if await interrupt(task, rng):
                            break
                    await task
                    done.append(call)
                    call = None
        simulator.faults.clear()
        await asyncio.sleep(60)
        compare(simulator, done, before)
    for call in done:
        counted[call.kind] += 1
        counted["refused"] += call.refused is not None
        counted["recovered"] += sum(p.how != "confirmed" for p in call.placed)
    return counted


def make_order(symbol: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "qty": str(HELD),
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
    }


def listed(simulator: Simulator) -> list[dict[str, object]]:
    return simulator.exchange.orders("alpha", {"status": "all", "limit": "500"})


def compare(simulator: Simulator, done: list[Call], before: set[str]) -> None:
    """Exactly the reported orders exist, and each took effect once."""
    reported = [placed.order.id for call in done for placed in call.placed]
    there = {str(row["id"]): row for row in listed(simulator) if str(row["id"]) not in before}
    assert sorted(reported) == sorted(there)
    held = {str(row["symbol"]): str(row["qty"]) for row in simulator.exchange.positions("alpha")}
    closed = sum(5 for call in done if call.kind == "close" and call.placed)
    gone = any(call.kind == "close all" and call.placed for call in done)
    assert held == {"GLD": str(HELD - closed)} | ({} if gone else {"WMT": str(HELD)})
    for call in done:
        if call.kind == "cancel" and call.refused is None:
            assert there[call.of]["status"] == "canceled"
        if call.kind == "replace" and call.placed:
            assert there[call.of]["replaced_by"] == call.placed[0].order.id


def play(seed: int, journal: Path) -> Counter[str]:
    return run(partial(history, seed, journal), limit_s=36_000)


@pytest.mark.slow
def test_every_kind_of_call_is_carried_out_once(tmp_path: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in SEEDS:
        counts += play(seed, tmp_path / f"{seed}.jsonl")
    assert counts["starts"] > 1.5 * len(SEEDS)
    for kind in ("place", "batch", "close", "close all", "replace", "cancel"):
        assert counts[kind] > 10, counts
    assert counts["recovered"] > 20, counts
    assert counts["refused"] < len(SEEDS), counts


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_thousands_of_histories(tmp_path: Path) -> None:
    for seed in range(1000, 2000):
        play(seed, tmp_path / f"{seed}.jsonl")
