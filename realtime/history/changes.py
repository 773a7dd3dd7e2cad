"""What of the ledger has changed: which account and which day, in the order of changes.

SQLite enters it by triggers, in the transaction of the change: a reader that has seen number `n`
and reads what is later knows exactly what of its memory is old. One row an account and day. What
was entered before the ledger was opened is one row, "everything", so the table stays small.
"""

import sqlite3
from collections.abc import Iterator

DAYS = {
    "close": "NEW.day",
    "activity": "NEW.day",
    "fill": "NEW.at_us / 86400000000",
    "final": "NEW.final_us / 86400000000",
    "identity": "NEW.from_us / 86400000000",
    # A gap is entered again when it ends: what it covers is older than its end.
    "gap": "NEW.from_us / 86400000000",
}
"""Tables whose changes are entered → the day of a row."""

NEXT = "(SELECT coalesce(max(n), 0) + 1 FROM changed)"


def keep_changes(connection: sqlite3.Connection) -> None:
    """Enter all changes from now on."""
    statements = "".join(
        [
            f"CREATE TEMP TABLE latest AS SELECT {NEXT} AS n;",
            "DELETE FROM changed;",
            "INSERT INTO changed(acc, day, n) SELECT 0, 0, n FROM latest;",
            "DROP TABLE latest;",
            *_triggers(),
        ]
    )
    connection.executescript(f"BEGIN;{statements}COMMIT;")


def enter_everything(connection: sqlite3.Connection) -> None:
    """Enter that any row may have changed: where rows are removed."""
    connection.execute(f"INSERT OR REPLACE INTO changed(acc, day, n) VALUES (0, 0, {NEXT})")


def _triggers() -> Iterator[str]:
    for table, day in DAYS.items():
        account = "coalesce(NEW.acc, 0)" if table == "gap" else "NEW.acc"
        for event in ("insert", "update"):
            yield _trigger(f"changed_{table}_{event} AFTER {event} ON {table}", account, day)
    for event in ("insert", "update"):
        # Equity just before a deposit: the quarter of an hour before it divides its day.
        yield _trigger(
            f"changed_equity15_{event} AFTER {event} ON equity15 WHEN NEW.source = 'own' AND EXISTS"
            " (SELECT 1 FROM activity"
            " WHERE acc = NEW.acc AND at_us / 900000000 = NEW.slot + 1)",
            "NEW.acc",
            "NEW.slot / 96",
        )


def _trigger(event: str, account: str, day: str) -> str:
    key = f"acc = {account} AND day = coalesce({day}, 0)"
    return (
        f"CREATE TRIGGER IF NOT EXISTS {event} BEGIN"
        # Not an upsert: the conflict policy of the statement that fires the trigger counts.
        f" UPDATE changed SET n = {NEXT} WHERE {key};"
        f" INSERT INTO changed(acc, day, n) SELECT {account}, coalesce({day}, 0), {NEXT}"
        f" WHERE NOT EXISTS (SELECT 1 FROM changed WHERE {key}); END;\n"
    )
