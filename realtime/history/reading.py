"""Reads history files, one by one: a damaged day affects its own results only."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from realtime.errors import RealtimeError
from realtime.history.directory import DayPath, HistoryDirectory
from realtime.history.exact import day_number
from realtime.history.schema import READABLE, read_meta

PROGRESS_STEPS = 10_000
"""Virtual-machine instructions of SQLite between two looks at the clock: about a millisecond."""


class NoHistory(RealtimeError):
    """Nothing was recorded of that time. `earliest_us` is the first time there is something of."""

    def __init__(self, message: str, *, earliest_us: int | None = None) -> None:
        super().__init__(message)
        self.earliest_us = earliest_us


class QueryTimeout(RealtimeError):
    """The query took longer than its limit."""


def open_read_only(path: Path) -> closing[sqlite3.Connection]:
    """A connection that cannot write, for a `with` block. Raises `sqlite3.Error`.

    The path is quoted: `#`, `?` and `%` mean something in a URI, and SQLite would open, or create,
    another file.
    """
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))


def is_whole(path: Path) -> bool:
    """Whether SQLite finds no damage in a file: it reads all of it, a second for each 500 MB."""
    try:
        with open_read_only(path) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error:
        return False


class Rows(Protocol):
    """Runs a query in one day's tables."""

    def __call__(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows."""


class HistoryReader(Protocol):
    """Reads history where it is: the same SQL for files and for a database."""

    def open_day(self, file: DayPath) -> AbstractContextManager[Rows]:
        """The tables of one day file. Raises `DayUnreadable`."""

    def read_ledger(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of the ledger; none where it does not exist yet."""

    def day_files(self) -> list[DayPath]:
        """All day files, oldest first."""


class DayUnreadable(RealtimeError):
    """A day file is damaged, or of another version."""


def read_day(
    reader: HistoryReader, file: DayPath, sql: str, parameters: Sequence[object] = ()
) -> list[Any]:
    """Rows of a day; none where its file is damaged."""
    try:
        with reader.open_day(file) as rows:
            return rows(sql, parameters)
    except DayUnreadable:
        return []


def days(reader: HistoryReader, from_us: int, to_us: int) -> list[DayPath]:
    """Day files that may hold something of a time, oldest first."""
    first, last = day_number(from_us), day_number(to_us)
    return [file for file in reader.day_files() if first <= file.day <= last]


def days_back(reader: HistoryReader, at_us: int) -> list[DayPath]:
    """Day files of a time and before it, newest first."""
    return [file for file in reversed(reader.day_files()) if file.day <= day_number(at_us)]


class FileReader:
    """Reads one directory. `deadline` is by `time.monotonic`; later the query fails."""

    def __init__(self, directory: HistoryDirectory, *, deadline: float | None = None) -> None:
        self.directory = directory
        self._deadline = deadline

    @contextmanager
    def open(self, path: Path) -> Iterator[sqlite3.Connection]:
        """A read-only connection. Raises `sqlite3.Error` where the file cannot be read."""
        with open_read_only(path) as connection:
            connection.set_progress_handler(self._check_deadline, PROGRESS_STEPS)
            if read_meta(connection, "schema") not in READABLE:
                raise sqlite3.DatabaseError(f"{path.name}: another version of realtime wrote it")
            try:
                yield connection
            except sqlite3.OperationalError as error:
                if "interrupted" in str(error):
                    raise QueryTimeout(
                        "the query took too long", remedy="ask for a shorter time"
                    ) from error
                raise

    @contextmanager
    def open_day(self, file: DayPath) -> Iterator[Rows]:
        """The tables of one day file. Raises `DayUnreadable`."""
        try:
            with self.open(file.path) as connection:
                yield lambda sql, parameters=(): connection.execute(sql, parameters).fetchall()
        except sqlite3.DatabaseError as error:
            raise DayUnreadable(f"{file.path.name}: {error}") from error

    def read_ledger(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of the ledger; none where it does not exist yet. Raises `sqlite3.Error`."""
        if not self.directory.ledger.exists():
            return []
        with self.open(self.directory.ledger) as connection:
            return connection.execute(sql, parameters).fetchall()

    def day_files(self) -> list[DayPath]:
        """All day files, oldest first."""
        return self.directory.day_files()

    def _check_deadline(self) -> int:
        return self._deadline is not None and time.monotonic() > self._deadline
