"""The log: one event a line, JSON for machines, a sentence for a person at a terminal.

Three promises: a secret never reaches a line; a line never waits for its reader; and nothing that
happens to the stream (closed pipe, full disk) is ever raised into the program.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, TextIO, TypeVar

import msgspec
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import format_exc_info
from structlog.typing import EventDict, WrappedLogger

from realtime.errors import ConfigError
from realtime.logs.facts import conceal, plain
from realtime.logs.logger import Logger
from realtime.logs.output import Output
from realtime.logs.sentences import printable, sentence

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]
Word = TypeVar("Word", bound=str)

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
FORMATS: tuple[Format, ...] = ("json", "text")


_LOGGER = Logger()


def get_logger() -> Logger:
    """Give the logger of a file: `log = get_logger()` at its top."""
    return _LOGGER


def configure(
    level: Level = "info",
    fmt: Format | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Send the log to a stream (stdout), as sentences if that is a terminal, else as JSON.

    `clock` gives epoch seconds. May be called again; the last call holds.
    """
    stream = stream or sys.stdout
    fmt = fmt or ("text" if stream.isatty() else "json")
    output = Output(stream)
    render = _text if fmt == "text" else _json

    def line(logger: WrappedLogger, level_name: str, event: EventDict) -> str:
        event = merge_contextvars(logger, level_name, event)
        if "exc_info" in event:
            event = format_exc_info(logger, level_name, event)
        if output.lost:
            event["lines_lost"] = output.lost
        return render(_ordered(event, level_name, clock()))

    def write(level_name: str, event: EventDict) -> None:
        output.write(line(None, level_name, event))

    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Lines(output),
        cache_logger_on_first_use=False,
    )
    _LOGGER.go_straight(frozenset(LEVELS[LEVELS.index(level) :]), write, line)
    _adopt_library_logs()


def configure_from(
    environ: Mapping[str, str],
    stream: TextIO | None = None,
    *,
    level: Level | None = None,
    fmt: Format | None = None,
) -> None:
    """Configure by `REALTIME_LOG_LEVEL` and `REALTIME_LOG_FORMAT`; where these say nothing, by the
    arguments. Raises `ConfigError`."""
    level = _choice(environ, "REALTIME_LOG_LEVEL", LEVELS) or level or "info"
    configure(level, _choice(environ, "REALTIME_LOG_FORMAT", FORMATS) or fmt, stream)


def _choice(environ: Mapping[str, str], name: str, words: tuple[Word, ...]) -> Word | None:
    given = environ.get(name, "")
    for word in words:
        if given.lower() == word:
            return word
    if given:
        raise ConfigError(f"{name}: expected {', '.join(words)}, got {given[:40]!r}")
    return None


class _Lines:
    """What structlog calls at the end of its chain: every level writes a line."""

    def __init__(self, output: Output) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = output.write


def _ordered(event: EventDict, level_name: str, now: float) -> dict[str, object]:
    """Put the four keys that every line has in front, for `grep` and the eye."""
    second, millis = divmod(round(now * 1_000_000) // 1000, 1000)
    facts: dict[str, object] = {
        "timestamp": f"{_second(second)}.{millis:03}Z",
        "level": level_name,
        "event": plain(event.pop("event", None)),
        "account": plain(event.pop("account", None)),
    }
    for name, value in event.items():
        said = conceal(name)
        if said not in facts:
            facts[said] = plain(value)
    return facts


@lru_cache(maxsize=4)
def _second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_encode = msgspec.json.Encoder().encode


def _json(facts: dict[str, object]) -> str:
    return _encode(facts).decode()


def _text(facts: dict[str, object]) -> str:
    time_of_day = str(facts.pop("timestamp"))[11:23]
    facts.pop("level")
    event, account = facts.pop("event"), facts.pop("account")
    trace = str(facts.pop("exception", "")).splitlines()
    said = sentence(str(event), None if account is None else str(account), facts)
    return "\n".join([f"{time_of_day} {said}", *map(printable, trace)])


class _LibraryLogs(logging.Handler):
    """Takes what libraries say through `logging`, so that the stream holds one kind of line."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the format: still worth a line
            message = str(record.msg)
        facts = {"logger": record.name, "message": message, "exc_info": record.exc_info}
        log = get_logger()
        if record.levelno >= logging.ERROR:
            log.error("library.logged", **facts)
        else:
            log.warning("library.logged", **facts)


def _adopt_library_logs() -> None:
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler, _LibraryLogs):
            root.removeHandler(handler)
    root.addHandler(_LibraryLogs(logging.WARNING))
