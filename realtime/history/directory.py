"""The directory of the history files: their paths, who may read them, how much room they take."""

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from realtime.errors import RealtimeError
from realtime.history.exact import day_name, day_of_name

LEDGER_NAME = "ledger.sqlite"
OUTBOX_NAME = "outbox.sqlite"
LOCK_NAME = "lock"
DAY_FILE = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.sqlite")
DIRECTORY_MODE, FILE_MODE = 0o700, 0o600

NETWORK_FILE_SYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "fuse.sshfs",
        "lustre",
    }
)
"""SQLite's locks and fsync do not hold on these (sqlite.org/useovernet.html)."""


class HistoryUnavailable(RealtimeError):
    """History cannot be recorded here; everything else works."""


class AnotherWriter(HistoryUnavailable):
    """Another process writes the directory."""


class DayPath(Struct, frozen=True, order=True):
    """One day file. A day has a second part where the first one could not be opened."""

    day: int
    part: int
    path: Path


class HistoryDirectory:
    """Paths below one directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def ledger(self) -> Path:
        """The file for what is kept for long."""
        return self.path / LEDGER_NAME

    @property
    def webhook_outbox(self) -> Path:
        """The file of the webhooks' undelivered messages."""
        return self.path / OUTBOX_NAME

    def prepare(self) -> None:
        """Create the directory, for its owner only. Raises `HistoryUnavailable`."""
        try:
            self.path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
            os.chmod(self.path, DIRECTORY_MODE)
        except OSError as error:
            raise HistoryUnavailable(
                f"history: {self.path}: {error.strerror}",
                remedy="make the directory writable, or set [history] path",
            ) from error
        kind = file_system(self.path)
        if kind in NETWORK_FILE_SYSTEMS:
            raise HistoryUnavailable(
                f"history: {self.path} is on a network file system ({kind})",
                remedy="set [history] path to a local disk: SQLite needs its locks and fsync",
            )

    def lock(self) -> None:
        """Take the directory for this process until `unlock`. Raises `HistoryUnavailable` if
        another process writes it."""
        if self._lock is not None:
            return
        descriptor = os.open(
            self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise AnotherWriter(
                f"history: another daemon writes {self.path}",
                remedy="stop it, or set [history] path to another directory",
            ) from error
        self._lock = descriptor

    def unlock(self) -> None:
        """Let another process write the directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def day_path(self, day: int, part: int = 1) -> Path:
        """Where a day file is, or will be."""
        suffix = "" if part == 1 else f".{part}"
        return self.path / f"{day_name(day)}{suffix}.sqlite"

    def day_files(self) -> list[DayPath]:
        """All day files, oldest first."""
        return sorted(self._day_files())

    def size(self) -> int:
        """Bytes of all files, side files included."""
        total = 0
        for path in self.path.iterdir():
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue
        return total

    def remove(self, file: DayPath) -> None:
        """Delete a day file and what SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm"):
            Path(f"{file.path}{suffix}").unlink(missing_ok=True)

    def _day_files(self) -> Iterator[DayPath]:
        if not self.path.is_dir():
            return
        for path in self.path.iterdir():
            match = DAY_FILE.fullmatch(path.name)
            day = None if match is None else day_of_name(match[1])
            if match is not None and day is not None:
                yield DayPath(day, int(match[2] or 1), path)


def set_aside(path: Path) -> Path:
    """Rename a damaged file and its side files; returns the new name."""
    aside = path.with_name(path.name + ".bad")
    for suffix in ("", "-wal", "-shm"):
        side = Path(f"{path}{suffix}")
        if side.exists():
            side.rename(f"{aside}{suffix}")
    return aside


def file_system(path: Path) -> str:
    """The kind of file system that a path is on; empty if this machine does not tell."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    best, kind = "", ""
    resolved = str(path.resolve())
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = fields[1].replace("\\040", " ")
        inside = resolved == mount or resolved.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind
