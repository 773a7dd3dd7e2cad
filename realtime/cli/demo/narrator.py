"""The demo's output: the daemon's log events as few lines, fills only now and then."""

import select
import signal
import time
from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn, TextIO

import structlog
from structlog.typing import WrappedLogger

from realtime.cli.demo.statistics import Latencies
from realtime.cli.formatting import format_quantity
from realtime.telemetry.log_output import LogOutput
from realtime.telemetry.log_sentences import format_sentence
from realtime.telemetry.redaction import redact

FILL_INTERVAL_S = 1.0

MAX_LINES_PER_EVENT = 5
"""Lines per second for one kind of event; a thousand accounts may lose their sockets at once."""

SILENT_EVENTS = frozenset(
    {
        "daemon.started", "daemon.stopped", "server.started", "server.stopped",
        "snapshot.applied", "link.connected", "reconcile.difference_found",
    }
)  # fmt: skip
"""Events that the demo describes in its own lines, or counts."""


class Printer:
    """Prints lines without waiting. If the reading program has ended, stops ours as by SIGTERM.

    A program that does not read for a while (`| less`) loses lines; the event loop never waits.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._output = LogOutput(stream)
        self._is_closed = False

    def print(self, line: str) -> None:
        """Print one line."""
        self._output.write(line)
        if self._output.lost and not self._is_closed and self._has_hung_up():
            self._is_closed = True
            signal.raise_signal(signal.SIGTERM)

    def _has_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._stream.fileno(), select.POLLOUT)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


class Narrator:
    """Receives every log event of this process. Before `start` it prints and measures nothing."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.has_fills = True
        self.lags = Latencies()
        self.write = write
        self._started_at: float | None = None
        self._last_fill_at = float("-inf")
        # event → the second in which it last happened, and how often in that second
        self._repeats: dict[str, tuple[int, int]] = {}
        # account → fills of its last snapshot that the stream had not delivered
        self._recovered: dict[object, int] = {}

    def receive_log(self) -> None:
        """Send the log of the whole process here, in place of an earlier destination."""
        structlog.configure(
            processors=[structlog.processors.format_exc_info, self._handle],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            cache_logger_on_first_use=False,
        )

    def start(self) -> None:
        """Start to print; times are counted from here."""
        self._started_at = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since `start`."""
        return 0.0 if self._started_at is None else time.monotonic() - self._started_at

    def write_line(self, text: str) -> None:
        """Print a line with the present second."""
        self.write(f"{self.elapsed_s:>4.0f} s  {text}")

    # Any: structlog's own type of an event's members.
    def _handle(self, _: WrappedLogger, level: str, facts: MutableMapping[str, Any]) -> NoReturn:
        name, account = str(facts.pop("event")), facts.pop("account", None)
        if name == "fill.applied":
            self._handle_fill(account, facts)
        elif name == "snapshot.applied":
            self._recovered[account] = int(facts.get("recovered", 0))
        elif name not in SILENT_EVENTS and self._started_at is not None:
            self._handle_other(name, account, facts)
        raise structlog.DropEvent

    def _handle_other(self, name: str, account: object, facts: MutableMapping[str, Any]) -> None:
        traceback = facts.pop("exception", None)
        text = format_sentence(name, None if account is None else str(account), facts)
        if name == "link.recovered":
            text = f"{account} back, {self._missed_fills(account)}"
        count = self._count_repeat(name)
        if count <= MAX_LINES_PER_EVENT:
            self.write_line(redact(text))
        elif count == MAX_LINES_PER_EVENT + 1:
            self.write_line(f"… {name} of more accounts")
        if traceback:
            self.write(redact(str(traceback)))

    def _count_repeat(self, name: str) -> int:
        second, count = self._repeats.get(name, (-1, 0))
        now = int(self.elapsed_s)
        count = count + 1 if second == now else 1
        self._repeats[name] = (now, count)
        return count

    def _handle_fill(self, account: object, facts: MutableMapping[str, Any]) -> None:
        if self._started_at is None:
            return
        lag_ms = facts.get("lag_ms")
        if isinstance(lag_ms, float):
            self.lags.add(lag_ms)
        now = time.monotonic()
        if not self.has_fills or now - self._last_fill_at < FILL_INTERVAL_S:
            return
        self._last_fill_at = now
        self.write_line(format_sentence("fill.applied", str(account), facts))

    def _missed_fills(self, account: object) -> str:
        count = self._recovered.pop(account, 0)
        fills = format_quantity(count, "missed fill")
        return f"{fills} recovered by a read" if count else "no fill missed"
