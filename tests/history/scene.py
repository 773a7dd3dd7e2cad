"""A fleet in virtual time whose changes are recorded, and a small store that is moved by hand."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import structs

from realtime.core.model import AccountLabel, Order
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import epoch_us
from realtime.history.queue import HistoryQueue
from realtime.history.reading import FileReader
from realtime.history.writer import HistoryWriter
from realtime.simulator.app import Simulator
from realtime.store.records import Change, Record
from realtime.store.store import Store
from tests import virtual
from tests.api.documents.made import BOOKS, LIVE, NOW, order, put
from tests.fleet import Fleet, fleet


class Recording:
    """One writer on one store. `write` commits what waits, as the thread would."""

    def __init__(self, path: Path, running: Fleet) -> None:
        self.running = running
        self.directory = HistoryDirectory(path)
        self.queue = HistoryQueue()
        self.writer = HistoryWriter(
            self.directory, self.queue, clock=virtual.wall_clock, has_outbox=True
        )
        self.seen: dict[str, list[tuple[int, Record]]] = {}
        """label → what was visible from when on, µs"""
        self._end = running.daemon.store.subscribe(self.queue.add)
        self._end_watch = running.daemon.store.subscribe(self._watch)
        self._take_over()

    @property
    def reader(self) -> FileReader:
        return FileReader(self.directory)

    def restart(self) -> None:
        """The process is killed: what was not committed is lost; another begins at once."""
        self._end()
        self.writer.kill()
        self.queue = HistoryQueue()
        self.writer = HistoryWriter(
            self.directory, self.queue, clock=virtual.wall_clock, has_outbox=True
        )
        self._end = self.running.daemon.store.subscribe(self.queue.add)
        self._take_over()

    def abandon(self) -> None:
        """The process is killed, and no other begins here."""
        self._end()
        self._end_watch()
        self.writer.kill()

    def close(self) -> None:
        """Write what waits and close the files."""
        self.writer.write()
        self.writer.kill()
        self._end()
        self._end_watch()

    def _take_over(self) -> None:
        """A daemon that starts announces each account with its first snapshot."""
        for record in self.running.daemon.store:
            self.queue.add(Change(label=record.profile.label, before=None, after=record))

    def _watch(self, change: Change) -> None:
        if change.after is not None:
            at_us = epoch_us(change.after.as_of)
            self.seen.setdefault(change.label, []).append((at_us, change.after))


def play(
    path: Path,
    act: Callable[[Recording], Awaitable[None]],
    *,
    accounts: int = 2,
    activity: float = 4.0,
    seed: int = 1,
) -> None:
    """Run a fleet that trades, and record it."""

    async def scene() -> None:
        simulator = Simulator(
            accounts=accounts, seed=seed, activity=activity, clock=virtual.nanosecond_clock
        )
        async with simulator, fleet(simulator, virtual.world(seed)) as running:
            recording = Recording(path, running)
            await running.until(running.all_synced)
            await act(recording)
            recording.close()

    virtual.run(scene)


async def trade(
    recording: Recording,
    seconds: float,
    rng: random.Random,
    write: Callable[[], None] | None = None,
) -> None:
    """Let time pass; commit at random moments."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        await asyncio.sleep(rng.uniform(0.01, 1.0))
        (write or recording.writer.write)()


class Clock:
    """A wall clock that a test moves."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Small:
    """A writer on a store of five accounts, moved by hand."""

    def __init__(self, path: Path, *, max_changes: int = 100, has_outbox: bool = False) -> None:
        self.store = Store(boot="b00t")
        self.clock = Clock(NOW)
        self.queue = HistoryQueue(max_changes=max_changes)
        self.directory = HistoryDirectory(path)
        self.writer = HistoryWriter(
            self.directory, self.queue, clock=self.clock, has_outbox=has_outbox
        )
        self.store.subscribe(self.queue.add)
        for label in ("alpha", "bravo"):
            put(self.store, label, LIVE, BOOKS)

    def touch(self, label: str, number: int, new: Order | None = None) -> None:
        """A new order in an account, now."""
        record = self.store.get(label)
        assert record is not None
        new = new or order(number)
        state = structs.replace(record.state, orders={**record.state.orders, new.id: new})
        self.store.update(AccountLabel(label), now=self.clock.now, state=state)

    def rows(self, sql: str, path: Path | None = None) -> list[tuple[object, ...]]:
        reader = FileReader(self.directory)
        with reader.open(path or self.directory.ledger) as connection:
            return connection.execute(sql).fetchall()
