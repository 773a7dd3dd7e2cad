"""What of the ledger is still to be copied to a database: its keys, in the order of changes.

SQLite enters them itself, by triggers, in the transaction of the change. They are removed when the
database has committed; a change is copied at least once. Without `[history] url` there are neither
triggers nor table.
"""

import sqlite3
from collections.abc import Iterator, Mapping

KEYS: Mapping[str, tuple[str, str]] = {
    "fill": ("acc", "exe"),
    "final": ("acc", "ord"),
    "gap": ("n", "0"),
    "equity15": ("acc", "slot"),
    "day": ("acc", "day"),
    "close": ("acc", "day"),
    "day_price": ("sym", "day"),
    "activity": ("acc", "id"),
    "origin": ("acc", "ord"),
    "identity": ("acc", "from_us"),
    "report": ("acc", "day"),
}
"""Tables of the ledger → their keys."""

TABLE = """
CREATE TABLE outbox(
    n INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, k1 NOT NULL, k2 NOT NULL,
    UNIQUE(tbl, k1, k2)          -- a row that changes again is copied once
);
"""


def keep_outbox(connection: sqlite3.Connection, *, is_wanted: bool) -> None:
    """Make the outbox, with everything that is in the ledger, or remove it."""
    exists = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone()
    if is_wanted and exists is None:
        connection.executescript("BEGIN;" + TABLE + "".join(_fill()) + "COMMIT;")
    elif not is_wanted and exists is not None:
        connection.executescript("BEGIN;" + "".join(_drop()) + "DROP TABLE outbox; COMMIT;")
    if is_wanted:
        # Also for tables that a later version has added.
        connection.executescript("BEGIN;" + "".join(_triggers()) + "COMMIT;")


def _fill() -> Iterator[str]:
    for table, (first, second) in KEYS.items():
        yield f"INSERT INTO outbox(tbl, k1, k2) SELECT '{table}', {first}, {second} FROM {table};\n"


def _triggers() -> Iterator[str]:
    for table, (first, second) in KEYS.items():
        for event in ("insert", "update"):
            last = second if second.isdigit() else f"NEW.{second}"
            yield (
                # Not INSERT OR REPLACE: the policy of the statement that fires the trigger counts.
                f"CREATE TRIGGER IF NOT EXISTS outbox_{table}_{event} AFTER {event} ON {table}"
                f" BEGIN DELETE FROM outbox"
                f" WHERE tbl = '{table}' AND k1 = NEW.{first} AND k2 = {last};"
                f" INSERT INTO outbox(tbl, k1, k2) VALUES ('{table}', NEW.{first}, {last}); END;\n"
            )


def _drop() -> Iterator[str]:
    for table in KEYS:
        for event in ("insert", "update"):
            yield f"DROP TRIGGER IF EXISTS outbox_{table}_{event};\n"
