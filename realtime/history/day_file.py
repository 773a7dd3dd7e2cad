"""One UTC day's file, while it is written. One connection writes; it alone checkpoints."""

import os
import sqlite3
import zlib
from pathlib import Path

from realtime.history.differences import EventRow, Source, state_body
from realtime.history.directory import FILE_MODE
from realtime.history.exact import MINUTE_US, pack_id, quantity
from realtime.history.schema import DAY, SCHEMA, read_meta
from realtime.store.records import Record

CHECKPOINT_BYTES = 16 * 1024 * 1024
"""The write-ahead log is copied into the file when it is larger."""


def connect(path: Path) -> sqlite3.Connection:
    """Open a file for writing, durable at each commit. Raises `sqlite3.Error` and `OSError`."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))
    os.chmod(path, FILE_MODE)
    connection = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Names:
    """Accounts and symbols as the small integers that rows carry. `by_number`: a label that becomes
    another account of the broker's is another account."""

    def __init__(self, connection: sqlite3.Connection, *, by_number: bool = True) -> None:
        self._connection = connection
        self._by_number = by_number
        self._accounts: dict[tuple[str, str | None], int] = {}
        """Label and the broker's number of the account → n"""
        self._newest: dict[str, int] = {}
        for label, number, n in connection.execute(
            "SELECT label, number, n FROM account ORDER BY n"
        ):
            self._accounts[label, number if by_number else None] = self._newest[label] = n
        self._symbols: dict[str, int] = dict(
            connection.execute("SELECT name, n FROM symbol").fetchall()
        )

    def account(self, record: Record) -> int:
        """The number of an account, which is entered if it is new. While the broker's account is
        not known, it is the one that the label was last."""
        label, account = record.profile.label, record.state.account
        number = None if account is None else account.account_number
        key = (label, number if self._by_number else None)
        known = self._accounts.get(key)
        if known is not None:
            return known
        if number is None and label in self._newest:
            return self._newest[label]
        unknown = self._accounts.pop((label, None), None)
        if unknown is not None:
            self._connection.execute("UPDATE account SET number = ? WHERE n = ?", (number, unknown))
            self._accounts[key] = unknown
            return unknown
        self._connection.execute(
            "INSERT INTO account(label, number, tier, paper) VALUES (?, ?, ?, ?)",
            (label, number, record.profile.tier, int(record.profile.paper)),
        )
        n = self._last_id()
        self._accounts[key] = self._newest[label] = n
        return n

    def symbol(self, name: str | None) -> int | None:
        """The number of a symbol, which is entered if it is new."""
        if name is None:
            return None
        known = self._symbols.get(name)
        if known is not None:
            return known
        self._connection.execute("INSERT INTO symbol(name) VALUES (?)", (name,))
        self._symbols[name] = n = self._last_id()
        return n

    def _last_id(self) -> int:
        return int(self._connection.execute("SELECT last_insert_rowid()").fetchone()[0])


class DayFile:
    """One day. Use between `begin` and `commit`."""

    def __init__(self, path: Path, day: int) -> None:
        self.path = path
        self.day = day
        self._connection = connect(path)
        try:
            self._prepare()
            self.names = Names(self._connection)
            self.rows = self._newest()
        except sqlite3.Error:
            self._connection.close()
            raise

    def begin(self) -> None:
        """Begin a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self, at_us: int) -> None:
        """Make what was added durable. Raises `sqlite3.Error`; then nothing was added."""
        self._connection.execute(
            "INSERT OR REPLACE INTO meta(key, value) VALUES ('committed_us', ?)", (at_us,)
        )
        self._connection.execute("COMMIT")
        if self._wal_size() > CHECKPOINT_BYTES:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rollback(self) -> None:
        """Undo what was added since `begin`."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self.names = Names(self._connection)
        self.rows = self._newest()

    def add_event(
        self,
        account: int,
        at_us: int,
        version: int,
        source: Source,
        row: EventRow,
        broker_us: int | None,
    ) -> None:
        """Add one row."""
        self.rows += 1
        self._connection.execute(
            "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                self.rows,
                account,
                at_us,
                broker_us,
                row.kind,
                pack_id(row.order_id),
                pack_id(row.execution_id),
                pack_id(row.parent),
                self.names.symbol(row.symbol),
                row.side,
                quantity(row.qty),
                quantity(row.price),
                row.status,
                source,
                version,
                None if row.body is None else row.body.decode(),
            ),
        )

    def add_snapshot(self, account: int, at_us: int, record: Record) -> None:
        """Add the whole state of an account as of the newest row."""
        self._connection.execute(
            "INSERT OR REPLACE INTO snapshot VALUES (?,?,?,?,?)",
            (account, self.rows, at_us, record.version, zlib.compress(state_body(record), 1)),
        )

    def add_equity(self, values: tuple[object, ...]) -> None:
        """Add one account's minute."""
        self._connection.execute(
            "INSERT OR REPLACE INTO equity VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", values
        )

    def add_price(self, symbol: int | None, minute: int, price: int | None) -> None:
        """Add one symbol's price of a minute."""
        if symbol is not None and price is not None:
            self._connection.execute(
                "INSERT OR REPLACE INTO price VALUES (?,?,?)", (symbol, minute, price)
            )

    def committed_us(self) -> int | None:
        """When the last transaction was committed."""
        return read_meta(self._connection, "committed_us")

    def seal(self) -> None:
        """Write everything into the one file, and close it: it is never written again."""
        self._connection.execute("INSERT OR REPLACE INTO meta(key, value) VALUES ('sealed', 1)")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.execute("PRAGMA journal_mode=DELETE")
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _prepare(self) -> None:
        empty = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if empty:
            self._connection.executescript("BEGIN;" + DAY + "COMMIT;")
            self._connection.execute(
                "INSERT INTO meta(key, value) VALUES ('schema', ?), ('day', ?), ('id', ?)",
                (SCHEMA, self.day, random_id()),
            )
            return
        if read_meta(self._connection, "schema") != SCHEMA:
            raise sqlite3.DatabaseError("another version of realtime wrote this file")
        if read_meta(self._connection, "sealed") is not None:
            raise sqlite3.DatabaseError("the file is sealed")

    def _newest(self) -> int:
        row = self._connection.execute("SELECT max(n) FROM event").fetchone()
        return int(row[0] or 0)

    def _wal_size(self) -> int:
        try:
            return os.stat(f"{self.path}-wal").st_size
        except OSError:
            return 0


def random_id() -> int:
    """A number that names a file wherever its rows are copied to."""
    return int.from_bytes(os.urandom(8), "big") >> 2


def minute_of(at_us: int) -> int:
    """The minute that a time is in, counted from 1970."""
    return at_us // MINUTE_US
