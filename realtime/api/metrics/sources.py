"""Where the figures of `/metrics` are kept: every room counts for itself, this points there."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from realtime.api.events.broadcaster import Broadcaster
from realtime.api.security.client_limits import ConnectionLimiter
from realtime.store.store import Store
from realtime.telemetry.loop_monitor import LoopMonitor
from realtime.telemetry.request_stats import RequestStats


class Composed(Struct, frozen=True, kw_only=True):
    """What the readers' edge cannot see by itself; a daemon's composition tells it."""

    rest_asked: Callable[[], Mapping[str, int]] = dict
    """Lane → requests to the broker since the start."""
    rest_refused: Callable[[], int] = lambda: 0
    """429s that the broker has answered."""
    rest_left: Callable[[], Mapping[str, int]] = dict
    """Label → what is left of the account's minute."""
    orders: Mapping[str, int] = {}
    """Outcome → orders."""
    halted: Callable[[], bool] = lambda: False
    """Whether the kill switch is thrown, for everybody or for one account."""
    reloads: Callable[[], tuple[bool, float] | None] = lambda: None
    """Whether the files could be read again the last time, and when; None: nobody tried."""
    log_lost: Callable[[], int] = lambda: 0
    """Lines that the log's disk or reader would not take."""


class Sources(Struct, frozen=True, kw_only=True):
    """All of it."""

    store: Store
    requests: RequestStats
    loop_monitor: LoopMonitor
    connection_limiter: ConnectionLimiter
    broadcast: Broadcaster
    composed: Composed
    clock: Callable[[], float]
    """Epoch seconds."""
    version: str
