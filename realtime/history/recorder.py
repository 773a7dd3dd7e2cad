"""Turns changes of accounts into rows of today's file and of the ledger."""

import time

from msgspec import Struct

from realtime.core.model import Symbol
from realtime.core.timestamps import microseconds
from realtime.core.trading_days import to_number, trading_day_at
from realtime.history.day_file import DayFile, minute_of
from realtime.history.differences import EventRow, closed_order, differences
from realtime.history.exact import DAY_US, MINUTE_S, epoch_us, quantity
from realtime.history.fills import add_fills, add_recovered_fills
from realtime.history.ledger import Ledger
from realtime.history.queue import Recorded, RecoveredHistory, ReportRow
from realtime.history.rollups import (
    QUARTER_MINUTES,
    CloseDay,
    Quarter,
    RecordedAccount,
    minute_of_record,
)
from realtime.store.records import Record

SNAPSHOT_EVENTS = 1_000
"""Events of an account between two snapshots: what a read as of a moment has to merge."""

SNAPSHOT_S = 6 * 3600
SNAPSHOTS_AT_ONCE = 25
"""Accounts whose first snapshot of a day is written in one transaction, beside the changes."""


class Files(Struct, frozen=True):
    """Where rows go."""

    day: DayFile
    ledger: Ledger


