"""The file for what is kept for long: fills, final orders, quarters of an hour, days."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from realtime.core.model import Order, position_symbol
from realtime.core.state import Execution
from realtime.core.timestamps import microseconds
from realtime.history.changes import enter_everything, keep_changes
from realtime.history.day_file import CHECKPOINT_BYTES, Names, connect, random_id
from realtime.history.exact import QUARTER_US, pack_id, quantity
from realtime.history.outbox import keep_outbox
from realtime.history.schema import LEDGER, SCHEMA

CLOSE_TOLERANCE_US = 30 * 60 * 1_000_000
"""A day whose last own minute is this much before its close counts as not recorded."""

DAY_COLUMNS = (
    "open", "high", "low", "close", "peak", "drawdown", "realized", "trades", "wins", "losses",
    "gross_win", "gross_loss", "turnover", "exposure_avg", "orders", "rejected", "stale_s",
    "minutes", "gaps",
)  # fmt: skip


class Activity(Struct, frozen=True, kw_only=True, gc=False):
    """An activity of the broker's that is no execution. Money of 10⁻⁴, quantities of 10⁻⁹."""

    id: str
    type: str
    at_us: int
    day: int
    """The trading day that it counts in, days since 1970."""
    is_timed: bool
    """Whether `at_us` is when it happened, and not only on its date."""
    amount: int | None = None
    symbol: str | None = None
    qty: int | None = None
    price: int | None = None
    status: str | None = None


