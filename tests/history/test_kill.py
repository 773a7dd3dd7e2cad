"""`kill -9` at any moment: every execution of the broker's books is in the ledger once, and the
state as of any moment that was committed is what was visible then.

What such an end leaves is what the files are at that moment: the copy of them is made between two
instructions of SQLite, anywhere in a transaction, and the next daemon goes on with the copy.
"""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from realtime.broker.rate_limiter import FleetLimiter, RateLimiter
from realtime.broker.rest_client import RestClient
from realtime.history import day_file
from realtime.history.exact import unpack_id
from realtime.history.reading import NoHistory
from realtime.history.state_at import state_at
from realtime.runtime.broker_history import fetch_missed
from realtime.runtime.history_recovery import read_newest
from realtime.secret import Credentials, Secret
from realtime.simulator.app import Simulator
from tests import virtual
from tests.fleet import Fleet, fleet
from tests.history.scene import Recording, trade
from tests.seeds import seeds

LABELS = ("alpha", "bravo")
MAX_INSTRUCTIONS = 60_000
"""SQLite's, until the end; a life takes about as many."""


class Killed(BaseException):
    """The process ends here."""


class Killer:
    """Copies the files after a number of instructions of all connections, and ends the writer."""

    def __init__(self, source: Path, target: Path, instructions: int) -> None:
        self._source, self._target = source, target
        self._left = instructions
        self.has_struck = False

    def watch(self, connection: sqlite3.Connection) -> None:
        """Count the instructions of a connection."""
        connection.set_progress_handler(self._step, 100)

    def _step(self) -> int:
        self._left -= 100
        if self._left > 0 or self.has_struck:
            return int(self.has_struck)  # what is interrupted is undone; the copy is made already
        self.strike()
        return 1

    def strike(self) -> None:
        """End now."""
        if not self.has_struck:
            self.has_struck = True
            shutil.copytree(self._source, self._target)


def _live(
    path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, list[str]]]:
    """Some daemons, one after another, each of which is killed; the last one's files, and the
    executions in the books."""
    rng = random.Random(seed)
    places = [path / str(life) for life in range(rng.randint(2, 4) + 1)]
    connect = day_file.connect

    books: dict[str, list[str]] = {}

    async def scene() -> None:
        simulator = Simulator(accounts=2, seed=seed, activity=4.0, clock=virtual.nanosecond_clock)
        async with simulator:
            for life, place in enumerate(places):
                is_last = place == places[-1]
                killer = Killer(
                    place,
                    places[life + 1] if not is_last else place,
                    (10**12 if is_last else rng.randint(1, MAX_INSTRUCTIONS)),
                )

                def connect_watched(file: Path, killer: Killer = killer) -> sqlite3.Connection:
                    connection = connect(file)
                    killer.watch(connection)
                    return connection

                monkeypatch.setattr("realtime.history.day_file.connect", connect_watched)
                monkeypatch.setattr("realtime.history.ledger.connect", connect_watched)
                async with fleet(simulator, virtual.world(seed + life)) as running:
                    await running.until(running.all_synced)
                    recording = Recording(place, running)
                    await _recover(recording, running, place, simulator)
                    await trade(
                        recording,
                        rng.uniform(3.0, 12.0),
                        rng,
                        write=_until_killed(recording, killer),
                    )
                    if is_last:
                        url = f"{simulator.url}/_sim/traffic"
                        async with running.http.post(url, json={"activity": 0}) as reply:
                            assert reply.status < 300
                        await asyncio.sleep(20)
                        await running.until(running.settled)
                        await _recover(recording, running, place, simulator)
                        recording.writer.write()
                        _check_states(recording, rng)
                        recording.close()
                        for label in LABELS:
                            executions = simulator.exchange.books(label)["executions"]
                            assert isinstance(executions, list)
                            books[label] = [str(execution["id"]) for execution in executions]
                    else:
                        killer.strike()
                        recording.abandon()

    virtual.run(scene)
    return places[-1], books


def _until_killed(recording: Recording, killer: Killer) -> Callable[[], None]:
    def write() -> None:
        if not killer.has_struck:
            recording.writer.write_guarded()

    return write


async def _recover(recording: Recording, running: Fleet, place: Path, simulator: Simulator) -> None:
    newest = read_newest(place) if (place / "ledger.sqlite").exists() else {}
    for label in LABELS:
        rest = RestClient(
            running.http,
            simulator.url,
            Credentials(Secret(f"demo-{label}"), Secret(f"demo-secret-{label}")),
            RateLimiter(FleetLimiter()),
            clock=virtual.wall_clock,
        )
        recording.queue.add_recovered(
            await fetch_missed(label, rest, newest.get(label), virtual.wall_clock())
        )


def _check_states(recording: Recording, rng: random.Random) -> None:
    for label in LABELS:
        seen = {at_us: record for at_us, record in recording.seen.get(label, ()) if record.has_data}
        for at_us in rng.sample(sorted(seen), min(20, len(seen))):
            try:
                past = state_at(recording.reader, label, at_us)
            except NoHistory:
                continue  # before the first snapshot of this life
            assert past.state.orders == seen[at_us].state.orders


def _check(path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    place, books = _live(path, seed, monkeypatch)
    with sqlite3.connect(place / "ledger.sqlite") as connection:
        for label in LABELS:
            rows = connection.execute(
                "SELECT exe FROM fill JOIN account ON account.n = acc WHERE label = ?", (label,)
            ).fetchall()
            fills = [unpack_id(exe) for (exe,) in rows]
            assert sorted(map(str, fills)) == sorted(books[label])
    connection.close()


@pytest.mark.parametrize("seed", seeds(2, 4))
def test_every_execution_is_kept_once_whenever_it_is_killed(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _check(tmp_path, seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4, 200))
def test_two_hundred_seeds(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _check(tmp_path, seed, monkeypatch)
