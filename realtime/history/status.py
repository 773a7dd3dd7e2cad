"""How recording goes: for the log, `/health`, metrics and the headers of responses."""

import errno
import sqlite3
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from realtime.history.directory import AnotherWriter, HistoryUnavailable
from realtime.history.queue import LossKind

FailureReason = Literal["disk_full", "not_writable", "other_writer", "damaged", "error"]
"""Why nothing is written, in a word that names no path: `/health` needs no token."""

Condition = Literal["starting", "recording", "dropping", "failing"]


class HistoryReport(Struct, frozen=True, kw_only=True):
    """Something that the log says of history."""

    event: str
    facts: dict[str, object]


class CopyStatus(Struct, frozen=True, kw_only=True):
    """How copying to the database goes."""

    is_failing: bool = False
    lag_s: float = 0.0
    """Age of the oldest commit that the database lacks."""


class HistoryStatus(Struct, frozen=True, kw_only=True):
    """How recording goes. Counts are since the start."""

    is_open: bool = False
    """Whether a file is open and the last attempt to write succeeded."""
    failure: FailureReason | None = None
    last_error: str | None = None
    """With paths: for the log only."""
    rows: int = 0
    lost: Mapping[LossKind, int] = {}
    """Changes that were dropped, by whether executions came with them."""
    gaps: Mapping[str, int] = {}
    """Reason → gaps that were recorded."""
    waiting: int = 0
    is_dropping: bool = False
    missing_since: float | None = None
    """Epoch seconds from which on the files lack something that may still be written, or is lost;
    None: they lack nothing but the last moment."""
    committed_at: float | None = None
    """Epoch seconds of the last commit."""
    bytes: int = 0
    database: CopyStatus | None = None
    """None: there is no database."""

    @property
    def condition(self) -> Condition:
        """How recording goes, in a word."""
        if self.failure is not None:
            return "failing"
        if self.is_dropping:
            return "dropping"
        return "recording" if self.is_open else "starting"


def failure_reason(error: Exception) -> FailureReason:
    """The kind of a failure to write."""
    if isinstance(error, AnotherWriter):
        return "other_writer"
    if is_full(error):
        return "disk_full"
    if is_damaged(error):
        return "damaged"
    read_only = isinstance(error, sqlite3.OperationalError) and any(
        text in str(error) for text in ("readonly", "unable to open", "disk I/O")
    )
    if read_only or isinstance(error, HistoryUnavailable | OSError):
        return "not_writable"
    return "error"


def is_full(error: Exception) -> bool:
    """Whether the disk, or the quota on it, is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.OperationalError) and "full" in str(error)


def is_damaged(error: Exception) -> bool:
    """Whether the file itself is broken: another name for it, and a new one."""
    text = str(error)
    return isinstance(error, sqlite3.DatabaseError) and (
        "malformed" in text or "not a database" in text
    )
