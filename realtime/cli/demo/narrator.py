"""The demo's voice: the daemon's log events as few sentences, fills only now and then."""

import time
from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn

import structlog
from structlog.typing import WrappedLogger

from realtime.cli.demo.statistics import Sample
from realtime.cli.text_format import counted
from realtime.telemetry.log_sentences import sentence
from realtime.telemetry.redaction import conceal

FILL_EVERY_S = 1.0

ALIKE_A_SECOND = 5
"""Sentences on one kind of event; a thousand accounts may lose their sockets together."""

SILENT = frozenset(
    {
        "daemon.started", "daemon.stopped", "server.started", "server.stopped",
        "snapshot.applied", "link.connected", "reconcile.difference_found",
    }
)  # fmt: skip
"""Events that the demo tells in its own words, or counts; see `Narrator`."""


class Narrator:
    """Takes every log event of this process. Nothing is said or measured before `begin`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.tells_fills = True
        self.lags = Sample()
        self._say = say
        self._began: float | None = None
        self._last_fill = float("-inf")
        # event → the second it last happened in, and how often in that second
        self._alike: dict[str, tuple[int, int]] = {}
        # account → fills of its last snapshot that the stream had not told
        self._recovered: dict[object, int] = {}

    def listen(self) -> None:
        """Have the whole process' log come here. The last to ask has it."""
        structlog.configure(
            processors=[structlog.processors.format_exc_info, self._take],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            cache_logger_on_first_use=False,
        )

    def begin(self) -> None:
        """Start to tell; times are counted from here."""
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since `begin`."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def tell(self, text: str) -> None:
        """Say a sentence with the second it is said in."""
        self._say(f"{self.elapsed_s:>4.0f} s  {text}")

    # Any: structlog's own word for what an event holds.
    def _take(self, _: WrappedLogger, level: str, facts: MutableMapping[str, Any]) -> NoReturn:
        name, account = str(facts.pop("event")), facts.pop("account", None)
        if name == "fill.applied":
            self._take_fill(account, facts)
        elif name == "snapshot.applied":
            self._recovered[account] = int(facts.get("recovered", 0))
        elif name not in SILENT and self._began is not None:
            self._take_other(name, account, facts)
        raise structlog.DropEvent

    def _take_other(self, name: str, account: object, facts: MutableMapping[str, Any]) -> None:
        trace = facts.pop("exception", None)
        text = sentence(name, None if account is None else str(account), facts)
        if name == "link.recovered":
            text = f"{account} back, {self._missed(account)}"
        count = self._alike_now(name)
        if count <= ALIKE_A_SECOND:
            self.tell(conceal(text))
        elif count == ALIKE_A_SECOND + 1:
            self.tell(f"… {name} of more accounts")
        if trace:
            self._say(conceal(str(trace)))

    def _alike_now(self, name: str) -> int:
        second, count = self._alike.get(name, (-1, 0))
        now = int(self.elapsed_s)
        count = count + 1 if second == now else 1
        self._alike[name] = (now, count)
        return count

    def _take_fill(self, account: object, facts: MutableMapping[str, Any]) -> None:
        if self._began is None:
            return
        lag_ms = facts.get("lag_ms")
        if isinstance(lag_ms, float):
            self.lags.add(lag_ms)
        now = time.monotonic()
        if not self.tells_fills or now - self._last_fill < FILL_EVERY_S:
            return
        self._last_fill = now
        self.tell(sentence("fill.applied", str(account), facts))

    def _missed(self, account: object) -> str:
        count = self._recovered.pop(account, 0)
        return (
            f"{counted(count, 'missed fill')} recovered by reconcile" if count else "no fill missed"
        )
