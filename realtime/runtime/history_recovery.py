"""Fetches what history missed while the daemon did not run: fills, final orders, equity.

They come from the broker's activities, orders and portfolio history, once for each account after it
is synced, a few accounts at a time and in the lane of reads: nothing waits for it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import structs

from realtime.broker.rest_client import RestClient
from realtime.core.model import Symbol
from realtime.errors import RealtimeError
from realtime.history.directory import HistoryDirectory
from realtime.history.queue import HistoryQueue, RecoveredHistory
from realtime.history.reading import DayUnreadable, FileReader, NoHistory, open_read_only
from realtime.history.realized import Holding, holding_of
from realtime.history.schema import read_meta
from realtime.history.state_at import state_at
from realtime.runtime.broker_history import (
    FIRST_TIME_DAYS,
    fetch_activities,
    fetch_closes,
    fetch_missed,
)
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

LATE_DAYS = 7
"""Fees and dividends are listed up to some days after the date that they are of."""

ACTIVITIES_INTERVAL_S = 3600.0

MAX_CONCURRENT = 20
"""Accounts that are read at one time; each has its own budget, and orders come first."""

POLL_S = 1.0
"""How often it is looked whether a further account is synced."""

ReadHeld = Callable[[str], Mapping[Symbol, Holding] | None]
"""Returns what an account held at the end of the run before; None: not recorded."""


async def recover_all(
    clients: Callable[[], dict[str, RestClient]],
    *,
    store: Store,
    queue: HistoryQueue,
    newest: Mapping[str, int],
    clock: Callable[[], float],
    read_held: ReadHeld | None = None,
) -> None:
    """Recover each account once it is synced, and read its activities every hour, until cancelled.

    `newest`: label → the newest fill (µs) that the ledger had before this run. `read_held` reads
    files, in a thread. Deposits are read at once where the store has noticed one (`sync.flows`).
    """
    due: dict[str, tuple[float, object]] = {}
    """label → when its activities are due, and the net flows that were known at the last read"""
    slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def recover_one(label: str, rest: RestClient, *, is_first: bool) -> None:
        async with slots:
            if not is_first:
                await _read_activities(label, rest, queue, clock())
                return
            recovered = await _recover_one(label, rest, queue, newest.get(label), clock())
            if recovered is None:
                return
            if recovered.executions and read_held is not None:
                held = await asyncio.to_thread(read_held, label)
                recovered = structs.replace(recovered, held=held)
            queue.add_recovered(recovered)
            log.info(
                "history.recovered",
                account=label,
                fills=len(recovered.executions),
                orders=len(recovered.orders),
            )

    while True:
        async with asyncio.TaskGroup() as group:
            for label, rest in sorted(clients().items()):
                record = store.get(label)
                if record is None or not record.link.is_synced:
                    continue
                net = None if record.net_flows is None else record.net_flows.net
                known = due.get(label)
                if known is not None and clock() < known[0] and net == known[1]:
                    continue
                due[label] = (clock() + ACTIVITIES_INTERVAL_S, net)
                group.create_task(recover_one(label, rest, is_first=known is None))
        await asyncio.sleep(POLL_S)


async def _read_activities(label: str, rest: RestClient, queue: HistoryQueue, now: float) -> None:
    try:
        activities = await fetch_activities(rest, round((now - LATE_DAYS * 86_400) * 1e6))
    except RealtimeError as error:
        log.warning("history.recovery_failed", account=label, reason=error.message)
        return
    queue.add_recovered(RecoveredHistory(label=label, activities=activities))


async def _recover_one(
    label: str, rest: RestClient, queue: HistoryQueue, since_us: int | None, now: float
) -> RecoveredHistory | None:
    """Add an account's curves to the queue; return its fills and orders, or None after an error."""
    try:
        # Curves first: they need two requests, the executions of a year many.
        since_first = round((now - FIRST_TIME_DAYS * 86_400) * 1e6)
        curves = RecoveredHistory(
            label=label,
            closes=await fetch_closes(rest, now),
            activities=await fetch_activities(rest, since_first),
        )
        queue.add_recovered(curves)
        return await fetch_missed(label, rest, since_us, now)
    except RealtimeError as error:
        log.warning("history.recovery_failed", account=label, reason=error.message)
        return None


def read_newest(path: Path) -> dict[str, int]:
    """Label → the broker's time of its newest fill in the ledger, in µs. Reads a file."""
    reader = FileReader(HistoryDirectory(path))
    newest = {}
    for number, label in reader.read_ledger("SELECT n, label FROM account"):
        for (at_us,) in reader.read_ledger("SELECT max(at_us) FROM fill WHERE acc = ?", (number,)):
            if at_us is not None:
                newest[label] = int(at_us)
    return newest


def read_committed_us(path: Path) -> int | None:
    """Until when the run before has recorded, in µs. Reads files."""
    for file in reversed(HistoryDirectory(path).day_files()):
        with suppress(sqlite3.Error), open_read_only(file.path) as connection:
            return read_meta(connection, "committed_us")
    return None


def read_held(path: Path, at_us: int | None, label: str) -> Mapping[Symbol, Holding] | None:
    """What an account held as of a moment, by the files; None: not recorded."""
    if at_us is None:
        return None
    try:
        past = state_at(FileReader(HistoryDirectory(path)), label, at_us)
    except (NoHistory, DayUnreadable, sqlite3.Error):
        return None
    return {symbol: holding_of(position) for symbol, position in past.state.positions.items()}
