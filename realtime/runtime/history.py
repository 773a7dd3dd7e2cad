"""Records history while the daemon runs: the writer's thread, its reports, its queries."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct, structs

from realtime.api.history.client import HistoryClient
from realtime.broker.rest_client import RestClient
from realtime.config.settings import HistorySettings
from realtime.history.directory import HistoryDirectory
from realtime.history.postgres.address import CopyReport
from realtime.history.queue import HistoryQueue
from realtime.history.retention import Retention
from realtime.history.status import HistoryReport, HistoryStatus
from realtime.history.writer import HistoryWriter
from realtime.runtime.history_database import DatabaseCopy, database_address
from realtime.runtime.history_recovery import (
    read_committed_us,
    read_held,
    read_newest,
    recover_all,
)
from realtime.runtime.report_card import ReportCard, read_known
from realtime.runtime.steady_clock import SteadyClock
from realtime.store.records import Change
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

REPORT_INTERVAL_S = 1.0
COMMIT_WAIT_S = 1.0
"""A query about the last second waits this long for its commit, then reads what there is."""


class History(Struct, frozen=True, kw_only=True):
    """Recording that is under way."""

    client: HistoryClient
    recover: Callable[[Callable[[], dict[str, RestClient]]], Coroutine[None, None, None]]
    """Fetches from the broker what was missed; takes label → the account's client."""
    report: Callable[[Callable[[], dict[str, RestClient]]], Coroutine[None, None, None]]
    """Counts the quality of the connections; takes the same."""


class Recorder:
    """The writer's thread, and the copy in a database if there is to be one."""

    def __init__(
        self, settings: HistorySettings, queue: HistoryQueue, clock: Callable[[], float]
    ) -> None:
        loop = asyncio.get_running_loop()
        address = database_address(settings)
        self._queue = queue
        self._progress = asyncio.Event()
        """Set for a moment whenever something was committed or copied."""
        self.environment = None if address is None else address.environment()
        self.writer = HistoryWriter(
            HistoryDirectory(settings.path),
            queue,
            clock=clock,
            retention=Retention(
                event_days=settings.event_days,
                ledger_days=settings.ledger_days,
                max_disk_bytes=settings.max_disk_bytes,
            ),
            has_outbox=address is not None,
            on_commit=lambda: loop.call_soon_threadsafe(self._announce),
        )
        self.copy = (
            None
            if address is None
            else DatabaseCopy(settings.path, address, on_report=self._note_copied)
        )

    def status(self) -> HistoryStatus:
        """How recording and copying go."""
        written = self.writer.status
        if self.copy is None:
            return written
        copied = self.copy.status(written.committed_at)
        since = written.missing_since
        if copied.lag_s and not copied.is_failing:  # while it fails, the files answer
            copied_at = self.copy.copied_us / 1e6
            since = copied_at if since is None else min(since, copied_at)
        return structs.replace(written, database=copied, missing_since=since)

    async def wait_committed(self, at_us: int) -> None:
        """Wait until everything up to a time is where queries read it, or no longer than
        `COMMIT_WAIT_S`."""
        try:
            async with asyncio.timeout(COMMIT_WAIT_S):
                while not self._is_committed(at_us):
                    await self._progress.wait()
        except TimeoutError:
            return

    def _is_committed(self, at_us: int) -> bool:
        status = self.status()
        at, database = status.committed_at, status.database
        is_written = (at is not None and at * 1e6 >= at_us) or not len(self._queue)
        return is_written and (database is None or database.is_failing or not database.lag_s)

    def _announce(self) -> None:
        self._progress.set()  # wakes those who wait now
        self._progress.clear()

    def _note_copied(self, report: CopyReport) -> None:
        if report.error is None:
            self.writer.acknowledge(report.outbox, report.complete_day)
        self._announce()


@asynccontextmanager
async def record_history(
    settings: HistorySettings | None,
    store: Store,
    *,
    make_clock: Callable[[], Callable[[], float]] = lambda: SteadyClock(time.time, time.monotonic),
) -> AsyncIterator[History | None]:
    """Record the store's changes while the block runs; None: history is off. `make_clock` makes the
    clock of the writer's thread, which must run like that of the store's records."""
    if settings is None:
        yield None
        return
    queue = HistoryQueue()
    recorder = Recorder(settings, queue, make_clock())
    newest = await asyncio.to_thread(_read_newest, settings.path)
    held = partial(
        read_held, settings.path, await asyncio.to_thread(read_committed_us, settings.path)
    )
    for record in store:
        queue.add(Change(label=record.profile.label, before=None, after=record))
    end = store.subscribe(queue.add)
    recorder.writer.start()
    tasks = [asyncio.create_task(_log_reports(recorder.writer), name="history")]
    if recorder.copy is not None:
        tasks.append(asyncio.create_task(recorder.copy.run(), name="history-database"))
    try:
        async with HistoryClient(
            settings.path,
            status=recorder.status,
            environment=recorder.environment,
            wait_committed=recorder.wait_committed,
        ) as client:
            recover = partial(
                recover_all,
                store=store,
                queue=queue,
                newest=newest,
                clock=time.time,
                read_held=held,
            )
            report = partial(_write_reports, store, queue, settings.path)
            yield History(client=client, recover=recover, report=report)
    finally:
        end()
        for task in tasks:
            task.cancel()
        if not await asyncio.to_thread(recorder.writer.stop):
            log.warning("history.stop_incomplete", waiting=recorder.writer.status.waiting)
        await asyncio.wait(tasks)
        for line in list(recorder.writer.reports):
            _log(line)


def _read_newest(path: Path) -> dict[str, int]:
    """As `read_newest`; nothing where the ledger cannot be read: the writer sets it aside."""
    try:
        return read_newest(path)
    except sqlite3.Error:
        return {}


async def _write_reports(
    store: Store, queue: HistoryQueue, path: Path, clients: Callable[[], dict[str, RestClient]]
) -> None:
    """Keep the report card until cancelled."""
    try:
        known = await asyncio.to_thread(read_known, path, time.time())
    except sqlite3.Error:
        known = {}  # a ledger that cannot be read is set aside by the writer
    card = ReportCard(store, queue, clients=lambda: clients().items(), clock=time.time, known=known)
    await card.run()


async def _log_reports(writer: HistoryWriter) -> None:
    while True:
        await asyncio.sleep(REPORT_INTERVAL_S)
        while writer.reports:
            _log(writer.reports.popleft())


def _log(report: HistoryReport) -> None:
    facts = report.facts
    match report.event:
        case "failed":
            log.error("history.write_failed", **facts)
        case "recovered":
            log.info("history.write_recovered", **facts)
        case "gap":
            log.warning("history.gap_recorded", **facts)
        case "sealed":
            log.info("history.day_sealed", **facts)
        case "deleted":
            log.info("history.file_deleted", **facts)
        case _:
            log.error("history.file_set_aside", **facts)
