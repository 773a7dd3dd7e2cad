"""Writes history in a thread of its own. Nothing ever waits for it.

Every 250 ms, or as soon as 1 250 changes wait, the changes are compared with what was written last
of their accounts, and the differences are committed. What could not be written stays in the queue;
what the queue had no room for is counted, and the next difference covers it, executions included.

The thread gives the interpreter back after every change (`time.sleep(0)`): the event loop waits for
one change, not for a batch.
"""

import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from realtime.history.day_file import DayFile
from realtime.history.directory import DayPath, HistoryDirectory, HistoryUnavailable, set_aside
from realtime.history.exact import DAY_US, MINUTE_US, day_number, epoch_us
from realtime.history.ledger import Ledger
from realtime.history.queue import Entry, HistoryQueue, RecoveredHistory, ReportRow
from realtime.history.reading import is_whole, open_read_only
from realtime.history.recorder import Files, Recorder
from realtime.history.retention import Retention, delete_oldest, ledger_horizon_us, make_room
from realtime.history.schema import read_meta
from realtime.history.status import (
    FailureReason,
    HistoryReport,
    HistoryStatus,
    failure_reason,
    is_damaged,
    is_full,
)

BATCH_S = 0.25
BATCH_CHANGES = 1_250
"""Larger transactions hold the disk and the interpreter for longer and gain nothing."""

RETRY_S = 5.0
"""After a failure to write, and between two attempts to open."""

STOP_S = 3.0
"""Limit for writing what still waits when the daemon stops."""

MAX_REPORTS = 1_000


