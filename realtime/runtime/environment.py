"""What the daemon takes from outside: clock, random numbers, connections."""

import os
import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import aiohttp
from msgspec import Struct

from realtime.runtime.steady_clock import SteadyClock

if TYPE_CHECKING:
    from realtime.cluster.etcd_types import EtcdClient

KEEP_ALIVE_S = 60.0
"""An idle REST connection is closed after this time; reads come more often."""


def read_boottime() -> float:
    """Return seconds since the machine was started, suspensions included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Environment(Struct, frozen=True, kw_only=True):
    """Clock, random numbers and connections: those of this machine, or those of a test."""

    clock: Callable[[], float]
    """Epoch seconds, never less than before: for comparing what was received."""
    wall_clock: Callable[[], float] | None = None
    """Epoch seconds as the machine has them, for tokens and the journal; None: `clock`."""
    rng: Random
    make_connector: Callable[[], aiohttp.BaseConnector]
    boottime: Callable[[], float] = read_boottime
    """Seconds of a clock that does not stop while the machine is suspended."""
    make_engine_client: "Callable[[str], EtcdClient] | None" = None
    """Takes the name of this member; None: etcd, as configured."""
    make_webhook_connector: Callable[[bool], aiohttp.BaseConnector] | None = None
    """Takes whether only public addresses are allowed; None: this machine's connections."""


def real_environment(rng: Random | None = None) -> Environment:
    """Return this machine's environment. A demo passes a seeded `rng`."""
    return Environment(
        clock=SteadyClock(time.time, time.monotonic),
        wall_clock=time.time,
        rng=rng or Random(os.urandom(32)),
        make_connector=make_connector,
    )


def make_connector() -> aiohttp.BaseConnector:
    """Return connections to the broker's REST interface; rate limiters bound their number."""
    return aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S)
