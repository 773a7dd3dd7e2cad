"""Reads history from the database, with the SQL of the files."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

from realtime.history.directory import DayPath
from realtime.history.reading import QueryTimeout, Rows

DAY_TABLES = """
WITH account AS NOT MATERIALIZED (SELECT * FROM day_account WHERE file = {file}),
symbol AS NOT MATERIALIZED (SELECT * FROM day_symbol WHERE file = {file}),
meta AS NOT MATERIALIZED (SELECT 'sealed' AS key, sealed AS value FROM file WHERE id = {file}
    AND sealed IS NOT NULL),
event AS NOT MATERIALIZED (SELECT * FROM event WHERE day = {day} AND file = {file}),
snapshot AS NOT MATERIALIZED (SELECT * FROM snapshot WHERE day = {day} AND file = {file}),
equity AS NOT MATERIALIZED (SELECT * FROM equity WHERE day = {day} AND file = {file}),
price AS NOT MATERIALIZED (SELECT * FROM price WHERE day = {day} AND file = {file})
"""
"""The tables of one day file: a name in a WITH hides the table of that name."""


class DatabaseReader:
    """Reads one schema. `deadline` is by `time.monotonic`; later the query fails."""

    def __init__(self, connection: Connection, *, deadline: float | None = None) -> None:
        self._connection = connection
        self._deadline = deadline
        self._files: list[DayPath] | None = None

    @contextmanager
    def open_day(self, file: DayPath) -> Iterator[Rows]:
        """The tables of one day file."""
        tables = DAY_TABLES.format(day=int(file.day), file=int(file.part))
        yield lambda sql, parameters=(): self._execute(tables + sql, parameters)

    def read_ledger(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Rows of the ledger's tables. Raises `psycopg.Error`."""
        return self._execute(sql, parameters)

    def day_files(self) -> list[DayPath]:
        """All day files, oldest first; a day's second file began after its first."""
        if self._files is None:
            rows = self._execute("SELECT day, id, name FROM file ORDER BY day, id", ())
            self._files = [DayPath(day, id_, Path(name)) for day, id_, name in rows]
        return self._files

    def _execute(self, sql: str, parameters: Sequence[object]) -> list[Any]:
        if self._deadline is not None:
            left_ms = int((self._deadline - time.monotonic()) * 1000)
            if left_ms <= 0:
                raise _timeout()
            self._connection.execute(f"SET statement_timeout = {left_ms}")
        try:
            # `?` marks parameters, as in SQLite; a percent sign would be one here.
            query = sql.replace("%", "%%").replace("?", "%s")
            rows: list[Any] = self._connection.execute(query, parameters).fetchall()
        except psycopg.errors.QueryCanceled as error:
            raise _timeout() from error
        return rows


def _timeout() -> QueryTimeout:
    return QueryTimeout("the query took too long", remedy="ask for a shorter time")
