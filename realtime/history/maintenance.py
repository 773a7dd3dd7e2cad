"""Check, back up and export history files, while a daemon writes them or not."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from msgspec import Struct

from realtime.errors import RealtimeError
from realtime.history.directory import DIRECTORY_MODE, FILE_MODE, HistoryDirectory
from realtime.history.exact import MONEY_SCALE, QTY_SCALE, day_name, instant, plain, unpack_id
from realtime.history.reading import open_read_only
from realtime.history.schema import READABLE, read_meta

Table = Literal["fills", "orders", "days"]
TABLES: tuple[Table, ...] = ("fills", "orders", "days")


class FileReport(Struct, frozen=True, kw_only=True):
    """What was found in one file."""

    name: str
    is_ok: bool
    detail: str
    size: int


def check(directory: HistoryDirectory) -> list[FileReport]:
    """The state of every file; damaged ones are named, none is changed."""
    paths = [file.path for file in directory.day_files()]
    if directory.ledger.exists():
        paths.append(directory.ledger)
    reports = [_check_file(path) for path in paths]
    for aside in sorted(directory.path.glob("*.bad")):
        size = aside.stat().st_size
        reports.append(FileReport(name=aside.name, is_ok=False, detail="set aside", size=size))
    return reports


def back_up(directory: HistoryDirectory, target: Path) -> list[Path]:
    """Copy every file into a directory; returns the copies. Raises `OSError` and `RealtimeError`.

    A day that is over is copied as a file, today's file and the ledger by SQLite, so that the copy
    is whole although the daemon goes on writing. A copy of before is replaced by a whole one only.
    """
    target.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    if directory.path.is_dir() and target.samefile(directory.path):
        raise _the_history_itself(target)
    copies = []
    sources = [file.path for file in directory.day_files()]
    if directory.ledger.exists():
        sources.append(directory.ledger)
    for source in sources:
        copy = target / source.name
        if not _is_sealed(source):
            copy_file(source, copy)
        elif not copy.exists() or copy.stat().st_size != source.stat().st_size:
            shutil.copyfile(source, copy)
        copy.chmod(FILE_MODE)
        copies.append(copy)
    return copies


def copy_file(
    source: Path, copy: Path, progress: Callable[[int, int, int], object] | None = None
) -> None:
    """Copy a file that is being written. Raises `OSError` and `RealtimeError`.

    In one step: SQLite begins again whenever another connection commits between two, and the
    daemon does so every 250 ms. It goes on committing meanwhile, into its write-ahead log.
    """
    partial = copy.with_name(f"{copy.name}.part")
    partial.unlink(missing_ok=True)
    try:
        with (
            _errors_of(source),
            open_read_only(source) as reading,
            closing(sqlite3.connect(partial)) as writing,
        ):
            reading.backup(writing, progress=progress)
        for suffix in ("-wal", "-shm"):  # of the copy before: SQLite would apply them to this one
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        os.replace(partial, copy)
    finally:
        partial.unlink(missing_ok=True)


def read_table(directory: HistoryDirectory, table: Table) -> Iterator[tuple[object, ...]]:
    """The rows of a table of the ledger, a header first. Raises `RealtimeError`."""
    with _errors_of(directory.ledger), open_read_only(directory.ledger) as connection:
        yield from _EXPORTS[table](connection)


def check_target(directory: HistoryDirectory, target: Path) -> None:
    """Raises `RealtimeError` for a file that the history consists of."""
    files = [*(file.path for file in directory.day_files()), directory.ledger]
    if target.exists() and any(file.exists() and target.samefile(file) for file in files):
        raise _the_history_itself(target)


def _the_history_itself(target: Path) -> RealtimeError:
    return RealtimeError(f"{target} is the history itself", remedy="name another target")


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise RealtimeError(
            f"{path.name}: {error}", remedy="`realtime history check` shows which file is damaged"
        ) from error


def _check_file(path: Path) -> FileReport:
    size = path.stat().st_size
    try:
        with open_read_only(path) as connection:
            if read_meta(connection, "schema") not in READABLE:
                return FileReport(
                    name=path.name, is_ok=False, detail="another version wrote it", size=size
                )
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                return FileReport(name=path.name, is_ok=False, detail=str(found), size=size)
            table = "fill" if path.name.startswith("ledger") else "event"
            rows = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return FileReport(name=path.name, is_ok=False, detail=str(error), size=size)
    sealed = ", complete" if _is_sealed(path) else ""
    return FileReport(name=path.name, is_ok=True, detail=f"{rows} {table}s{sealed}", size=size)


def _is_sealed(path: Path) -> bool:
    try:
        with open_read_only(path) as connection:
            return read_meta(connection, "sealed") is not None
    except sqlite3.DatabaseError:
        return False


def _fills(connection: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    yield (
        *("account_id", "execution_id", "order_id", "at", "symbol", "side", "qty", "price"),
        *("realized_pl", "source", "busted"),
    )
    for row in connection.execute(
        "SELECT label, exe, ord, at_us, name, side, qty, px, realized, source, removed_us FROM fill"
        " JOIN account ON account.n = acc LEFT JOIN symbol ON symbol.n = sym ORDER BY at_us"
    ):
        yield (
            *(row[0], unpack_id(row[1]), unpack_id(row[2])),
            None if row[3] is None else instant(row[3]),
            *(row[4], row[5], plain(row[6], QTY_SCALE), plain(row[7], QTY_SCALE)),
            *(plain(row[8], MONEY_SCALE), row[9], row[10] is not None),
        )


def _orders(connection: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    yield (
        *("account_id", "order_id", "client_order_id", "symbol", "side", "type", "time_in_force"),
        *("qty", "filled_qty", "filled_avg_price", "status", "submitted_at", "final_at"),
    )
    for row in connection.execute(
        "SELECT label, ord, client_order_id, name, side, type, tif, qty, filled, avg_px, status,"
        " submitted_us, final_us FROM final JOIN account ON account.n = acc"
        " LEFT JOIN symbol ON symbol.n = sym ORDER BY final_us"
    ):
        yield (
            *(row[0], unpack_id(row[1]), *row[2:7]),
            *(plain(value, QTY_SCALE) for value in row[7:10]),
            row[10],
            *(None if value is None else instant(value) for value in row[11:13]),
        )


def _days(connection: sqlite3.Connection) -> Iterator[tuple[object, ...]]:
    money = ("open", "high", "low", "close", "drawdown", "realized", "gross_win", "gross_loss")
    counts = ("trades", "wins", "losses", "orders", "rejected", "stale_s", "gaps")
    yield ("account_id", "day", *money, "turnover", *counts)
    for row in connection.execute(
        f"SELECT label, day, {', '.join(money)}, turnover, {', '.join(counts)} FROM day"
        " JOIN account ON account.n = acc ORDER BY day, label"
    ):
        yield (
            row[0],
            day_name(row[1]),
            *(plain(value, MONEY_SCALE) for value in row[2:11]),
            *row[11:],
        )


_EXPORTS = {"fills": _fills, "orders": _orders, "days": _days}
