"""The real world for the daemon: this machine's clock, event loop and connections."""

import asyncio
import gc
import os
import time
from collections.abc import Coroutine, Iterator
from random import Random
from typing import TypeVar

import aiohttp
import uvloop

from realtime.errors import RealtimeError
from realtime.runtime.daemon import Environment
from realtime.runtime.steady_clock import SteadyClock

KEEP_ALIVE_S = 60.0
"""An idle REST connection is closed after so long; reads come more often than that."""

T = TypeVar("T")


def real_world(rng: Random | None = None) -> Environment:
    """The world as it is. `chance` is seeded for a demo, the system's own otherwise."""
    return Environment(
        clock=SteadyClock(time.time, time.monotonic),
        rng=rng or Random(os.urandom(32)),
        make_connector=make_connector,
    )


def make_connector() -> aiohttp.BaseConnector:
    """Connections to the broker's REST interface. How many there are is bounded by pacing."""
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)


MAX_YOUNG = 50_000
"""New objects between two looks for garbage, in place of 700. Each look holds everybody up, some
30 ms once a thousand accounts have changed; and it hardly finds anything: state is values without
cycles, which are freed at once. Only lost connections leave something behind."""


def settle_memory() -> None:
    """What exists now stays: looking for garbage then need not visit every account, which takes
    hundreds of milliseconds with a thousand of them and holds up all."""
    gc.freeze()
    gc.set_threshold(MAX_YOUNG)


def run_in_loop(main: Coroutine[object, object, T]) -> T:
    """Run to the end in uvloop. An error of ours comes out as it is, not in a task group's wrap."""
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
