"""The log: one event a line, JSON for machines, a sentence for a person at a terminal.

Three promises: a secret never reaches a line; a line never waits for its reader; and nothing that
happens to the stream (closed pipe, full disk) is ever raised into the program.

Every line is written at once, except those of fills: they are written together at the end of the
event loop's iteration, or before the next other line.
"""

import asyncio
import atexit
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal, Protocol, TextIO, TypeVar

import msgspec
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import format_exc_info
from structlog.typing import EventDict, WrappedLogger

from realtime.errors import ConfigError
from realtime.telemetry.fill_line import Fill, RedactedTexts, encode_fill
from realtime.telemetry.log_file import LogFile
from realtime.telemetry.log_output import LogOutput
from realtime.telemetry.log_sentences import format_sentence, strip_control_characters
from realtime.telemetry.logger import Logger
from realtime.telemetry.redaction import redact, to_plain

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text"]
Word = TypeVar("Word", bound=str)

LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")
FORMATS: tuple[Format, ...] = ("json", "text")


class LineOutput(Protocol):
    """Where lines go. `lost`: how many in a row it would not take."""

    lost: int

    def write_lines(self, lines: Sequence[bytes]) -> int: ...


class _LogState:
    """Where the log of this process goes, and what it lost."""

    file: LogFile | None = None
    lost = 0
    tiers: ClassVar[dict[str, str]] = {}
    """account → its tier"""
    lines: "_LineWriter | None" = None


_LOGGER = Logger()


def get_logger() -> Logger:
    """Give the logger of a file: `log = get_logger()` at its top."""
    return _LOGGER


def configure(
    level: Level = "info",
    fmt: Format | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.time,
    file: Path | None = None,
) -> None:
    """Send the log to a file, or a stream (stdout), as sentences if that is a terminal, else as
    JSON.

    `clock` gives epoch seconds. May be called again; the last call holds. Raises `ConfigError` if
    the file cannot be opened.
    """
    stream = stream or sys.stdout
    fmt = fmt or ("text" if file is None and stream.isatty() else "json")
    opened = None if file is None else _opened(file)
    if _LogState.file is not None:
        _LogState.file.close()
    _LogState.file = opened
    output: LineOutput = opened or LogOutput(stream)
    render = _text if fmt == "text" else _json

    def line(logger: WrappedLogger, level_name: str, event: EventDict) -> str:
        event = merge_contextvars(logger, level_name, event)
        if "exc_info" in event:
            event = format_exc_info(logger, level_name, event)
        if output.lost:
            event["lines_lost"] = output.lost
        if (tier := _LogState.tiers.get(str(event.get("account")))) is not None:
            event.setdefault("tier", tier)
        return render(_ordered(event, level_name, clock()))

    flush_log()
    lines = _LogState.lines = _LineWriter(output)
    texts = RedactedTexts()

    def write_fill(fill: Fill) -> bool:
        """Add the line of a fill; returns False if it must be written as any other."""
        if output.lost or not texts.update():
            return False
        tier = _LogState.tiers.get(fill.account) if _LogState.tiers else None
        lines.add(encode_fill(fill, texts, _timestamp(clock()), tier))
        return True

    def write(level_name: str, event: EventDict) -> None:
        lines.info(line(None, level_name, event))

    structlog.configure(
        processors=[line],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=False,
    )
    levels = frozenset(LEVELS[LEVELS.index(level) :])
    _LOGGER.enable_direct_writes(levels, write, line, write_fill if render is _json else None)
    _adopt_library_logs()


