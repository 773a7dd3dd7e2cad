"""The logger of all modules: writes lines directly, in half the time of structlog.

structlog creates a logger at every call and copies the keys from processor to processor, which
matters only for fills. While structlog is configured as `log.configure` left it, a line is written
directly; if anything configures it differently (a test that captures lines, the demo), lines take
structlog's own path from then on.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from msgspec import structs
from structlog.typing import EventDict, Processor

from realtime.telemetry.fill_line import EVENT, Fill
from realtime.telemetry.log_sentences import format_sentence
from realtime.telemetry.redaction import redact

_CURRENT = getattr(getattr(structlog, "_config", None), "_CONFIG", None)
"""structlog's configuration, of which `get_config` makes a copy each time; None if it moved."""

_UNCONFIGURED = list(structlog.get_config()["processors"])

LIBRARY_LOGGER = logging.getLogger("realtime")
LIBRARY_LOGGER.addHandler(logging.NullHandler())
"""Where a program that uses this package as a library finds its log; silent unless it asks."""


def _log_as_library(level: str, event: str, facts: EventDict) -> None:
    """Log through `logging`: neither `configure` nor the program has set up structlog, whose
    default prints everything to the program's stdout."""
    number = logging.getLevelNamesMapping()[level.upper()]
    if LIBRARY_LOGGER.isEnabledFor(number):
        facts = dict(facts)
        exc_info = bool(facts.pop("exc_info", False))
        account = facts.pop("account", None)
        text = format_sentence(event, None if account is None else str(account), facts)
        LIBRARY_LOGGER.log(number, "%s", redact(text), exc_info=exc_info)


Observer = Callable[[str, Mapping[str, object]], None]
"""Takes an event's name and its keys; values are not redacted yet."""


class Logger:
    """Accepts log events. `facts` are the keys of a line besides its event."""

    def __init__(self) -> None:
        self._config: dict[str, Any] | None = None  # Any: structlog's own type
        self._processors: object = None
        self._levels: frozenset[str] = frozenset()
        self._last_step: Processor | None = None
        self._write: Callable[[str, EventDict], None] = lambda level, event: None
        self._write_fill: Callable[[Fill], bool] | None = None
        self._observers: list[tuple[frozenset[str], Observer]] = []
        self._is_fill_observed = False

    def enable_direct_writes(
        self,
        levels: frozenset[str],
        write: Callable[[str, EventDict], None],
        last_step: Processor,
        write_fill: Callable[[Fill], bool] | None,
    ) -> None:
        """Write these levels directly while structlog's only processor is `last_step`; and fills by
        `write_fill`, unless it returns False."""
        self._config, self._last_step = structlog.get_config(), last_step
        self._processors = self._config["processors"]
        self._levels, self._write = levels, write
        self._write_fill = write_fill if "info" in levels else None

    def debug(self, event: str, **facts: object) -> None:
        """Log details for debugging."""
        if "debug" in self._levels or self._observers or not self._is_ours():
            self._log("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """Log a change of state."""
        self._log("info", event, facts)

    def fill(self, event: str, fill: Fill) -> None:
        """Log `fill.applied`: the same line as by `info`, for a fifth of its cost."""
        assert event == EVENT
        write = None if self._is_fill_observed or not self._is_ours() else self._write_fill
        if write is None or not write(fill):
            self._log("info", event, structs.asdict(fill))

    def warning(self, event: str, **facts: object) -> None:
        """Log a problem from which the daemon recovers."""
        self._log("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """Log a problem that requires action."""
        self._log("error", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """Log an error with the traceback of the current exception."""
        self._log("error", event, {"exc_info": True, **facts})

    def observe(self, events: frozenset[str], observer: Observer) -> Callable[[], None]:
        """Call `observer` with every one of these events, whatever level is written; return the
        function that ends it. It is called in the thread that logs, and must not block or log."""
        entry = (events, observer)
        self._observers.append(entry)
        self._note_observed()

        def end() -> None:
            self._observers.remove(entry)
            self._note_observed()

        return end

    def _is_ours(self) -> bool:
        """Whether structlog is as `enable_direct_writes` was called with."""
        processors = getattr(_CURRENT, "default_processors", None)
        if processors is None:
            processors = structlog.get_config()["processors"]
        # The same list, with the same contents: a test that captures lines changes these in place.
        return processors is self._processors and processors == [self._last_step]

    def _note_observed(self) -> None:
        self._is_fill_observed = any(EVENT in events for events, _ in self._observers)

    def _log(self, level: str, event: str, facts: EventDict) -> None:
        for events, observer in self._observers:
            if event in events:
                observer(event, dict(facts))
        config = structlog.get_config()
        if config["processors"] == _UNCONFIGURED and not structlog.is_configured():
            _log_as_library(level, event, facts)
        elif config != self._config or config["processors"] != [self._last_step]:
            getattr(structlog.get_logger(), level)(event, **facts)
        elif level in self._levels:
            facts["event"] = event
            self._write(level, facts)
