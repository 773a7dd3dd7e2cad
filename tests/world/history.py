"""One history: a schedule lived through by the real broker and the real daemon, and judged."""

import asyncio
import gc
import traceback
import warnings
from collections import Counter
from functools import partial
from random import Random
from typing import Any

import aiohttp
from msgspec import Struct

from realtime.simulator.exchange.engine import TradeUpdate
from realtime.store.records import Record
from tests.equality import unequal
from tests.fleet import Fleet
from tests.virtual import VirtualConnector
from tests.world import loop as world_loop
from tests.world import records
from tests.world.acts import Acts
from tests.world.agenda import Agenda
from tests.world.broker import Broker
from tests.world.clocks import Clocks
from tests.world.daemon import Keeper
from tests.world.deeds import Deeds
from tests.world.ledger import Ledger
from tests.world.network import Kind, Network
from tests.world.oracles.budget import Budget
from tests.world.oracles.fills import Fills
from tests.world.oracles.leftovers import check_ended, check_stopped, tasks_now
from tests.world.oracles.links import Links
from tests.world.oracles.patience import Patience
from tests.world.oracles.quiet import check_executions, is_settled, unconfirmed
from tests.world.oracles.reads import CLOSED_ORDERS, Reads
from tests.world.oracles.state import States
from tests.world.oracles.violation import Violation
from tests.world.schedule import Act, Schedule
from tests.world.trace import Trace

STEP_S = 0.6
"""How often accounts trade and prices move."""

READ_S = (0.2, 2.0)
"""Pauses between a reader's questions."""

WATCH_S = 0.5
"""How often the broker's end is looked at."""

SETTLED_WITHIN_S = 480.0
"""A pause of 300 s + 20 %, a handshake, a reading and two confirmations; or a comparison."""

CONFIRMED_S = 30.0
"""When all is confirmed, one more reading of the money, and what was on its way."""

LOOK_S = 5.0

UNREACHABLE_S = 3600.0
"""Limit of a whole history in virtual time: a wait without a limit ends here."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How it went."""

    schedule: Schedule
    digest: str
    figures: dict[str, int]
    broken: str | None = None
    """The promise that was broken, or None."""
    details: str = ""
    last_lines: tuple[str, ...] = ()


def play(schedule: Schedule, *, keep: int | None = 60) -> Outcome:
    """Live through a schedule, in a loop of its own."""
    outcome = _play(schedule, keep=keep)
    if outcome.broken is not None:
        # It ended in the middle: what its loop left open must not be blamed on whoever comes next.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    return outcome


def _play(schedule: Schedule, *, keep: int | None) -> Outcome:
    history = _History(schedule, keep=keep)
    broken, details = None, ""
    with records.listening(history.hear):
        try:
            world_loop.run(history.live)
        except BaseExceptionGroup as group:
            broken, details = _tell(_first(group))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the history's result
            broken, details = _tell(error)
    return Outcome(
        schedule=schedule,
        digest=history.trace.digest,
        figures=dict(sorted(history.figures.items())),
        broken=broken,
        details=details,
        last_lines=tuple(history.trace.lines),
    )


