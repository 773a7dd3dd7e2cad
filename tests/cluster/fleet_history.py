"""One history of a fleet, drawn from a seed: daemons that are killed, stopped, drained and cut off,
an engine that loses answers and carries changes out late, and callers that repeat their orders at
any daemon until they have an answer. The broker notes who sent what.

    python -m tests.cluster.fleet_history 0 100
"""

import asyncio
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import aiohttp
from msgspec import Struct

from realtime.cluster.etcd_keys import AssignmentValue, IntentValue, Keys, decode
from tests.cluster.several import Sent, Several, play

KEYS = Keys("main")

SECONDS = 60.0
"""Of trouble; then everything heals."""

ORDERS = 120

SETTLED_WITHIN_S = 240.0
"""A slot of 9 s, a backoff after several failures, and two comparisons."""

TRAVEL_S = 0.06
"""The longest way from a daemon to the broker where nothing is stalled."""

REPEAT_S = (0.05, 2.0)


class Placing(Struct):
    """One order of a caller."""

    account: str
    client_order_id: str
    answers: list[str] = []
    is_placed: bool = False


class History:
    """What happens, and what must hold."""

    def __init__(self, seed: int, orders: int = ORDERS) -> None:
        self.seed = seed
        self.order_count = orders
        self.rng = Random(f"fleet:{seed}")
        self.names = ("beta", "gamma", "delta")[: self.rng.choice((2, 2, 3))]
        self.has_stalls = seed % 4 == 3
        """Then a request may arrive long after it has left."""
        self.figures: Counter[str] = Counter()
        self.orders: list[Placing] = []

    def play(self) -> None:
        """Live through it. Raises `AssertionError` where a promise is broken."""
        accounts = self.rng.choice((2, 3, 4))
        play(self._live, accounts=accounts, seed=self.seed, slot_s=9.0, daemons=self.names)

    async def _live(self, several: Several) -> None:
        await several.start(*self.names)
        await several.until(several.all_synced, 30)
        started_at = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.order_count):
                tasks.create_task(self._call(several, number, started_at))
            tasks.create_task(self._trouble(several, started_at))
        self._check(several)
        for name in self.names:
            if name not in several.daemons:
                await several.start(name)
        await several.until(several.all_synced, SETTLED_WITHIN_S)
        self._check(several)

    # callers

    async def _call(self, several: Several, number: int, started_at: float) -> None:
        """Place one order, at any daemon, until it is placed."""
        rng = Random(f"{self.seed}:order:{number}")
        await asyncio.sleep(rng.uniform(0.0, SECONDS))
        order = Placing(account=rng.choice(several.labels), client_order_id=f"order-{number}")
        self.orders.append(order)
        deadline = started_at + SECONDS + SETTLED_WITHIN_S
        while not order.is_placed and asyncio.get_running_loop().time() < deadline:
            names = list(several.daemons)
            if names:
                await self._try(several, rng.choice(names), order)
            if not order.is_placed:
                await asyncio.sleep(rng.uniform(*REPEAT_S))

    async def _try(self, several: Several, name: str, order: Placing) -> None:
        try:
            async with asyncio.timeout(30):
                reply = await several.order(name, order.account, order.client_order_id, force=True)
        except (aiohttp.ClientError, TimeoutError, KeyError, OSError):
            order.answers.append("none")
            return
        code = "placed" if reply.status == 200 else str(reply.json["code"])
        self.figures[f"answer.{code}"] += 1
        order.answers.append(code)
        order.is_placed = reply.status == 200

    # trouble

    async def _trouble(self, several: Several, started_at: float) -> None:
        rng, loop = self.rng, asyncio.get_running_loop()
        kinds: list[Callable[[Several], Coroutine[Any, Any, None]]] = [
            self._kill,
            self._stop,
            self._cut,
            self._engine_down,
            self._lossy,
            self._stale_watch,
            self._drain,
            self._lost_responses,
        ]
        if self.has_stalls:
            kinds += [self._stall, self._stall]
        while loop.time() < started_at + SECONDS:
            await asyncio.sleep(rng.uniform(0.5, 12.0))
            kind = rng.choice(kinds)
            self.figures[kind.__name__.strip("_")] += 1
            await kind(several)
        for client in several.clients.values():
            client.lost_answers = client.late = 0.0
            client.watch_delay_s = 0.002
        for name in self.names:
            if name not in several.daemons:
                await several.start(name)
        await asyncio.sleep(15)
        for name in self.names:  # a drained daemon claims nothing until it is started again
            await several.stop(name)
            await several.start(name)

    def _pick(self, several: Several) -> str | None:
        return self.rng.choice(sorted(several.daemons)) if several.daemons else None

    async def _kill(self, several: Several) -> None:
        name = self._pick(several)
        if name is not None:
            await several.kill(name, is_machine=self.rng.random() < 0.5)
            await asyncio.sleep(self.rng.uniform(0.0, 15.0))
            await several.start(name)

    async def _stop(self, several: Several) -> None:
        name = self._pick(several)
        if name is not None:
            await several.stop(name)
            await asyncio.sleep(self.rng.uniform(0.0, 5.0))
            await several.start(name)

    async def _cut(self, several: Several) -> None:
        name = self._pick(several)
        if name is not None:
            # Mostly for about as long as a lease: it comes back just as others claim.
            seconds = self.rng.uniform(4.0, 8.0)
            if self.rng.random() < 0.3:
                seconds = self.rng.uniform(0.5, 50.0)
            several.cut_from_engine(name, seconds)

    async def _engine_down(self, several: Several) -> None:
        several.model.go_down(self.rng.uniform(0.5, 8.0))

    async def _lossy(self, several: Several) -> None:
        for client in several.clients.values():
            client.lost_answers = self.rng.choice((0.0, 0.1, 0.4))
            client.late = self.rng.choice((0.0, 0.1, 0.3))

    async def _stale_watch(self, several: Several) -> None:
        name = self._pick(several)
        if name is not None:
            several.clients[name].watch_delay_s = self.rng.choice((0.002, 1.0, 8.0))

    async def _drain(self, several: Several) -> None:
        name = self._pick(several)
        engine = None if name is None else several.daemons[name].engine
        if engine is not None and engine.ownership is not None:
            try:
                await engine.ownership.drain()
            except Exception:  # noqa: BLE001 - the engine may be down: it is tried again by a person
                self.figures["drain_refused"] += 1

    async def _lost_responses(self, several: Several) -> None:
        kind = self.rng.choice(("accepted_but_504", "no_answer", "latency"))
        fault: dict[str, object] = {"kind": kind, "method": "POST", "for_s": 5.0}
        if kind == "latency":
            fault |= {"seconds": 1.0, "jitter_s": 3.0}
        await several.post_fault(**fault)

    async def _stall(self, several: Several) -> None:
        """What a daemon sends on one account's connection arrives seconds later."""
        name = self._pick(several)
        if name is not None:
            label = self.rng.choice(several.labels)
            path = several.network.paths[f"{name}/{label}", "rest"]
            path.stalled_until = asyncio.get_running_loop().time() + self.rng.uniform(1.0, 15.0)

    # what must hold

    def _check(self, several: Several) -> None:
        sent: dict[tuple[str, str], list[Sent]] = defaultdict(list)
        for item in several.broker.sent:
            sent[item.account, item.client_order_id].append(item)
            self.figures["sent"] += 1
        for key, items in sent.items():
            # 1. No id twice. After a definite refusal of the broker the same id may come again.
            has_left = False
            for item in items:
                assert not has_left, f"{key} was sent twice: {items}"
                has_left = item.status < 400 or item.status >= 500
        for order in self.orders:
            count = several.ids_at_broker(order.account).count(order.client_order_id)
            # 2. What was answered as placed is there, once; nothing is there twice.
            assert count <= 1, f"{order} is at the broker {count} times"
            assert count == 1 or not order.is_placed, f"{order} was answered as placed"
            self.figures["placed"] += order.is_placed
        self._check_owners(several)

    def _check_owners(self, several: Several) -> None:
        """3. Each order was sent by the owner of its epoch, and epochs never go back: an order of a
        former owner that arrives after one of its successor left before the claim."""
        epochs: dict[tuple[str, str], int] = {}
        for _, key, pair in several.model.history:
            if key.startswith(KEYS.all_intents) and pair is not None:
                value = decode(pair.value, IntentValue)
                assert value is not None, "every intent can be read"
                epochs[value.intent.account, value.intent.client_order_id] = value.epoch
        highest: Counter[str] = Counter()
        for item in several.broker.sent:
            epoch = epochs.get((item.account, item.client_order_id))
            assert epoch is not None, f"{item} was sent without an intent"
            if epoch < highest[item.account]:
                self.figures["late"] += 1
                assert self.has_stalls, f"{item} of epoch {epoch} came after a higher one"
            highest[item.account] = max(highest[item.account], epoch)
            if not self.has_stalls:
                owner = self._owner_at(several, item.account, item.at - TRAVEL_S, item.at)
                assert item.daemon in owner, f"{item} was sent while {owner} owned the account"

    def _owner_at(
        self, several: Several, account: str, begin: float, end: float
    ) -> set[str | None]:
        """Return the owners of an account at any moment of a time."""
        owners: set[str | None] = set()
        before: str | None = None
        for at, key, pair in several.model.timeline:
            if key != KEYS.assignment(account):
                continue
            value = None if pair is None else decode(pair.value, AssignmentValue)
            owner = None if value is None else value.owner
            if at <= begin:
                before = owner
            elif at <= end:
                owners.add(owner)
        owners.add(before)
        return owners


def main() -> None:
    """Play the seeds from the first argument up to the second."""
    first, last = int(sys.argv[1]), int(sys.argv[2])
    figures: Counter[str] = Counter()
    broken = []
    started_at = time.process_time()
    for seed in range(first, last):
        history = History(seed)
        try:
            history.play()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            broken.append(seed)
            print(f"seed {seed}: {_describe(error)}", flush=True)
        figures += history.figures
    took_s = time.process_time() - started_at
    print(f"{last - first} histories, {len(broken)} broken: {broken}; {took_s:.0f} s of processor")
    print(dict(sorted(figures.items())))


def _describe(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    lines = traceback.format_exception(error)
    return "".join(lines[-3:])


if __name__ == "__main__":
    main()
