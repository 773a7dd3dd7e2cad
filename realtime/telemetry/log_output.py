"""A stream for log lines that may be slow, full or closed, without stopping the daemon."""

import os
import select
from collections.abc import Iterator, Sequence
from io import UnsupportedOperation
from typing import TextIO

ATOMIC_BYTES = 4096  # Linux' PIPE_BUF: a pipe that polls as writable takes this much at once


class LogOutput:
    """Writes whole lines. One that the stream does not accept now is dropped and counted in `lost`.

    A pipe whose reader is stopped (`| less`) would otherwise stop the event loop, and with it every
    account.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._torn = False  # the last line stopped in its middle
        self.lost = 0
        try:
            self._fd: int | None = stream.fileno()
        except (UnsupportedOperation, ValueError):
            self._fd = None
        self._poll = select.poll()
        if self._fd is not None:
            self._poll.register(self._fd, select.POLLOUT)

    def write(self, line: str) -> None:
        """Write a line and its end. Never raises because of the stream, never waits for it."""
        self.write_lines([line.encode("utf-8", "replace")])

    def write_lines(self, lines: Sequence[bytes]) -> int:
        """Write lines and their ends; return how many were lost."""
        written = 0
        try:
            self._stream.flush()  # what was printed before comes first
            for chunk in _chunks(lines):
                start = b"\n" if self._torn else b""
                if not self._write(start + b"\n".join(chunk) + b"\n"):
                    break
                written += len(chunk)
        except (OSError, ValueError):  # ValueError: the stream is closed
            pass
        lost = len(lines) - written
        self.lost = lost + (0 if written else self.lost) if lost else 0
        return lost

    def _write(self, text: bytes) -> bool:
        if self._fd is None:
            self._stream.write(text.decode())
            return True
        rest = memoryview(text)
        while rest:
            if not self._poll.poll(0):
                return False
            self._torn = True
            count = os.write(self._fd, rest[:ATOMIC_BYTES])
            rest = rest[count:]
        self._torn = False
        return True


def _chunks(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Lines that are written at once, so that none of them is torn; a longer one alone."""
    start, size = 0, 0
    for at, line in enumerate(lines):
        size += len(line) + 1
        if size >= ATOMIC_BYTES and at > start:
            yield lines[start:at]
            start, size = at, len(line) + 1
    yield lines[start:]
