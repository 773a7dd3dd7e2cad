"""Killed with SIGKILL at any moment of an order: nothing twice, nothing lost, the journal readable.

Each round forks a process that opens the gateway on the same journal, sends again what the round
before left open, then new orders and closes, until it is killed. Every order has a price of its
own, so that a second one would show, whatever its id.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from realtime.accounts import Accounts
from realtime.config.settings import (
    AccountSettings,
    AlpacaSettings,
    OrdersSettings,
    ServerSettings,
    Settings,
)
from realtime.orders.errors import Declined, Unresolved
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator

MAX_LIFE_S = 0.25
HELD = 300
KEYS_AT_ONCE = 8


def fork(main: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Fork a process that runs `main` to its end; return its id."""
    if pid := os.fork():
        return pid
    with contextlib.suppress(BaseException):
        asyncio.run(main())
    os._exit(0)


async def serve(pipe: Connection) -> None:
    """Run the broker until its books are requested."""
    simulator = Simulator(accounts=1, activity=0, step_s=0.02, requests_per_minute=10**9)
    await simulator.start()
    async with simulator:
        order = {"symbol": "KO", "qty": str(HELD), "side": "buy", "type": "market"}
        simulator.exchange.submit("alpha", {**order, "time_in_force": "day"})
        pipe.send(simulator.port)
        while not pipe.poll():  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        orders = simulator.exchange._account("alpha").orders.values()
        rows = [(str(o.limit_price), o.side, str(o.filled_qty)) for o in orders]
        pipe.send(rows)
        pipe.send([str(row["qty"]) for row in simulator.exchange.positions("alpha")])


def make_settings(port: int, journal: Path) -> Settings:
    credentials = Credentials(key_id=Secret("demo-alpha"), secret_key=Secret("demo-secret-alpha"))
    account = AccountSettings(
        label="alpha", trading_url=f"http://127.0.0.1:{port}", credentials=credentials
    )
    return Settings(
        path=journal.with_name("accounts.toml"),
        server=ServerSettings(port=0),
        alpaca=AlpacaSettings(),
        orders=OrdersSettings(audit_log=journal),
        accounts=(account,),
    )


async def trade(port: int, journal: Path, keys: list[str], results: Connection) -> None:
    """Send every key until it is placed, several at once; report each."""
    async with Accounts(make_settings(port, journal), keeps_warm=False) as accounts:
        waiting = list(keys)

        async def send_all() -> None:
            while waiting:
                key = waiting.pop(0)
                while not await send(accounts, key):  # noqa: ASYNC110 - a retry
                    await asyncio.sleep(0.05)
                results.send(key)

        await asyncio.gather(*(send_all() for _ in range(KEYS_AT_ONCE)))


async def send(accounts: Accounts, key: str) -> bool:
    kind, _, number = key.partition("-")
    try:
        if kind == "close":
            await accounts.close_position("alpha", "KO", qty="1", key=key)
        else:
            await accounts.place_order(
                account_id="alpha", symbol="AMD", qty=1, side="buy", type="limit",
                limit_price=f"{int(number) / 100 + 1:.2f}", time_in_force="gtc", key=key,
            )  # fmt: skip
    except (Declined, Unresolved):
        return False
    return True


def run_rounds(tmp_path: Path, rounds: int, seed: int) -> Counter[str]:
    ours, theirs = Pipe()
    broker = fork(lambda: serve(theirs))
    try:
        return kill_and_compare(tmp_path / "orders.jsonl", rounds, random.Random(seed), ours)
    finally:
        os.kill(broker, signal.SIGKILL)
        os.waitpid(broker, 0)


def kill_and_compare(
    journal: Path, rounds: int, rng: random.Random, broker: Connection
) -> Counter[str]:
    """Run all rounds, then compare what was reported with the broker's books."""
    port = broker.recv()
    todo: list[str] = []
    placed: list[str] = []
    counts: Counter[str] = Counter()
    number = closes = 0
    for turn in range(rounds + 1):
        is_last = turn == rounds
        while len(todo) < 12 and not is_last:
            number += 1
            is_close = closes < HELD - 20 and rng.random() < 0.2
            closes += is_close
            todo.append(f"{'close' if is_close else 'limit'}-{number}")
        results, sender = Pipe(duplex=False)
        child = fork(lambda keys=list(todo), pipe=sender: trade(port, journal, keys, pipe))  # type: ignore[misc]
        sender.close()
        ends_at = time.monotonic() + (300 if is_last else rng.uniform(0.01, MAX_LIFE_S))
        while todo and (left_s := ends_at - time.monotonic()) > 0:
            with contextlib.suppress(EOFError):
                if results.poll(left_s):
                    key = results.recv()
                    todo.remove(key)
                    placed.append(key)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        counts["kills"] += 1
        with contextlib.suppress(EOFError):
            while results.poll():
                key = results.recv()
                todo.remove(key)
                placed.append(key)
    assert not todo, todo
    broker.send("books")
    rows, positions = broker.recv(), broker.recv()
    limits = Counter(price for price, side, _ in rows if side == "buy" and price != "None")
    sold = sum(float(filled) for _, side, filled in rows if side == "sell")
    counts["limits"], counts["closes"] = len(limits), int(sold)
    assert set(limits.values()) <= {1}, [price for price, n in limits.items() if n > 1]
    assert len(limits) == sum(key.startswith("limit") for key in placed)
    assert sold == sum(key.startswith("close") for key in placed)
    assert positions == [str(HELD - int(sold))]
    return counts


SLOW = [pytest.mark.slow, pytest.mark.timeout(3000)]
"""`KILLS=1000 scripts/test tests/orders/test_killed.py -m slow` takes four minutes when idle."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "rounds",
    [12, pytest.param(int(os.environ.get("KILLS", "100")), marks=SLOW)],
)
def test_killed_at_any_moment(tmp_path: Path, rounds: int) -> None:
    counts = run_rounds(tmp_path, rounds, seed=rounds)
    assert counts["kills"] == rounds + 1
    assert counts["limits"] > rounds / 4
