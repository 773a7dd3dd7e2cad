"""Trading days that are over, of many accounts, in memory: read again exactly where they changed.

The ledger enters which account and day each change is of (`history.changes`). A change of a day
that is over makes its account be read again; what has happened since the last close is read at each
request in any case. Where the ledger does not enter its changes (a database, files of an earlier
version) nothing is kept.
"""

import sqlite3
from collections.abc import Sequence

from realtime.analytics.account_history import AccountHistory
from realtime.analytics.ledger_inputs import last_day_over, read_past
from realtime.analytics.recent import read_accounts, read_recent
from realtime.core.trading_days import to_number
from realtime.history.reading import FileReader, HistoryReader

MAX_FILLS = 150_000
"""Executions in memory, about 35 MB: of more, accounts are read again at each request."""


class LedgerCache:
    """Not for two threads at a time."""

    def __init__(self) -> None:
        self._histories: dict[str, AccountHistory] = {}
        self._ledger: tuple[str, str] | None = None
        """The file and its id."""
        self._first = 0
        self._sealed = 0
        """Trading days that are in memory: from, to."""
        self._seen = 0
        """The last change that is in memory."""
        self._fills = 0

    def read(
        self, reader: HistoryReader, labels: Sequence[str], first: int, now_us: int
    ) -> dict[str, AccountHistory]:
        """Label → what is known from this trading day until now."""
        latest = _latest_change(reader)
        if latest is None:
            return read_accounts(reader, labels, first, now_us)
        sealed = to_number(last_day_over(now_us))
        self._forget(reader, latest, first, sealed)
        missing = [label for label in labels if label not in self._histories]
        # The number was read first: what changes meanwhile is read once more, and never missed.
        found = read_past(reader, missing, self._first, sealed) if missing else {}
        for label, history in found.items():
            if self._fills + len(history.past_fills) <= MAX_FILLS:
                self._fills += len(history.past_fills)
                self._histories[label] = history
        known = {**found, **self._histories}
        histories = {label: known[label] for label in labels if label in known}
        read_recent(reader, histories, sealed, now_us)
        return histories

    def _forget(
        self, reader: HistoryReader, latest: tuple[str, str, int], first: int, sealed: int
    ) -> None:
        """Forget what is not as it is in the ledger."""
        *ledger, number = latest
        is_other = tuple(ledger) != self._ledger or number < self._seen or sealed != self._sealed
        if is_other or first < self._first:
            self._histories, self._fills = {}, 0
            self._first = first if is_other else min(first, self._first)
        elif number > self._seen:
            by_number = {history.number: label for label, history in self._histories.items()}
            for account, day in reader.read_ledger(
                "SELECT acc, day FROM changed WHERE n > ?", (self._seen,)
            ):
                if account == 0 and day <= sealed:
                    self._histories, self._fills = {}, 0
                    break
                label = by_number.get(account)
                if day <= sealed and label is not None and label in self._histories:
                    self._fills -= len(self._histories.pop(label).past_fills)
        self._ledger = (ledger[0], ledger[1])
        self._sealed, self._seen = sealed, number


def _latest_change(reader: HistoryReader) -> tuple[str, str, int] | None:
    """The ledger, and the number of its latest change; None: it does not enter them."""
    if not isinstance(reader, FileReader):
        return None
    try:
        rows = reader.read_ledger(
            "SELECT (SELECT value FROM meta WHERE key = 'id'), max(n) FROM changed"
        )
    except sqlite3.OperationalError:
        return None
    if not rows or rows[0][1] is None:
        return None
    return str(reader.directory.ledger), str(rows[0][0]), rows[0][1]
