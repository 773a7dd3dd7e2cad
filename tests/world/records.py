"""The log of the programs under test, taken from structlog: traced, and searched for mistakes."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog

MISTAKES = frozenset({"account.failed", "server.failed", "request.failed", "daemon.stop_slow"})
"""Log events that only a fault of ours can cause."""

Line = MutableMapping[str, Any]  # Any: structlog's own type


@contextmanager
def listening(tell: Callable[[str, Line], None]) -> Iterator[None]:
    """Have `tell` called with level and facts of every line from info up; nothing is printed."""

    def drop(_: object, level: str, event: Line) -> Line:
        tell(level, event)
        raise structlog.DropEvent

    usual = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, drop],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**usual)
