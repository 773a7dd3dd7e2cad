"""Records history while the daemon runs: the writer's thread, its reports, its queries."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from msgspec import Struct

from realtime.api.history.client import HistoryClient
from realtime.broker.rest_client import RestClient
from realtime.config.settings import HistorySettings
from realtime.history.directory import HistoryDirectory
from realtime.history.queue import HistoryQueue
from realtime.history.retention import Retention
from realtime.history.status import HistoryReport
from realtime.history.writer import HistoryWriter
from realtime.runtime.history_recovery import read_newest, recover_all
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
    loop = asyncio.get_running_loop()
    committed = asyncio.Event()

    def announce() -> None:
        committed.set()  # wakes those who wait now
        committed.clear()

    queue = HistoryQueue()
    clock = make_clock()
    writer = HistoryWriter(
        HistoryDirectory(settings.path),
        queue,
        clock=clock,
        retention=Retention(
            event_days=settings.event_days,
            ledger_days=settings.ledger_days,
            max_disk_bytes=settings.max_disk_bytes,
        ),
        on_commit=lambda: loop.call_soon_threadsafe(announce),
    )

    async def wait_committed(at_us: int) -> None:
        def is_committed() -> bool:
            at = writer.status.committed_at
            return (at is not None and at * 1e6 >= at_us) or not len(queue)

        try:
            async with asyncio.timeout(COMMIT_WAIT_S):
                while not is_committed():
                    await committed.wait()
        except TimeoutError:
            return

    newest = await asyncio.to_thread(_read_newest, settings.path)
    for record in store:
        queue.add(Change(label=record.profile.label, before=None, after=record))
    end = store.subscribe(queue.add)
    writer.start()
    reports = asyncio.create_task(_log_reports(writer), name="history")
    try:
        async with HistoryClient(
            settings.path, status=lambda: writer.status, wait_committed=wait_committed
        ) as client:
            yield History(
                client=client,
                recover=partial(
                    recover_all,
                    store=store,
                    queue=queue,
                    newest=newest,
                    clock=time.time,
                ),
                report=partial(_write_reports, store, queue, settings.path),
            )
    finally:
        end()
        reports.cancel()
        if not await asyncio.to_thread(writer.stop):
            log.warning("history.stop_incomplete", waiting=writer.status.waiting)
        for report in list(writer.reports):
            _log(report)


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
