"""Copies what is committed in the history files to a database.

The files are the outbox: what was copied is noted in the database, in the transaction of the rows,
so nothing is copied twice or left out, however often either side ends. While the database is down
the files keep what it lacks.
"""

import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

from msgspec import Struct
from psycopg import Connection, sql

from realtime.history.directory import DayPath, HistoryDirectory
from realtime.history.exact import DAY_US, day_name, unpack_id
from realtime.history.outbox import KEYS
from realtime.history.postgres.connection import (
    create_partitions,
    drop_partitions,
    staging,
)
from realtime.history.postgres.schema import IDS, LEDGER_TABLES
from realtime.history.reading import open_read_only
from realtime.history.schema import READABLE, read_meta

BATCH_ROWS = 20_000
"""Rows of a transaction: some 5 MB, and a tenth of a second."""

EVENT = (
    "n", "acc", "at_us", "broker_us", "kind", "ord", "exe", "parent", "sym", "side", "qty", "px",
    "status", "source", "version", "body",
)  # fmt: skip
SNAPSHOT = ("acc", "upto", "at_us", "version", "body")
EQUITY = (
    "acc", "minute", "equity", "last_equity", "cash", "long", "short", "power", "open_orders",
    "positions", "stale", "source",
)  # fmt: skip
PRICE = ("sym", "minute", "px")


class Progress(Struct, frozen=True, kw_only=True):
    """What a pass has reached."""

    rows: int
    """Copied in this pass."""
    committed_us: int | None
    """Everything that was committed until then is in the database."""
    outbox: int
    """`outbox.n` up to which the ledger was copied."""
    complete_day: int | None
    """The newest UTC day of which, and of all days before it, every file is complete there."""
    dropped: list[str] = []
    """Days whose partitions have expired."""
    missing: list[str] = []
    """Day files that were deleted before they were copied."""


class _File(Struct):
    """One day file, as the database knows it."""

    id: int
    day: int
    events: int
    snapshots: int
    minute: int
    sealed: bool