class _History:
    """The world while it lasts."""

    def __init__(self, schedule: Schedule, *, keep: int | None) -> None:
        self.trace = Trace(keep=keep)
        self.figures: Counter[str] = Counter()
        self._schedule = schedule
        self._rng = Random(f"history:{schedule.seed}")
        self._faults: list[Violation] = []

    async def live(self, loop: world_loop.WorldLoop) -> None:
        """From the first start to the last stop."""
        loop.set_exception_handler(self._unhandled)
        before = tasks_now()
        async with asyncio.timeout(UNREACHABLE_S):
            await self._build(loop)
            async with self._broker, self._http:
                await self._live()
        check_ended(before)
        self._check_faults()

    def hear(self, level: str, line: records.Line) -> None:
        """Take a line of the log."""
        event = str(line.get("event"))
        self.figures[f"log.{event}"] += 1
        if event in records.MISTAKES or level in ("critical", "exception"):
            shown = "".join(traceback.format_exc()) if line.get("exc_info") else ""
            self._faults.append(Violation("mistake", f"{dict(line)}\n{shown}"))
        elif event == "fill.applied":
            self._fills.hear(line)
        self.trace.add(f"log {event} {line.get('account')}")

    async def _build(self, loop: world_loop.WorldLoop) -> None:
        schedule = self._schedule
        self._broker = Broker(
            Clocks(), accounts=schedule.accounts, seed=schedule.seed, activity=schedule.activity
        )
        self._network = loop.network = Network(schedule.labels, Random(f"net:{schedule.seed}"))
        for path in self._network.paths.values():
            most_s = 0.02 if path.kind == "stream" else 0.08
            path.usual_s = round(self._rng.uniform(0.001, most_s), 4)
        for name, on in schedule.quirks.items():
            setattr(self._broker.exchange.quirks, name, on)
        self._http = aiohttp.ClientSession(connector=VirtualConnector(limit=0))
        self._keeper = Keeper(self._broker, self._network, schedule.seed)
        self._ledger = Ledger(self._broker.exchange)
        self._agenda = Agenda()
        deeds = Deeds(self._broker, self._ledger, Random(f"deeds:{schedule.seed}"))
        self._acts = Acts(self._broker, self._network, self._keeper, deeds, self._agenda.add)
        patience = self._patience = Patience(schedule)
        self._states = States(self._ledger, patience, self._broker.clocks)
        self._reads = Reads(self._ledger, patience, self._broker.exchange)
        self._links = Links(schedule, self._broker, patience)
        self._budget = Budget(self._broker)
        self._fills = Fills(self._broker)
        self._broker.on_event.append(self._happened)
        self._keeper.on_record.append(self._changed)
        self._keeper.on_start += [self._links.forget, self._reads.forget, self._fills.forget]
        self._keeper.on_start.append(patience.forget)
        self._network.on_dial.append(self._dialed)

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        for label in self._schedule.labels:
            self._ledger.note_books(label, loop.time())
        before = tasks_now()
        await self._keeper.start()
        for act in self._schedule.acts:
            self._agenda.add(act.at, lambda act=act: self._act(act))  # type: ignore[misc]
        for doing, pause in ((self._step, STEP_S), (self._watch, WATCH_S), (self._read, READ_S[0])):
            self._agenda.add(pause, doing)
        await self._agenda.run(until=self._schedule.seconds)
        await self._settle()
        await self._keeper.stop(kill=False)
        check_stopped(self._network, before)

    # what goes on

    async def _act(self, act: Act) -> None:
        self.trace.add(f"act {act}")
        self.figures["acts"] += 1
        await self._acts.carry_out(act)

    def _step(self) -> None:
        now = asyncio.get_running_loop().time()
        self._broker.turn(now)
        self._agenda.add(now + STEP_S, self._step)

    def _watch(self) -> None:
        now = asyncio.get_running_loop().time()
        self._links.watch(now)
        self._budget.watch(now, len(self._keeper.starts))
        self._fills.check()
        self._check_faults()
        self._agenda.add(now + WATCH_S, self._watch)

    async def _read(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._keeper.daemon is not None:
            await self._look(self._rng.choice(self._schedule.labels), now)
            if self._rng.random() < 0.3:
                await self._look_at_links(now)
        self._agenda.add(now + self._rng.uniform(*READ_S), self._read)

    async def _look(self, label: str, now: float) -> None:
        path = f"/realtime/dashboard/{label}?closed_orders={CLOSED_ORDERS}"
        self._reads.look(await self._ask(path), now)
        self._states.look(self._store.get(label), now)

    async def _look_at_links(self, now: float) -> None:
        self._links.watch(now)
        self._links.look(await self._ask("/realtime/status"), now)

    async def _ask(self, path: str) -> bytes:
        daemon = self._keeper.daemon
        assert daemon is not None
        async with self._http.get(f"http://127.0.0.1:{daemon.port}{path}") as answer:
            body = await answer.read()
            if answer.status != 200:
                raise Violation("read", f"{path}: {answer.status} {body[:300]!r}")
        self.figures["reads"] += 1
        return body

    # the end

    async def _settle(self) -> None:
        """Quiet, and a bounded time to converge."""
        loop = asyncio.get_running_loop()
        self.trace.add("heal")
        self._agenda.clear()
        self._acts.heal()
        self._broker.set_activity(0)
        self._broker.step()
        for label in self._schedule.labels:
            self._ledger.note_books(label, loop.time())
        if self._keeper.daemon is None:
            await self._keeper.start()
        await self._until_settled()
        if any(record.link.state == "refused" for record in self._store):
            await self._keeper.stop(kill=False)  # the operator has put new keys in
            await self._keeper.start()
        await self._until_equal()
        for record in self._store:
            began = self._patience.first_synced(record.profile.label)
            check_executions(self._broker, record, partial(self._is_from_before, began))
        self._watch()

    def _is_from_before(self, began: float, order_id: str) -> bool:
        return self._ledger.born(order_id) < began

    async def _until_settled(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLED_WITHIN_S
        while not is_settled(self._store):
            if loop.time() > deadline:
                told = "; ".join(unconfirmed(self._store))
                raise Violation("settled", f"not within {SETTLED_WITHIN_S:.0f} s of quiet: {told}")
            await self._pass(LOOK_S)
        self.figures["settled_ms"] = round(1000 * (loop.time() - self._schedule.seconds))

    async def _until_equal(self) -> None:
        """Equal at once; or, where something was lost without a trace, after a comparison."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLED_WITHIN_S
        while True:
            await self._until_settled()
            await self._pass(CONFIRMED_S)
            if not is_settled(self._store):
                continue  # a path that was dead already has only now been found to be
            differences = await self._differences()
            if not differences:
                break
            told = loop.time()
            if told > deadline or all(self._is_overdue(line, told) for line in differences):
                raise Violation("equal", "\n".join(differences[:12]))
        self.figures["equal_ms"] = round(1000 * (loop.time() - self._schedule.seconds))

    async def _pass(self, seconds: float) -> None:
        """Let quiet time pass, with readers."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            await asyncio.sleep(min(LOOK_S * 2, until - loop.time()))
            await self._look(self._rng.choice(self._schedule.labels), loop.time())
        await self._look_at_links(loop.time())
        self._check_faults()

    def _is_overdue(self, difference: str, now: float) -> bool:
        """Whether nothing that happened to the account explains that it is still different."""
        label, healed_at = difference.partition(":")[0], self._schedule.seconds
        return now - healed_at > CONFIRMED_S + self._patience.for_event(label, healed_at)

    async def _differences(self) -> list[str]:
        daemon = self._keeper.daemon
        assert daemon is not None
        fleet = Fleet(self._broker, daemon, self._http)
        return [line for label in self._schedule.labels for line in await unequal(fleet, label)]

    @property
    def _store(self) -> Any:
        assert self._keeper.daemon is not None
        return self._keeper.daemon.store

    # what is told

    def _happened(self, update: TradeUpdate) -> None:
        now = asyncio.get_running_loop().time()
        self.figures["events"] += 1
        self._ledger.note(update, now)
        order = update.data["order"]
        assert isinstance(order, dict)
        self.trace.add(f"event {update.label} {update.data['event']} {order['id']}")

    def _changed(self, record: Record) -> None:
        link, state = record.link, record.state
        self.trace.add(
            f"record {record.profile.label} {record.version} {link.state} {len(state.orders)}"
            f" {len(state.positions)} {sorted(state.provisional)}"
        )
        now = asyncio.get_running_loop().time()
        if link.is_synced:
            self._patience.began(record.profile.label, now)
        self._note(lambda: self._links.changed(record, now))

    def _dialed(self, label: str, kind: Kind) -> None:
        self.trace.add(f"dial {label} {kind}")
        if kind == "stream":
            self._note(lambda: self._links.dialed(label, asyncio.get_running_loop().time()))

    def _note(self, judge: Any) -> None:
        """Judge inside the daemon's own calls without raising into it."""
        try:
            judge()
        except Violation as violation:
            self._faults.append(violation)

    def _unhandled(self, _: object, context: dict[str, Any]) -> None:
        told = f"{context.get('message')} {context.get('exception')!r}"
        self._faults.append(Violation("unhandled", told))

    def _check_faults(self) -> None:
        if self._faults:
            raise self._faults[0]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _tell(error: BaseException) -> tuple[str, str]:
    if isinstance(error, Violation):
        return error.oracle, str(error)
    return type(error).__name__, "".join(traceback.format_exception(error))
