"""Messages that were not delivered yet, in one SQLite file among those of history.

A message is committed here before it is sent, and deleted after its receiver has confirmed it: a
process that is killed in between sends it again, under the same id. Used by one thread at a time.
"""

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

from msgspec import Struct

from realtime.history.day_file import CHECKPOINT_BYTES, connect
from realtime.history.directory import (
    FILE_MODE,
    OUTBOX_NAME,
    HistoryDirectory,
    HistoryUnavailable,
    set_aside,
)
from realtime.history.status import is_damaged

NAME, LOCK_NAME = OUTBOX_NAME, "outbox.lock"

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message(
    n INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: it is part of the id
    webhook TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, parked INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS webhook(name TEXT PRIMARY KEY, parked TEXT, lost INTEGER DEFAULT 0)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS loss(
    webhook TEXT, account TEXT, since REAL, until REAL, lost INTEGER,
    PRIMARY KEY(webhook, account)) WITHOUT ROWID;
"""


class StoredMessage(Struct, eq=False, gc=False):
    """What is kept in memory of a message: all but its body."""

    n: int
    webhook: str
    account: str
    kind: str
    size: int
    attempts: int = 0
    is_parked: bool = False


class Loss(Struct, frozen=True):
    """Events of an account that found no room, until a `gap` reports them."""

    since: float
    until: float
    lost: int


class NewMessage(Struct, frozen=True, gc=False):
    """A message to insert; with `replaces`, a newer state in place of one that was never sent."""

    webhook: str
    account: str
    kind: str
    body: bytes
    replaces: int | None = None


class Writes(Struct, kw_only=True):
    """One transaction."""

    messages: list[NewMessage] = []
    delivered: list[int] = []
    failed: list[tuple[int, int, bool]] = []
    """Number, attempts, whether it is parked."""
    parked_webhooks: dict[str, str | None] = {}
    """Webhook → why it is parked; None: it is not any more."""
    unparked: list[str] = []
    """Webhooks whose messages are to be sent again from the first attempt on."""
    losses: list[tuple[str, str, Loss | None]] = []
    """Webhook, account, events without room; None: a message reports them."""
    stored_at: float | None = None
    """The newest event that was handled, epoch seconds."""


class OutboxContent(Struct, frozen=True, kw_only=True):
    """Everything that the file holds, except bodies."""

    stored_at: float | None
    messages: list[StoredMessage]
    parked: dict[str, str]
    losses: list[tuple[str, str, Loss]]
    known: frozenset[str]
    """Webhooks that were configured before."""


class Outbox:
    """The file. Raises `sqlite3.Error`, `OSError` or `HistoryUnavailable`."""

    def __init__(self, directory: Path) -> None:
        self._directory = HistoryDirectory(directory)
        self.path = directory / NAME
        self.set_aside: Path | None = None
        """The new name of a damaged file, if there was one."""
        self._lock: int | None = None
        self._connection: sqlite3.Connection | None = None
        self._id = ""

    def open(self, now: float) -> None:
        """Open the file, or create it. A damaged one is set aside.

        Numbers go on from the time in µs, `now` in epoch seconds: a file that is a restored copy
        must not use the numbers again that were used after it was copied, for receivers would take
        the new messages for old ones.
        """
        self._directory.prepare()
        self._take_lock()
        try:
            self._connect()
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise
            self.set_aside = set_aside(self.path)
            self._connect()
        self._skip_numbers(int(now * 1e6))

    def read(self, webhooks: Iterable[str]) -> OutboxContent:
        """Read what is stored, and delete what belongs to webhooks that do not exist any more."""
        db = self._db
        known = frozenset(name for (name,) in db.execute("SELECT name FROM webhook"))
        self.set_webhooks(webhooks)
        rows = db.execute(
            "SELECT n, webhook, account, kind, length(body), attempts, parked"
            " FROM message ORDER BY n"
        )
        stored_at = db.execute("SELECT value FROM meta WHERE key = 'stored_at'").fetchone()
        return OutboxContent(
            stored_at=None if stored_at is None else float(stored_at[0]),
            messages=[
                StoredMessage(n, webhook, account, kind, size, attempts, bool(parked))
                for n, webhook, account, kind, size, attempts, parked in rows
            ],
            parked={
                name: reason
                for name, reason in db.execute("SELECT name, parked FROM webhook")
                if reason is not None
            },
            losses=[
                (webhook, account, Loss(since, until, lost))
                for webhook, account, since, until, lost in db.execute("SELECT * FROM loss")
            ],
            known=known,
        )

    def set_webhooks(self, webhooks: Iterable[str]) -> None:
        """Add these webhooks, and delete what belongs to any other."""
        db, names = self._db, list(webhooks)
        marks = ",".join("?" * len(names))
        db.execute("BEGIN IMMEDIATE")
        for table, column in (("message", "webhook"), ("loss", "webhook"), ("webhook", "name")):
            db.execute(f"DELETE FROM {table} WHERE {column} NOT IN ({marks})", names)
        db.executemany("INSERT OR IGNORE INTO webhook(name) VALUES (?)", [(n,) for n in names])
        db.execute("COMMIT")

    def write(self, writes: Writes) -> list[int]:
        """Commit everything, or nothing; returns the number of each message."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            numbers = self._put_all(writes.messages)
            db.executemany("DELETE FROM message WHERE n = ?", [(n,) for n in writes.delivered])
            db.executemany(
                "UPDATE message SET attempts = ?2, parked = ?3 WHERE n = ?1", writes.failed
            )
            db.executemany(
                "UPDATE webhook SET parked = ?2 WHERE name = ?1",
                list(writes.parked_webhooks.items()),
            )
            db.executemany(
                "UPDATE message SET attempts = 0, parked = 0 WHERE webhook = ?",
                [(name,) for name in writes.unparked],
            )
            for webhook, account, loss in writes.losses:
                self._put_loss(webhook, account, loss)
            if writes.stored_at is not None:
                db.execute(
                    "INSERT OR REPLACE INTO meta VALUES ('stored_at', ?)", (writes.stored_at,)
                )
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if _size(f"{self.path}-wal") > CHECKPOINT_BYTES:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return numbers

    def load(self, numbers: Sequence[int]) -> dict[int, bytes]:
        """Number → body."""
        marks = ",".join("?" * len(numbers))
        query = f"SELECT n, body FROM message WHERE n IN ({marks})"
        return {n: bytes(body) for n, body in self._db.execute(query, list(numbers))}

    def message_id(self, n: int) -> str:
        """The id of a message: the same at every attempt, and in no other file."""
        return f"msg_{self._id}{n}"

    def close(self) -> None:
        """Close the file, and let another process use it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(_size(f"{self.path}{suffix}") for suffix in ("", "-wal", "-shm"))

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            raise sqlite3.OperationalError("the outbox is not open")
        return self._connection

    def _put_all(self, messages: Sequence[NewMessage]) -> list[int]:
        """Insert or replace in two statements: SQLite does the work without the interpreter."""
        row = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'message'").fetchone()
        following = count(1 if row is None else int(row[0]) + 1)
        numbers = [next(following) if m.replaces is None else m.replaces for m in messages]
        pairs = list(zip(numbers, messages, strict=True))
        self._db.executemany(
            "INSERT INTO message(n, webhook, account, kind, body) VALUES (?, ?, ?, ?, ?)",
            [(n, m.webhook, m.account, m.kind, m.body) for n, m in pairs if m.replaces is None],
        )
        self._db.executemany(
            "UPDATE message SET body = ? WHERE n = ?",
            [(m.body, n) for n, m in pairs if m.replaces is not None],
        )
        return numbers

    def _put_loss(self, webhook: str, account: str, loss: Loss | None) -> None:
        if loss is None:
            self._db.execute(
                "DELETE FROM loss WHERE webhook = ? AND account = ?", (webhook, account)
            )
            return
        self._db.execute(
            "INSERT OR REPLACE INTO loss VALUES (?, ?, ?, ?, ?)",
            (webhook, account, loss.since, loss.until, loss.lost),
        )

    def _connect(self) -> None:
        self._connection = connect(self.path)
        try:
            self._connection.executescript(SCHEMA)
            self._connection.execute(
                "INSERT OR IGNORE INTO meta VALUES ('id', ?)", (secrets.token_hex(6) + "x",)
            )
            row = self._connection.execute("SELECT value FROM meta WHERE key = 'id'").fetchone()
            self._connection.execute("SELECT count(*) FROM message").fetchone()
        except sqlite3.Error:
            self._connection.close()
            self._connection = None
            raise
        self._id = str(row[0])

    def _skip_numbers(self, first: int) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        if not db.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'message'", (first,)
        ).rowcount:
            db.execute("INSERT INTO sqlite_sequence(name, seq) VALUES ('message', ?)", (first,))
        db.execute("COMMIT")

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        path = self._directory.path / LOCK_NAME
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise HistoryUnavailable(
                f"webhooks: another daemon sends from {self._directory.path}",
                remedy="stop it, or set [history] path to another directory",
            ) from error
        self._lock = descriptor


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
