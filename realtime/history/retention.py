"""How long files are kept and how much room they take: whole files are deleted, oldest first."""

from msgspec import Struct

from realtime.history.directory import DayPath, HistoryDirectory
from realtime.history.exact import DAY_US

GB = 1_000_000_000


class Retention(Struct, frozen=True, kw_only=True):
    """Days that are kept, and the bytes that all files together may take."""

    event_days: int = 14
    ledger_days: int = 400
    max_disk_bytes: int = 20 * GB


def expired(files: list[DayPath], today: int, retention: Retention, size: int) -> list[DayPath]:
    """The day files to delete, oldest first; today's file is never among them."""
    old = [file for file in files if file.day < today]
    too_old = [file for file in old if file.day <= today - retention.event_days]
    excess = size - sum(_size(file) for file in too_old) - retention.max_disk_bytes
    too_large = []
    for file in old[len(too_old) :]:
        if excess <= 0:
            break
        too_large.append(file)
        excess -= _size(file)
    return [*too_old, *too_large]


def make_room(directory: HistoryDirectory, today: int, retention: Retention) -> list[DayPath]:
    """Delete what is expired; returns what was deleted."""
    gone = expired(directory.day_files(), today, retention, directory.size())
    for file in gone:
        directory.remove(file)
    return gone


def delete_oldest(directory: HistoryDirectory, today: int) -> DayPath | None:
    """Delete the oldest day file because the disk is full; None if only today's is left."""
    for file in directory.day_files():
        if file.day < today:
            directory.remove(file)
            return file
    return None


def ledger_horizon_us(now_us: int, retention: Retention) -> int:
    """The time before which the ledger is pruned."""
    return now_us - retention.ledger_days * DAY_US


def _size(file: DayPath) -> int:
    try:
        return file.path.stat().st_size
    except FileNotFoundError:
        return 0
