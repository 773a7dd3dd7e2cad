"""A stream for log lines that may be slow, full or closed, without stopping the daemon."""

import os
import select
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
        try:
            self._stream.flush()  # what was printed before comes first
            written = self._write(("\n" if self._torn else "") + line + "\n")
        except (OSError, ValueError):  # ValueError: the stream is closed
            written = False
        self.lost = 0 if written else self.lost + 1

    def _write(self, text: str) -> bool:
        if self._fd is None:
            self._stream.write(text)
            return True
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            if not self._poll.poll(0):
                return False
            self._torn = True
            count = os.write(self._fd, rest[:ATOMIC_BYTES])
            rest = rest[count:]
        self._torn = False
        return True
