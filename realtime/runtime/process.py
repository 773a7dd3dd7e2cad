"""This process: its event loop, its memory, its open files and the signals that stop it."""

import asyncio
import gc
import os
import resource
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

import uvloop
from msgspec import Struct

from realtime.errors import RealtimeError

EXIT_INTERRUPTED = 130  # as shells report Ctrl-C

REPEATED_SIGNAL_S = 0.2
"""One Ctrl-C may arrive twice: from the terminal and from a wrapper (timeout, a container's init).
Two keys are not pressed within this time."""

MAX_YOUNG_OBJECTS = 50_000
"""New objects between two garbage collections, instead of 700. Each collection stops the event loop
for about 30 ms once a thousand accounts have changed, and finds almost nothing: state is values
without cycles, which are freed at once. Only lost connections leave cycles behind."""

OTHER_DESCRIPTORS = 1024
"""Beside the accounts' own sockets: clients, REST connections, the log, the interpreter."""

T = TypeVar("T")


def run_in_loop(main: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end in uvloop. Raises a `RealtimeError` without its task group."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main)
    except BaseExceptionGroup as group:
        errors = list(_leaves(group))
        if any(not isinstance(error, RealtimeError) for error in errors):
            raise
        raise errors[0] from group


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def freeze_memory() -> None:
    """Exempt all objects of this moment from garbage collection.

    Otherwise each full collection visits every account, which stops the event loop for hundreds of
    milliseconds with a thousand of them.
    """
    gc.freeze()
    gc.set_threshold(MAX_YOUNG_OBJECTS)


class DescriptorLimit(Struct, frozen=True):
    """File descriptors that are needed, and how many may be opened."""

    needed: int
    limit: int

    @property
    def is_short(self) -> bool:
        """Whether there may be too few."""
        return self.limit < self.needed

    @property
    def warning(self) -> str:
        """The fact and the remedy, for a log line."""
        return (
            f"only {self.limit} files may be open, {self.needed} may be needed; "
            f"ulimit -n {self.needed}, or LimitNOFILE={self.needed} in the systemd unit"
        )


def raise_descriptor_limit(accounts: int) -> DescriptorLimit:
    """Raise the soft limit of open files as far as needed and allowed; return the result."""
    needed = accounts + OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return DescriptorLimit(needed, needed)
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    except (OSError, ValueError):  # some systems have another bound below the hard limit
        return DescriptorLimit(needed, soft)
    return DescriptorLimit(needed, limit)


@contextmanager
def stop_signals(on_first: Callable[[signal.Signals], None]) -> Iterator[asyncio.Event]:
    """Provide an event that SIGTERM or Ctrl-C sets; `on_first` is called once, with the signal.

    Ctrl-C while the stop is under way ends the process immediately.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    stopped_at = 0.0

    def handle(number: signal.Signals) -> None:
        nonlocal stopped_at
        if not stop.is_set():
            stopped_at = loop.time()
            stop.set()
            on_first(number)
        elif number is signal.SIGINT and loop.time() - stopped_at > REPEATED_SIGNAL_S:
            os._exit(EXIT_INTERRUPTED)

    for number in (signal.SIGINT, signal.SIGTERM):
        # Never removed: a Ctrl-C during the rest of the stop must not become a traceback.
        loop.add_signal_handler(number, handle, number)
    yield stop