class Recorder:
    """All accounts, as they were recorded last."""

    def __init__(self) -> None:
        self.rows = 0
        """Rows of day files written since the start."""
        self._accounts: dict[str, RecordedAccount] = {}
        self._before: dict[str, tuple[Record | None, int, dict[Symbol, int]]] = {}
        """What was recorded of the accounts of this transaction before it."""
        self._minute: int | None = None

    def begin(self) -> None:
        """Begin a transaction."""
        self._before.clear()

    def rollback(self) -> None:
        """The transaction was not committed: its changes will be recorded again."""
        for label, (record, at_us, traded) in self._before.items():
            account = self._accounts.setdefault(label, RecordedAccount())
            account.record, account.at_us, account.traded = record, at_us, traded
            account.quarter = account.day = account.close = account.identity = None
        self.begin_file()

    def begin_file(self) -> None:
        """Another file was opened: each account begins with a snapshot."""
        for account in self._accounts.values():
            account.snapshot_us, account.events = None, 0

    def end_day(self) -> None:
        """The day is over."""
        for account in self._accounts.values():
            account.day = None

    def recover(self, files: Files, entry: RecoveredHistory) -> None:
        """Put what the broker knows into the ledger; what is there stays as it is."""
        account = self._accounts.get(entry.label)
        if account is None or account.record is None:
            return
        number = files.ledger.names.account(account.record)
        for order in entry.orders:
            if order.is_closed:
                files.ledger.add_final(number, order)
            files.ledger.add_origin(number, order, entry.parents.get(order.id))
        for slot, equity in entry.quarters:
            files.ledger.add_quarter(number, slot, equity)
        for day, close_us, equity in entry.closes:
            files.ledger.add_close(number, day, close_us, equity)
        for activity in entry.activities:
            files.ledger.add_activity(number, activity)
        add_recovered_fills(files.ledger, number, account, entry)

    def report(self, files: Files, entry: ReportRow) -> None:
        """Put a day of the report card into the ledger."""
        account = self._accounts.get(entry.label)
        if account is not None and account.record is not None:
            number = files.ledger.names.account(account.record)
            files.ledger.put_report(number, entry.day, entry.body)

    def record(self, files: Files, entry: Recorded, now_us: int) -> None:
        """Record how an account differs from what was recorded of it last."""
        account = self._accounts.setdefault(entry.label, RecordedAccount())
        if entry.label not in self._before:
            self._before[entry.label] = account.record, account.at_us, dict(account.traded)
        before, after = account.record, entry.record
        if after is None:
            del self._accounts[entry.label]
            if before is not None and before.has_data:
                at_us = max(account.at_us, now_us)
                number = files.day.names.account(before)
                row = EventRow(kind="removed")
                files.day.add_event(number, at_us, before.version, entry.source, row, None)
                self.rows += 1
            return
        at_us = account.at_us = max(account.at_us, epoch_us(after.as_of))
        number = files.day.names.account(after)
        if account.snapshot_us is None and before is not None and before.has_data:
            # The first change of the day: what was true until then, so that the day stands alone.
            self._snapshot(files, account, files.day.day * DAY_US, before)
        self._note_identity(files.ledger, account, after)
        rows = differences(before, after)
        is_first = after.has_data and (before is None or not before.has_data)
        for row in rows:
            self._keep(files.ledger, account, before, after, row)
            if not is_first or row.kind == "link":
                files.day.add_event(
                    number, at_us, after.version, entry.source, row, _broker_us(row)
                )
                account.events += 1
                self.rows += 1
        add_fills(files.ledger, account, before, after, rows, entry.source)
        account.record = after
        self._note_gap(files, account, before, after)
        is_due = account.snapshot_us is not None and at_us - account.snapshot_us > SNAPSHOT_S * 1e6
        if is_first or account.events >= SNAPSHOT_EVENTS or (is_due and rows):
            self._snapshot(files, account, at_us, after)

    def is_due(self, now_us: int) -> bool:
        """Whether a minute has ended, or an account still begins the day."""
        return self._minute != minute_of(now_us) or any(
            account.snapshot_us is None and account.record is not None and account.record.has_data
            for account in self._accounts.values()
        )

    def snapshot_idle(self, files: Files) -> None:
        """Begin the day for accounts in which nothing happens, a few at a time."""
        left = SNAPSHOTS_AT_ONCE
        for account in self._accounts.values():
            record = account.record
            if account.snapshot_us is None and record is not None and record.has_data:
                at_us = max(files.day.day * DAY_US, account.at_us)
                self._snapshot(files, account, at_us, record)
                left -= 1
                if not left:
                    return

    def end_minutes(self, files: Files, now_us: int) -> bool:
        """Write every account's minute if one has ended; returns whether one has."""
        minute = minute_of(now_us)
        if self._minute is None or minute < self._minute:
            self._minute = minute
        if minute == self._minute:
            return False
        self._minute = minute
        prices: dict[str, tuple[float, int]] = {}
        for account in self._accounts.values():
            record = account.record
            if record is None:
                continue
            for symbol, position in record.state.positions.items():
                price = quantity(position.current_price)
                if price is not None and prices.get(symbol, (0.0, 0))[0] <= record.as_of:
                    prices[symbol] = (record.as_of, price)
            self._end_minute(files, account, record, minute, now_us)
            time.sleep(0)
        for name, (_, price) in prices.items():
            files.day.add_price(files.day.names.symbol(name), minute, price)
            number = files.ledger.names.symbol(name)
            if number is not None and minute % QUARTER_MINUTES == 0:
                day = to_number(trading_day_at(minute * MINUTE_S))
                files.ledger.put_day_price(number, day, price)
        return True

    def _note_identity(self, ledger: Ledger, account: RecordedAccount, after: Record) -> None:
        """A label that has become another account of the broker's begins a new series."""
        known = after.state.account
        if known is None or known.id == account.identity:
            return
        number = ledger.names.account(after)
        if ledger.identity(number) != known.id:
            ledger.add_identity(number, account.at_us, known.id, known.account_number)
        account.identity = known.id

    def _snapshot(self, files: Files, account: RecordedAccount, at_us: int, record: Record) -> None:
        files.day.add_snapshot(files.day.names.account(record), at_us, record)
        account.snapshot_us, account.events = at_us, 0
        self.rows += 1

    def _note_gap(
        self, files: Files, account: RecordedAccount, before: Record | None, after: Record
    ) -> None:
        """The time in which an account was stale is a gap, once it is over."""
        if before is None or not before.link.is_stale or after.link.is_stale:
            return
        since = before.link.stale_since
        if since is None or not before.has_data:
            return
        number = files.ledger.names.account(after)
        files.ledger.add_gap(number, epoch_us(since), account.at_us, "link down", None)
        if account.day is not None:
            account.day.add_gap()

    def _keep(
        self,
        ledger: Ledger,
        account: RecordedAccount,
        before: Record | None,
        after: Record,
        row: EventRow,
    ) -> None:
        """Keep origins of orders, and orders that are final, in the ledger."""
        number = ledger.names.account(after)
        if row.order is not None and (before is None or row.order.id not in before.state.orders):
            ledger.add_origin(number, row.order, row.parent)
        order = closed_order(row)
        if order is not None:
            ledger.add_final(number, order)
            day = account.day_sums(ledger, number, account.at_us)
            day.add_order(is_rejected=order.status == "rejected")

    def _end_minute(
        self, files: Files, account: RecordedAccount, record: Record, minute: int, now_us: int
    ) -> None:
        seen = minute_of_record(record, minute)
        if seen is None:
            return
        files.day.add_equity(
            (
                files.day.names.account(record),
                *(seen.minute, seen.equity, seen.last_equity, seen.cash, seen.long, seen.short),
                *(seen.power, seen.open_orders, seen.positions, int(seen.is_stale), "own"),
            )
        )
        number = files.ledger.names.account(record)
        if account.quarter is None or account.quarter.slot != minute // QUARTER_MINUTES:
            account.quarter = Quarter(seen)
        else:
            account.quarter.add(seen)
        files.ledger.put_quarter(account.quarter.values(number))
        day = account.day_sums(files.ledger, number, now_us)
        day.add_minute(seen)
        files.ledger.put_day(number, day.day, day.values())
        if seen.is_stale:
            return
        trading_day = to_number(trading_day_at(minute * MINUTE_S))
        if account.close is None or account.close.day != trading_day:
            account.close = CloseDay(trading_day, files.ledger.close_day(number, trading_day))
        account.close.add_minute(seen)
        files.ledger.put_close(account.close.values(number))


def _broker_us(row: EventRow) -> int | None:
    return microseconds(row.broker_at) if row.broker_at else None
