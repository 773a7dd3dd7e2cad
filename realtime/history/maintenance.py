"""Check, back up and export history files, while a daemon writes them or not."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from realtime.errors import RealtimeError
from realtime.history.directory import DIRECTORY_MODE, FILE_MODE, HistoryDirectory
from realtime.history.reading import open_read_only
from realtime.history.schema import READABLE, read_meta


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
    if directory.webhook_outbox.exists():
        reports.append(_check_outbox(directory.webhook_outbox))
    for aside in sorted(directory.path.glob("*.bad")):
        size = aside.stat().st_size
        reports.append(FileReport(name=aside.name, is_ok=False, detail="set aside", size=size))
    return reports


def back_up(directory: HistoryDirectory, target: Path) -> list[Path]:
    """Copy every file into a directory; returns the copies. Raises `OSError` and `RealtimeError`.

    A day that is over is copied as a file, today's file and the ledger by SQLite, so that the copy
    is whole although the daemon goes on writing. A copy of before is replaced by a whole one only.

    The webhooks' outbox is not copied: it holds messages for some seconds, and a copy that is put
    back later would send again what was delivered long ago.
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
        try:
            _back_up_file(source, copy)
        except (OSError, RealtimeError):
            if source.exists():
                raise
            continue  # the daemon has deleted the day meanwhile; an older copy stays
        copies.append(copy)
    return copies


def _back_up_file(source: Path, copy: Path) -> None:
    if not _is_sealed(source):
        copy_file(source, copy)
    elif not copy.exists() or copy.stat().st_size != source.stat().st_size:
        partial = copy.with_name(f"{copy.name}.part")
        try:
            shutil.copyfile(source, partial)
            os.replace(partial, copy)
        finally:
            partial.unlink(missing_ok=True)
    copy.chmod(FILE_MODE)


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
            errors_of(source),
            open_read_only(source) as reading,
            closing(sqlite3.connect(partial)) as writing,
        ):
            reading.backup(writing, progress=progress)
        for suffix in ("-wal", "-shm"):  # of the copy before: SQLite would apply them to this one
            Path(f"{copy}{suffix}").unlink(missing_ok=True)
        os.replace(partial, copy)
    finally:
        partial.unlink(missing_ok=True)


def check_target(directory: HistoryDirectory, target: Path) -> None:
    """Raises `RealtimeError` for a file that the history consists of."""
    files = [*(file.path for file in directory.day_files()), directory.ledger]
    if target.exists() and any(file.exists() and target.samefile(file) for file in files):
        raise _the_history_itself(target)


def _the_history_itself(target: Path) -> RealtimeError:
    return RealtimeError(f"{target} is the history itself", remedy="name another target")


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Errors of SQLite in this file become `RealtimeError`."""
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


def _check_outbox(path: Path) -> FileReport:
    size = path.stat().st_size
    try:
        with open_read_only(path) as connection:
            found = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            count = connection.execute("SELECT count(*) FROM message").fetchone()[0]
    except sqlite3.DatabaseError as error:
        return FileReport(name=path.name, is_ok=False, detail=str(error), size=size)
    is_ok = found == "ok"
    detail = f"{count} messages to webhooks wait" if is_ok else found
    return FileReport(name=path.name, is_ok=is_ok, detail=detail, size=size)


def _is_sealed(path: Path) -> bool:
    try:
        with open_read_only(path) as connection:
            return read_meta(connection, "sealed") is not None
    except sqlite3.DatabaseError:
        return False
