"""The process that copies the history files to a database, so that the daemon never waits for it.

`python -m realtime.history.postgres.process DIRECTORY`: settings in the environment (`Address`),
reports on stdout as lines of JSON. It ends when its stdin ends, so it does not outlive the daemon.
"""

import os
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path

import msgspec
import psycopg

from realtime.history.directory import HistoryDirectory
from realtime.history.exact import DAY_US, US
from realtime.history.postgres.address import Address, CopyReport
from realtime.history.postgres.connection import DatabaseUnusable, connect, create_tables
from realtime.history.postgres.shipper import Shipper

INTERVAL_S = 0.5
"""Between two looks at the files: how far the database is behind them."""

MAX_RETRY_S = 30.0
RETENTION_S = 3600.0
NICENESS = 5


def main() -> None:
    """Copy until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the daemon's; it ends us
    os.nice(NICENESS)
    address = Address.from_environment(os.environ)
    assert address is not None, "the daemon passes it"
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    copier = Copier(HistoryDirectory(Path(sys.argv[1])), address)
    while True:
        report = copier.run_pass()
        if report is not None:
            sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
            sys.stdout.buffer.flush()
        time.sleep(copier.delay_s)


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)  # a transaction that is open is undone by the server


class Copier:
    """Passes over the files, with a connection that is made again when it is lost."""

    def __init__(self, directory: HistoryDirectory, address: Address) -> None:
        self.delay_s = INTERVAL_S
        """Until the next pass."""
        self._directory = directory
        self._address = address
        self._connection: psycopg.Connection | None = None
        self._shipper: Shipper | None = None
        self._retention_at = 0.0
        self._last: CopyReport | None = None

    def run_pass(self) -> CopyReport | None:
        """Copy what is committed; what to report, if it is news."""
        try:
            report = self._copy()
            self.delay_s = INTERVAL_S
        except (psycopg.Error, DatabaseUnusable) as error:
            self.close()
            self.delay_s = min(MAX_RETRY_S, self.delay_s * 2)
            report = CopyReport(error=f"{type(error).__name__}: {_first_line(error)}")
        except (sqlite3.Error, OSError) as error:
            # A file that is made, sealed or deleted at this moment; the next pass sees it.
            report = CopyReport(error=f"{type(error).__name__}: {error}")
        if report == self._last:
            return None
        self._last = report
        return report

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._shipper = None

    def _copy(self) -> CopyReport:
        if self._shipper is None:
            self._connection = connect(self._address.url, self._address.schema)
            create_tables(self._connection, self._address.schema)
            self._shipper = Shipper(self._directory, self._connection)
        expire_before = None
        if time.monotonic() >= self._retention_at:
            self._retention_at = time.monotonic() + RETENTION_S
            expire_before = int(time.time() * US) // DAY_US - self._address.days
        progress = self._shipper.ship(expire_before_day=expire_before)
        return CopyReport(
            copied_us=progress.committed_us,
            outbox=progress.outbox,
            complete_day=progress.complete_day,
            dropped=progress.dropped,
            missing=progress.missing,
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]


if __name__ == "__main__":
    main()
