"""A log file that may be moved, removed or full while it is written; the daemon goes on."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

MODE = 0o640
LOOKUP_INTERVAL_S = 1.0
"""How often the name is looked up: after a rotation, lines go to the old file for this time."""


class LogFile:
    """Writes whole lines, each at once. A line that the disk does not accept is counted in `lost`.

    `now` gives seconds that never go back. Raises OSError if the file cannot be opened at first.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.lost = 0
        self._path = path
        self._now = now
        self._torn = False  # the last line stopped in its middle
        self._fd: int | None = _opened(path)
        self._look_at = now() + LOOKUP_INTERVAL_S

    def write(self, line: str) -> None:
        """Write a line and its end. Never raises."""
        self.write_lines([line.encode("utf-8", "replace")])

    def write_lines(self, lines: Sequence[bytes]) -> int:
        """Write lines and their ends at once; return how many were lost. Never raises."""
        if self._now() >= self._look_at:
            self.reopen_if_moved()
        start = b"\n" if self._torn else b""
        text = start + b"\n".join(lines) + b"\n"
        size = self._write(text)
        if size == len(text):
            self.lost = 0
            return 0
        written, end = 0, len(start)
        for line in lines:
            end += len(line) + 1
            written += end <= size
        lost = len(lines) - written
        self.lost = lost + (0 if written else self.lost)
        return lost

    def reopen_if_moved(self) -> None:
        """Open the file again if its name is another file's now, or nothing's."""
        self._look_at = self._now() + LOOKUP_INTERVAL_S
        if self._fd is not None and _is_same(self._fd, self._path):
            return
        with contextlib.suppress(OSError):  # the old file stays in use
            fresh = _opened(self._path)
            self.close()
            self._fd, self._torn = fresh, False

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)

    def _write(self, text: bytes) -> int:
        """Write as much as the disk accepts; return the number of bytes."""
        size = 0
        with contextlib.suppress(OSError):
            while self._fd is not None and size < len(text):
                written = os.write(self._fd, text[size:] if size else text)
                size += written
                self._torn = text[size - 1 : size] != b"\n"
        return size


def _opened(path: Path) -> int:
    # Not blocking: the name may be a pipe without a reader.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    return os.open(path, flags, MODE)


def _is_same(fd: int, path: Path) -> bool:
    try:
        named, mine = os.stat(path), os.fstat(fd)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)
