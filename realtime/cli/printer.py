"""What a command says while it goes on: lines on stdout that are never waited for."""

import select
import signal
from typing import TextIO

from realtime.telemetry.log_output import LogOutput


class Printer:
    """Says lines. When nobody can hear them any more, the process is told to stop, as by SIGTERM.

    A reader that merely sleeps (`| less`) loses lines; the event loop does not wait for it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._output = LogOutput(stream)
        self._is_gone = False

    def say(self, line: str) -> None:
        """Say one line."""
        self._output.write(line)
        if self._output.lost and not self._is_gone and self._has_hung_up():
            self._is_gone = True
            signal.raise_signal(signal.SIGTERM)

    def _has_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._stream.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
