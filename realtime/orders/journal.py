"""What was wanted, sent and answered, as JSON lines: audit log and memory over a restart in one.

A line is written before the order it speaks of leaves, in one call to the system and at the end of
the file, so that the shell's commands may write to the same file. It outlives this process; against
a loss of power the broker's own rule stands, that it takes no `client_order_id` twice, which is why
ids are derived from keys (`memory.py`). Nothing else of the daemon is kept on disk.

Without the line nothing leaves that could take a risk. What takes risk away (a cancel, a close, a
halt) goes all the same: a full disk must not stand before the panic button. Its line is then in the
ordinary log.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from realtime.errors import ConfigError
from realtime.orders.errors import Declined
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_LINE = 64 * 1024
"""Bytes of one line; the longest order is a few thousand."""


class JournalEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is read back of a line; more is written for people."""

    event: str
    at: str = ""
    account: str | None = None
    client_order_id: str | None = None
    key: str | None = None
    """The caller's idempotency key, with who gave it."""
    print: str | None = None
    """Fingerprint of what was asked."""
    order_id: str | None = None
    scope: str | None = None
    """Of a halt: an account, or null for all."""
    outcome: str | None = None
    message: str | None = None


_encode = Encoder().encode
_DECODER = Decoder(JournalEntry)


class Journal:
    """One file. `path` None keeps nothing and forgets with the process."""

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self.path = path
        self._clock = clock
        self._file: int | None = None
        self._is_torn = False
        """Whether the last line is half a one."""

    def read(self) -> Iterator[JournalEntry]:
        """Every line there is, oldest first; one that is broken is skipped. Raises `ConfigError`
        if there is a file and it cannot be read: it may hold a halt."""
        if self.path is None or not self.path.exists():
            return
        try:
            with self.path.open("rb") as file:
                for raw in file:
                    try:
                        yield _DECODER.decode(raw)
                    except ValueError:  # half a line, from a machine that lost its power
                        continue
        except OSError as error:
            raise ConfigError(
                f"the audit log {self.path} cannot be read: {error.strerror or error}",
                remedy="correct its mode and owner, or set [orders] audit_log",
            ) from error

    def write(self, event: str, facts: Mapping[str, object]) -> None:
        """Write a line. Raises `Declined` if it cannot be: what is not written must not happen."""
        if self.path is None:
            return
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat("T", "microseconds")[:-6] + "Z"
        given = {name: value for name, value in facts.items() if value is not None}
        line = _encode({"at": at, "event": event, **given}) + b"\n"
        try:
            if len(line) > MAX_LINE:
                raise OSError(f"a line of {len(line)} bytes")
            if self._file is None:
                self._file = self._open(self.path)
            # One call, at the file's end: lines of several programs do not mix.
            whole = b"\n" * self._is_torn + line
            if (written := os.write(self._file, whole)) != len(whole):
                self._is_torn = self._is_torn or written > 0
                raise OSError("the disk is full")
            self._is_torn = False
        except OSError as error:
            raise Declined(
                "journal_unwritable",
                f"the audit log {self.path} cannot be written: {error.strerror or error}",
                remedy="nothing is sent without it: make room, or set [orders] audit_log",
            ) from error

    def note(self, event: str, facts: Mapping[str, object]) -> bool:
        """Write what has happened, or must happen, whether it can be written or not; whether it
        was. If not, the ordinary log has it."""
        try:
            self.write(event, facts)
        except Declined as full:
            told = {name: value for name, value in facts.items() if value is not None}
            log.error("journal.write_failed", reason=full.message, line=event, facts=told)  # noqa: TRY400 - no trace needed
            return False
        return True

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @staticmethod
    def _open(path: Path) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        if os.fstat(file).st_size and not _ends_whole(path):
            os.write(file, b"\n")
        return file


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