class Shipper:
    """One directory into one schema. Call `ship` again and again; it may raise `psycopg.Error` and
    `sqlite3.Error`, and goes on where it was."""

    def __init__(self, directory: HistoryDirectory, connection: Connection) -> None:
        self._directory = directory
        self._connection = connection
        self._complete: set[str] = set()
        """Names of files that are complete in the database."""
        self._snapshots: dict[int, tuple[object, ...]] = {}
        """File → what its newest snapshots were at the last pass"""
        self._outbox = 0

    def ship(self, *, expire_before_day: int | None = None) -> Progress:
        """Copy everything that is committed now."""
        rows, committed_us, missing = 0, None, []
        files = self._directory.day_files()
        # The ledger first: its gaps must be known before a reader sees the day.
        if self._directory.ledger.exists():
            rows += self._ship_ledger()
        history = self._history_id()
        for file in files:
            if file.path.name in self._complete:
                continue
            copied, until_us = self._ship_file(file, history)
            rows += copied
            committed_us = max(filter(None, (committed_us, until_us)), default=None)
        missing = self._note_deleted({file.path.name for file in files}, history)
        open_days = [file.day for file in files if file.path.name not in self._complete]
        expired = (
            []
            if expire_before_day is None
            else drop_partitions(self._connection, expire_before_day)
        )
        return Progress(
            rows=rows,
            committed_us=committed_us,
            outbox=self._outbox,
            complete_day=min(open_days) - 1 if open_days else None,
            dropped=[day_name(day) for day in expired],
            missing=missing,
        )

    # -- day files ---------------------------------------------------------------------------------

    def _ship_file(self, path: DayPath, history: int) -> tuple[int, int | None]:
        """Copy one day file; returns its new rows, and up to when everything is copied."""
        with open_read_only(path.path) as source:
            if read_meta(source, "schema") not in READABLE:
                return 0, None
            key = read_meta(source, "id") or _key(history, path.path.name)
            source.execute("BEGIN")  # one moment of the file, while the daemon goes on writing
            committed_us = read_meta(source, "committed_us")
            sealed = read_meta(source, "sealed") is not None
            file = self._enter_file(path, key)
            if file.sealed:
                self._complete.add(path.path.name)
                return 0, committed_us
            self._copy_names(source, file)
            rows = self._copy_events(source, file)
            rows += self._copy_snapshots(source, file)
            rows += self._copy_minutes(source, file)
            is_complete = sealed and self._is_equal(source, file)
            self._connection.execute(
                "UPDATE file SET committed_us = %s, sealed = %s WHERE id = %s",
                (committed_us, 1 if is_complete else None, file.id),
            )
            if is_complete:
                self._complete.add(path.path.name)
            return rows, committed_us

    def _enter_file(self, path: DayPath, key: int) -> _File:
        row = self._connection.execute(
            "INSERT INTO file(key, day, name) VALUES (%s, %s, %s)"
            " ON CONFLICT(key) DO UPDATE SET name = excluded.name"
            " RETURNING id, day, events, snapshots, minute, sealed, xmax = 0",
            (key, path.day, path.path.name),
        ).fetchone()
        assert row is not None
        id_, day, events, snapshots, minute, sealed, is_new = row
        if is_new:
            create_partitions(self._connection, path.day)
        return _File(id_, day, events, snapshots, minute, sealed is not None)

    def _copy_names(self, source: sqlite3.Connection, file: _File) -> None:
        accounts = source.execute("SELECT n, label, number, tier, paper FROM account").fetchall()
        self._put(
            "day_account",
            ("file", "n", "label", "number", "tier", "paper"),
            [(file.id, *row) for row in accounts],
            "(file, n) DO UPDATE SET number = excluded.number"
            " WHERE day_account.number IS DISTINCT FROM excluded.number",
        )
        symbols = source.execute("SELECT n, name FROM symbol").fetchall()
        self._put(
            "day_symbol",
            ("file", "n", "name"),
            [(file.id, *row) for row in symbols],
            "DO NOTHING",
        )

    def _copy_events(self, source: sqlite3.Connection, file: _File) -> int:
        count = 0
        rows = source.execute(
            f"SELECT {', '.join(EVENT)} FROM event WHERE n > ? ORDER BY n", (file.events,)
        )
        for batch in _batches(rows):
            newest = batch[-1][0]
            self._put(
                "event",
                ("day", "file", *EVENT),
                [(file.day, file.id, *_text_ids(EVENT, row)) for row in batch],
                "DO NOTHING",
                ("UPDATE file SET events = %s WHERE id = %s", (newest, file.id)),
            )
            file.events = newest
            count += len(batch)
        return count

    def _copy_snapshots(self, source: sqlite3.Connection, file: _File) -> int:
        newest = source.execute(
            "SELECT count(*), max(at_us), sum(version), max(upto) FROM snapshot WHERE upto >= ?",
            (file.snapshots,),
        ).fetchone()
        if newest[0] == 0 or self._snapshots.get(file.id) == newest:
            return 0
        rows = source.execute(
            f"SELECT {', '.join(SNAPSHOT)} FROM snapshot WHERE upto >= ? ORDER BY upto",
            (file.snapshots,),
        )
        count = 0
        for batch in _batches(rows, 500):
            self._put(
                "snapshot",
                ("day", "file", *SNAPSHOT),
                [(file.day, file.id, *row) for row in batch],
                "(day, file, acc, upto) DO UPDATE SET at_us = excluded.at_us,"
                " version = excluded.version, body = excluded.body",
                ("UPDATE file SET snapshots = %s WHERE id = %s", (batch[-1][1], file.id)),
            )
            count += len(batch)
        file.snapshots = newest[3]
        self._snapshots[file.id] = source.execute(
            "SELECT count(*), max(at_us), sum(version), max(upto) FROM snapshot WHERE upto >= ?",
            (file.snapshots,),
        ).fetchone()
        return count

    def _copy_minutes(self, source: sqlite3.Connection, file: _File) -> int:
        """Prices and equity; a minute is one transaction of the file, and so it is here."""
        equity = source.execute(
            f"SELECT {', '.join(EQUITY)} FROM equity WHERE minute > ? ORDER BY minute",
            (file.minute,),
        ).fetchall()
        if not equity:
            return 0
        prices = source.execute(
            f"SELECT {', '.join(PRICE)} FROM price WHERE minute > ? ORDER BY minute",
            (file.minute,),
        ).fetchall()
        newest = equity[-1][1]
        update = ", ".join(f"{name} = excluded.{name}" for name in EQUITY[2:])
        with self._connection.transaction():
            self._put(
                "price",
                ("day", "file", *PRICE),
                [(file.day, file.id, *row) for row in prices],
                "(day, file, sym, minute) DO UPDATE SET px = excluded.px",
            )
            self._put(
                "equity",
                ("day", "file", *EQUITY),
                [(file.day, file.id, *row) for row in equity],
                f"(day, file, acc, minute) DO UPDATE SET {update}",
                ("UPDATE file SET minute = %s WHERE id = %s", (newest, file.id)),
            )
        file.minute = newest
        return len(equity)

    def _is_equal(self, source: sqlite3.Connection, file: _File) -> bool:
        """Whether a file that is over is whole in the database; otherwise it is copied again."""
        for table in ("event", "snapshot", "equity", "price"):
            mine = source.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            row = self._connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE day = %s AND file = %s").format(
                    sql.Identifier(table)
                ),
                (file.day, file.id),
            ).fetchone()
            if row is None or row[0] != mine:
                self._connection.execute(
                    "UPDATE file SET events = 0, snapshots = -1, minute = 0 WHERE id = %s",
                    (file.id,),
                )
                self._snapshots.pop(file.id, None)
                return False
        return True

    def _note_deleted(self, names: set[str], history: int) -> list[str]:
        """Files that were deleted before they were complete here leave a gap."""
        deleted = []
        for file, day, name, committed_us in self._connection.execute(
            "SELECT id, day, name, committed_us FROM file WHERE sealed IS NULL"
        ).fetchall():
            if name in names:
                continue
            end_us = (day + 1) * DAY_US
            with self._connection.transaction():
                self._connection.execute(
                    "INSERT INTO gap VALUES (%s, %s, NULL, %s, %s, 'not copied', NULL)"
                    " ON CONFLICT DO NOTHING",
                    (history, -file, committed_us or end_us - DAY_US, end_us),
                )
                self._connection.execute("UPDATE file SET sealed = 1 WHERE id = %s", (file,))
            deleted.append(name)
        return deleted

    # -- ledger ------------------------------------------------------------------------------------

    def _history_id(self) -> int:
        if not self._directory.ledger.exists():
            return 0
        with open_read_only(self._directory.ledger) as source:
            return read_meta(source, "id") or 0

    def _ship_ledger(self) -> int:
        """Copy rows of the ledger that have changed."""
        count = 0
        with open_read_only(self._directory.ledger) as source:
            source.execute("BEGIN")
            history = read_meta(source, "id") or 0
            changes = source.execute(
                "SELECT n, tbl, k1, k2 FROM outbox WHERE n > ? ORDER BY n", (self._outbox,)
            )
            names = _LedgerNames(self._connection, source)
            for batch in _batches(changes):
                with self._connection.transaction():
                    for table in LEDGER_TABLES:
                        keys = [(k1, k2) for _, name, k1, k2 in batch if name == table]
                        if keys:
                            self._put_changes(source, names, history, table, keys)
                self._outbox = batch[-1][0]
                count += len(batch)
        return count

    def _put_changes(
        self,
        source: sqlite3.Connection,
        names: "_LedgerNames",
        history: int,
        table: str,
        keys: Sequence[tuple[object, object]],
    ) -> None:
        spec, (first, second) = LEDGER_TABLES[table], KEYS[table]
        condition = f"{first} = ?" if second.isdigit() else f"{first} = ? AND {second} = ?"
        query = f"SELECT {', '.join(spec.columns)} FROM {table} WHERE {condition}"
        found = (source.execute(query, key[: condition.count("?")]).fetchone() for key in keys)
        rows = [names.convert(spec.columns, row) for row in found if row is not None]
        columns, key_columns = spec.columns, (first, second)
        if table == "gap":
            columns, key_columns = ("history", *columns), ("history", "n")
            rows = [(history, *row) for row in rows]
        update = spec.on_conflict or ", ".join(
            f"{name} = excluded.{name}" for name in columns if name not in key_columns
        )
        self._put(table, columns, rows, f"({', '.join(key_columns)}) DO UPDATE SET {update}")

    # -- the database ------------------------------------------------------------------------------

    def _put(
        self,
        table: str,
        columns: tuple[str, ...],
        rows: Sequence[Sequence[object]],
        on_conflict: str,
        mark: tuple[str, tuple[object, ...]] | None = None,
    ) -> None:
        """Insert rows in one transaction, together with the note that they were copied."""
        if not rows:
            return
        with self._connection.transaction():
            with staging(self._connection, table, columns) as copy:
                for row in rows:
                    copy.write_row(row)
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            self._connection.execute(
                sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT {}").format(
                    sql.Identifier(table),
                    names,
                    names,
                    sql.Identifier(f"staging_{table}"),
                    sql.SQL(on_conflict),
                )
            )
            self._connection.execute(
                sql.SQL("DROP TABLE {}").format(sql.Identifier(f"staging_{table}"))
            )
            if mark is not None:
                self._connection.execute(*mark)