class Ledger:
    """The ledger, while it is written. Use between `begin` and `commit`. `has_outbox`: a database
    is to have its changes, too."""

    def __init__(self, path: Path, *, has_outbox: bool = False) -> None:
        self.path = path
        self._has_outbox = has_outbox
        self._connection = connect(path)
        try:
            self._connection.executescript("BEGIN;" + LEDGER + "COMMIT;")
            self._connection.execute(
                "INSERT OR IGNORE INTO meta(key, value) VALUES ('schema', ?), ('id', ?)",
                (SCHEMA, random_id()),
            )
            keep_outbox(self._connection, is_wanted=has_outbox)
            keep_changes(self._connection)
            self.names = Names(self._connection, by_number=False)
        except sqlite3.Error:
            self._connection.close()
            raise

    def begin(self) -> None:
        """Begin a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Make what was added durable."""
        self._connection.execute("COMMIT")
        try:
            is_large = Path(f"{self.path}-wal").stat().st_size > CHECKPOINT_BYTES
        except OSError:
            return
        if is_large:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def rollback(self) -> None:
        """Undo what was added since `begin`."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self.names = Names(self._connection, by_number=False)

    def add_fill(
        self, account: int, execution: Execution, *, realized: int | None, source: str
    ) -> bool:
        """Add an execution; returns whether it was new. One that is known stays as it is."""
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO fill(acc, exe, ord, at_us, sym, side, qty, px, realized, source)"
            " VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                account,
                pack_id(execution.execution_id),
                pack_id(execution.order_id),
                microseconds(execution.at) if execution.at else None,
                self.names.symbol(position_symbol(execution.symbol)),
                execution.side,
                quantity(execution.qty),
                quantity(execution.price),
                realized,
                source,
            ),
        )
        return cursor.rowcount == 1

    def unresolved(self, account: int, executions: Iterable[Execution]) -> list[Execution]:
        """Those executions that are not known yet, or whose result is not."""
        known = "SELECT 1 FROM fill WHERE acc = ? AND exe = ? AND realized IS NOT NULL"
        return [
            execution
            for execution in executions
            if not self._connection.execute(
                known, (account, pack_id(execution.execution_id))
            ).fetchone()
        ]

    def set_realized(self, account: int, execution: Execution, realized: int) -> None:
        """Set the result of an execution that was not known."""
        self._connection.execute(
            "UPDATE fill SET realized = ? WHERE acc = ? AND exe = ? AND realized IS NULL",
            (realized, account, pack_id(execution.execution_id)),
        )

    def has_other_changes(self, account: int, symbol: str) -> bool:
        """Whether an activity that is no execution may have changed a position: a split, an
        expiry, a transfer of shares. A dividend does not."""
        row = self._connection.execute(
            "SELECT 1 FROM activity JOIN symbol ON symbol.n = sym WHERE acc = ? AND name = ?"
            " AND coalesce(qty, 0) != 0 AND type NOT LIKE 'DIV%' LIMIT 1",
            (account, symbol),
        ).fetchone()
        return row is not None

    def first_day(self, account: int) -> int | None:
        """The first UTC day of which an account has sums."""
        row = self._connection.execute(
            "SELECT min(day) FROM day WHERE acc = ?", (account,)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def remove_fill(self, account: int, execution: Execution, at_us: int) -> None:
        """Mark an execution as busted."""
        self._connection.execute(
            "UPDATE fill SET removed_us = ? WHERE acc = ? AND exe = ?",
            (at_us, account, pack_id(execution.execution_id)),
        )

    def add_final(self, account: int, order: Order) -> None:
        """Add an order that is closed, or replace it by a later version."""
        self._connection.execute(
            "INSERT OR REPLACE INTO final(acc, ord, client_order_id, sym, side, type, tif,"
            " qty, filled, avg_px, status, submitted_us, final_us)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                account,
                pack_id(order.id),
                order.client_order_id,
                self.names.symbol(None if order.symbol is None else position_symbol(order.symbol)),
                order.side,
                order.type,
                order.time_in_force,
                quantity(order.qty),
                quantity(order.filled_qty),
                quantity(order.filled_avg_price),
                order.status,
                microseconds(order.submitted_at) if order.submitted_at else None,
                microseconds(order.updated_at) if order.updated_at else None,
            ),
        )

    def add_gap(
        self, account: int | None, from_us: int, to_us: int | None, reason: str, rows: int | None
    ) -> None:
        """Say that what happened meanwhile is missing."""
        self._connection.execute(
            "INSERT INTO gap(acc, from_us, to_us, reason, rows) VALUES (?,?,?,?,?)",
            (account, from_us, to_us, reason, rows),
        )

    def put_quarter(self, values: tuple[object, ...]) -> None:
        """Write a quarter of an hour of one account."""
        self._connection.execute(
            "INSERT OR REPLACE INTO equity15(acc, slot, open, high, low, close, exposure,"
            " stale_s, source)"
            " VALUES (?,?,?,?,?,?,?,?,?)",
            values,
        )

    def add_quarter(self, account: int, slot: int, equity: int) -> None:
        """Add a quarter of an hour by the broker's portfolio history, where there is none yet."""
        self._connection.execute(
            "INSERT OR IGNORE INTO equity15(acc, slot, open, high, low, close, exposure,"
            " stale_s, source)"
            " VALUES (?,?,?,?,?,?,NULL,0,'broker')",
            (account, slot, equity, equity, equity, equity),
        )

    def put_day(self, account: int, day: int, values: dict[str, int | None]) -> None:
        """Write a day of one account."""
        marks = ",".join("?" * (len(DAY_COLUMNS) + 2))
        self._connection.execute(
            f"INSERT OR REPLACE INTO day(acc, day, {', '.join(DAY_COLUMNS)}) VALUES ({marks})",
            (account, day, *(values.get(column) for column in DAY_COLUMNS)),
        )

    def day(self, account: int, day: int) -> dict[str, int | None] | None:
        """What was written of a day before."""
        row = self._connection.execute(
            f"SELECT {','.join(DAY_COLUMNS)} FROM day WHERE acc = ? AND day = ?", (account, day)
        ).fetchone()
        return None if row is None else dict(zip(DAY_COLUMNS, row, strict=True))

    def close_day(self, account: int, day: int) -> tuple[int, int, int] | None:
        """Averages of exposure, gross and net, and how many minutes are in them, as written of a
        trading day before."""
        row = self._connection.execute(
            "SELECT coalesce(gross, 0), coalesce(net, 0), coalesce(minutes, 0) FROM close"
            " WHERE acc = ? AND day = ?",
            (account, day),
        ).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def put_close(self, values: tuple[object, ...]) -> None:
        """Write the equity of one account and trading day."""
        self._connection.execute(
            "INSERT OR REPLACE INTO close(acc, day, at_us, equity, gross, net, minutes, source)"
            " VALUES (?,?,?,?,?,?,?,'own')",
            values,
        )

    def add_close(self, account: int, day: int, at_us: int, equity: int) -> None:
        """Add a trading day by the broker's portfolio history, where the close was not recorded."""
        self._connection.execute(
            "INSERT INTO close(acc, day, at_us, equity, gross, net, minutes, source)"
            " VALUES (?,?,?,?,NULL,NULL,NULL,'broker') ON CONFLICT DO UPDATE"
            " SET equity = excluded.equity, at_us = excluded.at_us, source = 'broker'"
            " WHERE close.source = 'broker' OR close.at_us < ?",
            (account, day, at_us, equity, at_us - CLOSE_TOLERANCE_US),
        )

    def put_day_price(self, symbol: int, day: int, price: int) -> None:
        """Write the last price of a symbol on a trading day."""
        self._connection.execute(
            "INSERT OR REPLACE INTO day_price(sym, day, px) VALUES (?,?,?)", (symbol, day, price)
        )

    def add_activity(self, account: int, activity: Activity) -> None:
        """Add an activity, or replace it by its later status."""
        self._connection.execute(
            "INSERT OR REPLACE INTO activity(acc, id, type, at_us, day, is_timed, amount,"
            " sym, qty, px, status)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                account,
                activity.id,
                activity.type,
                activity.at_us,
                activity.day,
                int(activity.is_timed),
                activity.amount,
                self.names.symbol(activity.symbol),
                activity.qty,
                activity.price,
                activity.status,
            ),
        )

    def add_origin(self, account: int, order: Order, parent: str | None) -> None:
        """Add what an order comes from; a parent that becomes known later is added."""
        self._connection.execute(
            "INSERT INTO origin(acc, ord, client_order_id, parent, replaces)"
            " VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE"
            " SET parent = coalesce(origin.parent, excluded.parent),"
            " replaces = coalesce(origin.replaces, excluded.replaces)",
            (
                account,
                pack_id(order.id),
                order.client_order_id,
                pack_id(parent),
                pack_id(order.replaces),
            ),
        )

    def identity(self, account: int) -> str | None:
        """The broker's account that a label had last."""
        row = self._connection.execute(
            "SELECT account_id FROM identity WHERE acc = ? ORDER BY from_us DESC LIMIT 1",
            (account,),
        ).fetchone()
        return None if row is None else str(row[0])

    def add_identity(self, account: int, at_us: int, account_id: str, number: str) -> None:
        """Say that a label is another account of the broker's from now on."""
        self._connection.execute(
            "INSERT OR REPLACE INTO identity(acc, from_us, account_id, number) VALUES (?,?,?,?)",
            (account, at_us, account_id, number),
        )

    def put_report(self, account: int, day: int, body: str) -> None:
        """Write the quality of one account's connection on a UTC day."""
        self._connection.execute(
            "INSERT OR REPLACE INTO report(acc, day, body) VALUES (?,?,?)", (account, day, body)
        )

    def remove_from_outbox(self, upto: int) -> None:
        """Forget changes that are in the database."""
        if self._has_outbox:
            self._connection.execute("DELETE FROM outbox WHERE n <= ?", (upto,))

    def prune(self, before_us: int) -> None:
        """Forget fills, final orders with what they come from, and quarters of an hour from before
        a time. An order that another one replaces, or is a leg of, stays as long as that one."""
        enter_everything(self._connection)
        self._connection.execute(
            "DELETE FROM origin WHERE EXISTS (SELECT 1 FROM final WHERE final.acc = origin.acc"
            " AND final.ord = origin.ord AND final_us < ?) AND (acc, ord) NOT IN"
            " (SELECT acc, parent FROM origin WHERE parent IS NOT NULL"
            " UNION SELECT acc, replaces FROM origin WHERE replaces IS NOT NULL)",
            (before_us,),
        )
        self._connection.execute("DELETE FROM fill WHERE at_us < ?", (before_us,))
        self._connection.execute("DELETE FROM final WHERE final_us < ?", (before_us,))
        self._connection.execute("DELETE FROM equity15 WHERE slot < ?", (before_us // QUARTER_US,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
