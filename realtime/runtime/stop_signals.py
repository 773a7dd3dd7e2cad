"""How a command that goes on for ever is ended: once asked politely, the second time at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # as shells have it

ECHO_S = 0.2
"""One Ctrl-C may arrive twice: from the terminal and from a wrapper (timeout, a container's init).
No finger is that quick."""


@contextmanager
def stop_requested(say: Callable[[signal.Signals], None]) -> Iterator[asyncio.Event]:
    """Give the event that SIGTERM or Ctrl-C sets. `say` is told once, with the signal.

    Ctrl-C while the stop is under way ends the process there and then, for whoever cannot wait.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    told_at = 0.0

    def ask(number: signal.Signals) -> None:
        nonlocal told_at
        if not stop.is_set():
            told_at = loop.time()
            stop.set()
            say(number)
        elif number is signal.SIGINT and loop.time() - told_at > ECHO_S:
            os._exit(INTERRUPTED)

    for number in (signal.SIGINT, signal.SIGTERM):
        # Never taken away: a Ctrl-C during what remains of the stop must not become a traceback.
        loop.add_signal_handler(number, ask, number)
    yield stop
