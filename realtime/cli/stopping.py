"""How a command that goes on for ever is ended: once asked politely, the second time at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130  # as shells have it


@contextmanager
def told_to_stop(say: Callable[[signal.Signals], None]) -> Iterator[asyncio.Event]:
    """Give the event that SIGTERM or Ctrl-C sets. `say` is told once, with the signal.

    Ctrl-C while the stop is under way ends the process there and then, for whoever cannot wait.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def ask(number: signal.Signals) -> None:
        if not stop.is_set():
            stop.set()
            say(number)
        elif number is signal.SIGINT:
            os._exit(INTERRUPTED)

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, ask, number)
    try:
        yield stop
    finally:
        # Left in place: a Ctrl-C during what remains of the stop must not become a traceback.
        stop.set()