def configure_from(
    environ: Mapping[str, str],
    stream: TextIO | None = None,
    *,
    level: Level | None = None,
    fmt: Format | None = None,
    file: Path | None = None,
) -> None:
    """Configure by `REALTIME_LOG_LEVEL`, `REALTIME_LOG_FORMAT` and `REALTIME_LOG_FILE`; where these
    say nothing, by the arguments. Raises `ConfigError`."""
    level = _choice(environ, "REALTIME_LOG_LEVEL", LEVELS) or level or "info"
    fmt = _choice(environ, "REALTIME_LOG_FORMAT", FORMATS) or fmt
    given = environ.get("REALTIME_LOG_FILE")
    configure(level, fmt, stream, file=Path(given) if given else file)


def set_account_tier(label: str, tier: str | None) -> None:
    """Add an account's tier to each of its lines; None: no longer."""
    if tier is None:
        _LogState.tiers.pop(label, None)
    else:
        _LogState.tiers[label] = tier


def reopen_log_file() -> None:
    """If the log goes to a file: open it again if its name stands for another file by now."""
    if _LogState.file is not None:
        _LogState.file.reopen_if_moved()


def flush_log() -> None:
    """Write the lines of fills that wait for the end of the iteration."""
    if _LogState.lines is not None:
        _LogState.lines.flush()


atexit.register(flush_log)


def get_lost_lines() -> int:
    """Lines that were lost since the process began."""
    return _LogState.lost


def _opened(path: Path) -> LogFile:
    try:
        return LogFile(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        raise ConfigError(
            f"the log {path} cannot be opened: {reason.lower()}",
            remedy="make its directory writable, or choose another with [log] file or --log-file",
        ) from error


def _choice(environ: Mapping[str, str], name: str, words: tuple[Word, ...]) -> Word | None:
    given = environ.get(name, "")
    for word in words:
        if given.lower() == word:
            return word
    if given:
        raise ConfigError(f"{name}: expected {', '.join(words)}, got {given[:40]!r}")
    return None


class _LineWriter:
    """What structlog calls at the end of its chain: every level writes a line."""

    def __init__(self, output: LineOutput) -> None:
        self._output = output
        self._waiting: list[bytes] = []
        """Lines of fills in this iteration of the event loop."""
        self._flushed_by: asyncio.AbstractEventLoop | None = None
        """The loop that will write them."""
        self.debug = self.info = self.warning = self.error = self.critical = self._write

    def add(self, line: bytes) -> None:
        """Write a line at the end of this iteration of the event loop; without a loop at once."""
        self._waiting.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if loop is not self._flushed_by:
            self._flushed_by = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        self._flushed_by = None
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            _LogState.lost += self._output.write_lines(waiting)

    def _write(self, line: str) -> None:
        lines, self._waiting = self._waiting, []
        lines.append(line.encode("utf-8", "replace"))
        _LogState.lost += self._output.write_lines(lines)


def _ordered(event: EventDict, level_name: str, now: float) -> dict[str, object]:
    """Put the four keys that every line has in front, for `grep` and the eye."""
    facts: dict[str, object] = {
        "timestamp": _timestamp(now),
        "level": level_name,
        "event": to_plain(event.pop("event", None)),
        "account": to_plain(event.pop("account", None)),
    }
    for name, value in event.items():
        said = redact(name)
        if said not in facts:
            facts[said] = to_plain(value)
    return facts


def _timestamp(now: float) -> str:
    second, millis = divmod(round(now * 1_000_000) // 1000, 1000)
    return f"{_second(second)}.{millis:03}Z"


@lru_cache(maxsize=4)
def _second(now: int) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S")


_encode = msgspec.json.Encoder().encode


def _json(facts: dict[str, object]) -> str:
    return _encode(facts).decode()


def _text(facts: dict[str, object]) -> str:
    time_of_day = str(facts.pop("timestamp"))[11:23]
    facts.pop("level")
    facts.pop("tier", None)
    event, account = facts.pop("event"), facts.pop("account")
    trace = str(facts.pop("exception", "")).splitlines()
    said = format_sentence(str(event), None if account is None else str(account), facts)
    return "\n".join([f"{time_of_day} {said}", *map(strip_control_characters, trace)])


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