class HistoryWriter:
    """One writer of one directory. `clock` gives epoch seconds like the clock of the records; it is
    called in the writer's thread."""

    def __init__(
        self,
        directory: HistoryDirectory,
        queue: HistoryQueue,
        *,
        clock: Callable[[], float],
        retention: Retention | None = None,
        has_outbox: bool = False,
        on_commit: Callable[[], object] = lambda: None,
    ) -> None:
        self.reports: deque[HistoryReport] = deque(maxlen=MAX_REPORTS)
        self._directory = directory
        self._queue = queue
        self._clock = clock
        self._retention = retention or Retention()
        self._has_outbox = has_outbox
        """Whether a database is to have what is written."""
        self._copied_outbox = 0
        self._copied_day: int | None = None
        self._on_commit = on_commit
        """Called in the writer's thread."""
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._recorder = Recorder()
        self._file: DayFile | None = None
        self._ledger: Ledger | None = None
        self._error: str | None = None
        self._failure: FailureReason | None = None
        self._failing_since: float | None = None
        self._committed_at: float | None = None
        self._lost_before = 0
        self._gaps: Counter[str] = Counter()
        self._is_first_file = True
        self._bytes = 0
        self._retry_at = 0.0

    @property
    def status(self) -> HistoryStatus:
        """How it goes. May be called from any thread."""
        lost_us = self._queue.lost_since_us
        since = [self._failing_since, None if lost_us is None else lost_us / 1e6]
        return HistoryStatus(
            is_open=self._file is not None and self._failure is None,
            failure=self._failure,
            last_error=self._error,
            rows=self._recorder.rows,
            lost=self._queue.lost,
            gaps=dict(self._gaps),
            waiting=len(self._queue),
            is_dropping=self._queue.is_dropping,
            missing_since=min((at for at in since if at is not None), default=None),
            committed_at=self._committed_at,
            bytes=self._bytes,
        )

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """Write what waits, within a limit, and close the files. Blocks; returns whether all was
        written."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_S + 1.0)
        return not len(self._queue)

    def acknowledge(self, outbox: int, complete_day: int | None = None) -> None:
        """Note what is in the database: the outbox up to a number, and all days up to one. May be
        called from any thread."""
        self._copied_outbox, self._copied_day = outbox, complete_day

    def kill(self) -> None:
        """Close the files without writing what waits, as an end of the process does."""
        self._close()
        self._directory.unlock()

    def write(self) -> None:
        """Write what waits now, in transactions of a batch each. For the thread, and for tests."""
        while True:
            batch = self._write_batch()
            if batch < BATCH_CHANGES and self._end_us(epoch_us(self._clock())) is None:
                return

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(BATCH_S)
            if self._clock() < self._retry_at and not self._stopping:
                continue
            if self._is_idle():
                continue
            self.write_guarded()
        deadline = time.monotonic() + STOP_S
        while len(self._queue) and self._error is None and time.monotonic() < deadline:
            self.write_guarded()
        self._close()
        self._directory.unlock()

    def _is_idle(self) -> bool:
        """Whether there is nothing to write: an idle daemon does not touch the disk."""
        now_us = epoch_us(self._clock())
        is_open = self._file is not None and self._file.day == day_number(now_us)
        return is_open and not len(self._queue) and not self._recorder.is_due(now_us)

    def write_guarded(self) -> None:
        """Write what waits; whatever fails is reported and tried again."""
        try:
            self.write()
        except (sqlite3.Error, OSError, HistoryUnavailable) as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 -- a mistake of ours must not end the recording
            self._fail(error)
            self._queue.drop(BATCH_CHANGES)

    def _fail(self, error: Exception) -> None:
        """Close everything and try again later; what was not committed is still in the queue."""
        now = self._clock()
        self._retry_at = now + RETRY_S
        is_news = self._error is None
        self._failure = failure_reason(error)
        self._failing_since = now if self._failing_since is None else self._failing_since
        remedy = {}
        if isinstance(error, HistoryUnavailable):
            self._error = error.message
            remedy = {"remedy": error.remedy}
        else:
            self._error = f"{type(error).__name__}: {error}"
        today = None if self._file is None else self._file.path
        self._close()
        if is_news:
            self._report("failed", reason=self._error, **remedy, waiting=len(self._queue))
        if is_full(error):
            gone = delete_oldest(self._directory, day_number(epoch_us(now)))
            if gone is not None:
                self._report("deleted", file=gone.path.name, reason="disk full")
        elif is_damaged(error) and today is not None:
            broken = [path for path in (today, self._directory.ledger) if not is_whole(path)]
            for path in broken or [today]:
                self._set_aside(path)

    def _write_batch(self) -> int:
        now_us = epoch_us(self._clock())
        files = self._open(now_us)
        end_us = self._end_us(now_us)
        batch: list[Entry] = []
        self._recorder.begin()
        try:
            files.day.begin()
            files.ledger.begin()
            self._note_loss(files.ledger, now_us)
            while len(batch) < BATCH_CHANGES and (entry := self._queue.pop(end_us)) is not None:
                batch.append(entry)
                if isinstance(entry, RecoveredHistory):
                    self._recorder.recover(files, entry)
                elif isinstance(entry, ReportRow):
                    self._recorder.report(files, entry)
                else:
                    self._recorder.record(files, entry, now_us)
                time.sleep(0)
            if end_us is None:
                self._recorder.snapshot_idle(files)
                if self._recorder.end_minutes(files, now_us):
                    self._bytes = self._directory.size()
                    files.ledger.remove_from_outbox(self._copied_outbox)
            files.ledger.commit()
            files.day.commit(now_us)
        except BaseException:
            self._recorder.rollback()
            self._queue.put_back(batch)
            raise
        self._committed_at = now_us / 1e6
        self._on_commit()
        if self._error is not None:
            self._error = self._failure = self._failing_since = None
            self._report("recovered", waiting=len(self._queue))
        return len(batch)

    # -- files -------------------------------------------------------------------------------------

    def _open(self, now_us: int) -> Files:
        """Today's file and the ledger, opened or made if they are not open."""
        if self._ledger is None:
            self._directory.prepare()
            self._directory.lock()
            self._ledger = self._open_ledger()
        today = self._day_to_write(now_us)
        if self._file is not None and self._file.day < today:
            self._roll_over()
        if self._file is None:
            self._file = self._open_day(today)
            self._recorder.begin_file()
            self._keep_within_limits(self._ledger, today, now_us)
            if self._is_first_file:
                self._is_first_file = False
                self._note_stop(self._file, self._ledger, now_us)
                self._seal_earlier(today)
        return Files(self._file, self._ledger)

    def _day_to_write(self, now_us: int) -> int:
        """The day of the oldest change that waits, so that it is in the file of its day."""
        first_us = self._queue.first_us()
        at_us = now_us if first_us is None else min(first_us, now_us + MINUTE_US)
        return day_number(at_us) if self._file is None else max(self._file.day, day_number(at_us))

    def _end_us(self, now_us: int) -> int | None:
        """The end of the open file's day; None: it has not come yet."""
        if self._file is None or self._file.day >= day_number(now_us):
            return None
        return (self._file.day + 1) * DAY_US

    def _open_ledger(self) -> Ledger:
        try:
            return Ledger(self._directory.ledger, has_outbox=self._has_outbox)
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            self._set_aside(self._directory.ledger)
            return Ledger(self._directory.ledger, has_outbox=self._has_outbox)

    def _open_day(self, day: int) -> DayFile:
        part = 1
        while True:
            path = self._directory.day_path(day, part)
            try:
                return DayFile(path, day)
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError) or part > 99:
                    raise
                if is_damaged(error):
                    self._set_aside(path)
                part += 1

    def _roll_over(self) -> None:
        assert self._file is not None
        self._file.seal()
        self._report("sealed", file=self._file.path.name)
        self._file = None
        self._recorder.end_day()

    def _seal_earlier(self, today: int) -> None:
        """Seal the files of days that ended while no daemon ran."""
        for file in self._directory.day_files():
            if file.day >= today or _meta(file.path, "sealed") is not None:
                continue
            try:
                DayFile(file.path, file.day).seal()
            except sqlite3.Error:
                continue  # damaged, or of another version: it stays as it is
            self._report("sealed", file=file.path.name)

    def _set_aside(self, path: Path) -> None:
        self._report("set_aside", file=path.name, as_file=set_aside(path).name)

    def _keep_within_limits(self, ledger: Ledger, today: int, now_us: int) -> None:
        for gone in make_room(self._directory, today, self._retention):
            self._report("deleted", file=gone.path.name, reason="expired")
            self._note_deleted(ledger, gone)
        ledger.begin()
        ledger.prune(ledger_horizon_us(now_us, self._retention))
        ledger.commit()
        self._bytes = self._directory.size()

    def _close(self) -> None:
        for file in (self._file, self._ledger):
            if file is not None:
                try:
                    file.rollback()
                    file.close()
                except sqlite3.Error:
                    continue
        self._file = self._ledger = None

    # -- gaps --------------------------------------------------------------------------------------

    def _note_stop(self, file: DayFile, ledger: Ledger, now_us: int) -> None:
        """What happened since the last commit of the run before is missing."""
        committed_us = file.committed_us()
        if committed_us is None:
            earlier = [found for found in self._directory.day_files() if found.day < file.day]
            committed_us = _meta(earlier[-1].path, "committed_us") if earlier else None
        if committed_us is None or committed_us == now_us:
            return
        # A clock that was set back: this time is recorded twice, and what is recorded now counts.
        reason = "stopped" if committed_us < now_us else "clock"
        ledger.begin()
        from_us, to_us = sorted((committed_us, now_us))
        ledger.add_gap(None, from_us, to_us, reason, None)
        ledger.commit()
        self._gaps[reason] += 1
        self._report("gap", reason=reason, seconds=round((now_us - committed_us) / 1e6, 1))

    def _note_deleted(self, ledger: Ledger, file: DayPath) -> None:
        """A day that the database does not have is missing from now on."""
        if not self._has_outbox or (self._copied_day is not None and file.day <= self._copied_day):
            return
        ledger.begin()
        ledger.add_gap(None, file.day * DAY_US, (file.day + 1) * DAY_US, "not copied", None)
        ledger.commit()
        self._gaps["not copied"] += 1
        self._report("gap", reason="not copied", file=file.path.name)

    def _note_loss(self, ledger: Ledger, now_us: int) -> None:
        """What was lost is a gap, once no more is lost."""
        since_us = self._queue.lost_since_us
        rows = self._queue.lost.total() - self._lost_before
        if not rows or not self._queue.end_loss():
            return
        ledger.add_gap(None, now_us if since_us is None else since_us, now_us, "overflow", rows)
        self._gaps["overflow"] += 1
        self._report("gap", reason="overflow", rows=rows)
        self._lost_before += rows

    def _report(self, event: str, **facts: object) -> None:
        self.reports.append(HistoryReport(event=event, facts=facts))


def _meta(path: Path, key: Literal["committed_us", "sealed"]) -> int | None:
    """A value of a file that is not written any more."""
    try:
        with open_read_only(path) as connection:
            return read_meta(connection, key)
    except sqlite3.Error:
        return None