class _LedgerNames:
    """Accounts and symbols of the ledger → those of the database, by their names."""

    def __init__(self, connection: Connection, source: sqlite3.Connection) -> None:
        accounts = source.execute("SELECT label, number, tier, paper, n FROM account").fetchall()
        symbols = source.execute("SELECT name, n FROM symbol").fetchall()
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO account(label, number, tier, paper) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT(label) DO UPDATE SET number = excluded.number"
                " WHERE account.number IS DISTINCT FROM excluded.number",
                [row[:4] for row in accounts],
            )
            cursor.executemany(
                "INSERT INTO symbol(name) VALUES (%s) ON CONFLICT DO NOTHING",
                [row[:1] for row in symbols],
            )
        by_label: dict[Any, Any] = dict(
            connection.execute("SELECT label, n FROM account").fetchall()
        )
        by_name: dict[Any, Any] = dict(connection.execute("SELECT name, n FROM symbol").fetchall())
        self._maps = {
            "acc": {row[4]: by_label[row[0]] for row in accounts},
            "sym": {row[1]: by_name[row[0]] for row in symbols},
        }

    def convert(self, columns: Sequence[str], row: Sequence[object]) -> tuple[object, ...]:
        """A row of the ledger as the database has it."""
        return tuple(
            self._maps[name][value] if name in self._maps and value is not None else value
            for name, value in zip(columns, _text_ids(columns, row), strict=True)
        )


def _text_ids(columns: Sequence[str], row: Sequence[Any]) -> tuple[object, ...]:
    return tuple(
        unpack_id(value) if name in IDS else value for name, value in zip(columns, row, strict=True)
    )


def _batches(rows: Iterable[Any], size: int = BATCH_ROWS) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(islice(rows, size)):
        yield batch


def _key(history: int, name: str) -> int:
    """The key of a file that an earlier version made, without one."""
    digest = sha256(f"{history}/{name}".encode()).digest()
    return int(struct.unpack(">Q", digest[:8])[0]) >> 2
