"""The journal: what was intended, sent and answered, as JSON lines. It is the audit log, and the
memory of orders, halts and liquidations over a restart.

Trading depends on what it says, so it is read strictly:

- A line that cannot be decoded may have been a halt. It is reported with its number and read as
  one: no new order leaves until a person resumes. Only an unfinished last line is ignored: what it
  should have said was never carried out.
- An entry is written before its order leaves, in one call to the system, at the end of the file.
  Without the entry nothing leaves that could take a risk. What reduces risk (a cancel, a close, a
  halt) goes all the same: a full disk must not disable the way out. Its entry is in the log then.
- One process writes at a time (`flock`), after it has read what others wrote. So a halt or a close
  by another process counts for the next order that leaves here. A second daemon is refused.

It survives the process. Against a loss of power the broker's own rule helps: it accepts no
`client_order_id` twice, which is why ids are derived from keys (`idempotency.py`).
"""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from realtime.errors import ConfigError
from realtime.orders.errors import Declined
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_LINE_BYTES = 64 * 1024
"""The longest order is a few thousand bytes."""

LOCK_ATTEMPTS, LOCK_WAIT_S = 50, 0.001
"""Another process holds the lock for some microseconds. One that was stopped while it held it must
not stop the event loop: after 50 ms the write fails."""

DAMAGED = "journal.damaged"
"""A line that could not be decoded, as an entry: `message` names it. Never written."""
UNFINISHED = "journal.line_unfinished"
"""The line before this one was not finished: its writer died, and carried nothing out."""


class JournalLeg(Struct, frozen=True, kw_only=True):
    """A leg of a multi-leg order."""

    symbol: str
    side: str
    qty: str
    ratio: str
    is_close: bool


class JournalEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is read back of a line; more is written for people."""

    event: str
    at: str = ""
    account: str | None = None
    client_order_id: str | None = None
    key: str | None = None
    """The caller's idempotency key, with the caller's name."""
    fingerprint: str | None = None
    """Of the request."""
    order_id: str | None = None
    closes: str | None = None
    """The position that an order closes."""
    symbol: str | None = None
    side: str | None = None
    qty: str | None = None
    legs: tuple[JournalLeg, ...] = ()
    scope: str | None = None
    """Of a halt: an account, or null for all."""
    principal: str | None = None
    message: str | None = None

    @property
    def time(self) -> float:
        """When it was written, epoch seconds; 0 if that cannot be read."""
        try:
            return datetime.fromisoformat(self.at).timestamp()
        except ValueError:
            return 0.0


_encode = Encoder().encode
_decode = Decoder(JournalEntry).decode


class Journal:
    """One file. With `path` None nothing is kept after the process ends.

    `is_exclusive`: another process that opens it in this way is refused.
    """

    def __init__(
        self,
        path: Path | None,
        clock: Callable[[], float],
        *,
        is_exclusive: bool = False,
        get_tier: Callable[[str], str | None] = lambda account: None,
    ) -> None:
        self.path = path
        self._get_tier = get_tier
        self._clock = clock
        self._is_exclusive = is_exclusive
        self._lock_file: int | None = None
        self._file: int | None = None
        self._is_locked = False
        self._offset = 0
        """Bytes that were read, or written here."""
        self._line = 0
        """Number of the last line that was read, or written here."""
        self._own: dict[int, int] = {}
        """position → length of lines written here behind lines that are not read yet"""

    def read(self) -> Iterator[JournalEntry]:
        """Yield every entry, oldest first. Raises `ConfigError` for a file that is not readable or
        not a regular file, and for one that another daemon uses."""
        if self.path is None:
            return
        if self._is_exclusive:
            self._lock_daemon(self.path)
        try:
            file = self._open_for_reading(self.path)
            if file is None:
                return
            with os.fdopen(file, "rb") as lines:
                yield from self._decode_lines(lines)
                if os.fstat(file).st_size > self._offset:
                    log.warning("journal.line_unfinished", line=self._line + 1)
        except OSError as error:
            raise ConfigError(
                f"the audit log {self.path} cannot be read: {error.strerror or error}",
                remedy="correct its mode and owner, or set [orders] audit_log",
            ) from error

    def read_new(self) -> list[JournalEntry]:
        """Return the entries that other processes have written since the last read or write.

        Raises `Declined` if the file is no longer the one that was opened, or cannot be read.
        """
        if self.path is None:
            return []
        try:
            size = self._check_identity(self.path)
            if size <= self._offset:
                return []
            with self.path.open("rb") as lines:
                lines.seek(self._offset)
                return list(self._decode_lines(lines))
        except OSError as error:
            raise self._unusable("read", error) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of all writers during the block. Raises `Declined` if it is not to be had
        within 50 ms, or the file cannot be opened. Awaits nothing."""
        if self.path is None or self._is_locked:
            yield
            return
        try:
            if self._file is None:
                self._file = self._open_for_writing(self.path)
            _lock(self._file)
        except OSError as error:
            raise self._unusable("written", error) from error
        self._is_locked = True
        try:
            yield
        finally:
            self._is_locked = False
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def write(self, event: str, facts: Mapping[str, object]) -> None:
        """Write an entry. Raises `Declined` if that fails: what is not written must not happen."""
        if self.path is None:
            return
        values = {name: value for name, value in facts.items() if value is not None}
        if (tier := self._get_tier(str(facts.get("account")))) is not None:
            values["tier"] = tier
        line = _encode({"at": self._format_time(), "event": event, **values}) + b"\n"
        with self.locked():
            assert self._file is not None, "opened with the lock"
            try:
                if len(line) > MAX_LINE_BYTES:
                    raise OSError(f"a line of {len(line)} bytes")
                end = os.fstat(self._file).st_size
                written = os.write(self._file, line)
                if written != len(line):
                    os.ftruncate(self._file, end)
                    raise OSError("the disk is full")
            except OSError as error:
                raise self._unusable("written", error) from error
            if end == self._offset:
                self._offset += len(line)
                self._line += 1
            else:
                self._own[end] = len(line)

    def note(self, event: str, facts: Mapping[str, object]) -> bool:
        """Write what has happened, or must happen, even if it cannot be written; return whether it
        was. If not, it is in the log."""
        try:
            self.write(event, facts)
        except Declined as error:
            values = {name: value for name, value in facts.items() if value is not None}
            log.error("journal.write_failed", reason=error.message, line=event, facts=values)  # noqa: TRY400 - no trace needed
            return False
        return True

    def close(self) -> None:
        """Close the file and release its locks."""
        for file in (self._file, self._lock_file):
            if file is not None:
                os.close(file)
        self._file = self._lock_file = None

    def _decode_lines(self, lines: BinaryIO) -> Iterator[JournalEntry]:
        """Yield the entries from the current offset to the last finished line.

        An unfinished last line is left for the next read: its writer may be writing it.
        """
        damaged: JournalEntry | None = None
        while line := lines.readline(MAX_LINE_BYTES + 1):
            if self._own.pop(self._offset, None) == len(line):
                self._offset += len(line)
                self._line += 1
                continue
            entry = _decode_line(line)
            if entry is None and not line.endswith(b"\n") and len(line) <= MAX_LINE_BYTES:
                break
            self._offset += len(line)
            self._line += line.endswith(b"\n")
            if line == b"\n":
                continue
            if entry is None:
                number = self._line if line.endswith(b"\n") else self._line + 1
                damaged = damaged or JournalEntry(
                    event=DAMAGED, message=f"line {number} of {self.path} cannot be read"
                )
                continue
            if damaged is not None and entry.event != UNFINISHED:
                log.error("journal.line_damaged", reason=damaged.message)
                yield damaged
            damaged = None
            yield entry
        if damaged is not None:
            log.error("journal.line_damaged", reason=damaged.message)
            yield damaged

    def _lock_daemon(self, path: Path) -> None:
        """Claim the journal for this daemon. The lock is a file beside it, so that commands can
        still write to the journal itself."""
        lock_path = path.with_name(path.name + ".lock")
        try:
            file = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        except OSError:  # then the journal cannot be written either, and no order leaves
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            raise ConfigError(
                f"another daemon uses the audit log {path}",
                remedy="stop it, or set [orders] audit_log to another file",
            ) from error
        self._lock_file = file

    def _open_for_writing(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(path, flags, 0o600)
        try:
            _check_regular(file)
            _lock(file)
            end = os.fstat(file).st_size
            if end and os.pread(file, 1, end - 1) != b"\n":
                marker = _encode({"at": self._format_time(), "event": UNFINISHED}) + b"\n"
                os.write(file, b"\n" + marker)
            fcntl.flock(file, fcntl.LOCK_UN)
        except BaseException:
            os.close(file)
            raise
        return file

    @staticmethod
    def _open_for_reading(path: Path) -> int | None:
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        try:
            _check_regular(file)
        except BaseException:
            os.close(file)
            raise
        return file

    def _check_identity(self, path: Path) -> int:
        """Return the file's size. Raises `OSError` if it was replaced, removed or cut."""
        try:
            status = path.stat()
        except FileNotFoundError:
            if self._file is None and self._offset == 0:
                return 0
            raise
        if self._file is not None:
            own = os.fstat(self._file)
            if (own.st_ino, own.st_dev) != (status.st_ino, status.st_dev):
                raise OSError("it was replaced while the daemon runs")
        if status.st_size < self._offset:
            raise OSError("it was cut while the daemon runs")
        if not stat.S_ISREG(status.st_mode):
            raise OSError("it is not a regular file")
        return status.st_size

    def _format_time(self) -> str:
        at = datetime.fromtimestamp(self._clock(), UTC)
        return at.isoformat("T", "microseconds")[:-6] + "Z"

    def _unusable(self, verb: str, error: OSError) -> Declined:
        return Declined(
            "journal_unwritable",
            f"the audit log {self.path} cannot be {verb}: {error.strerror or error}",
            remedy="nothing is sent without it: make room, or set [orders] audit_log",
        )


def _decode_line(line: bytes) -> JournalEntry | None:
    try:
        return _decode(line)
    except (ValueError, RecursionError):
        return None


def _check_regular(file: int) -> None:
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise OSError("it is not a regular file")


def _lock(file: int) -> None:
    """Take the writers' lock. Raises `OSError` if another process keeps it."""
    for attempt in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == LOCK_ATTEMPTS - 1:
                raise OSError("another process keeps it locked") from None
            time.sleep(LOCK_WAIT_S)
        else:
            return
