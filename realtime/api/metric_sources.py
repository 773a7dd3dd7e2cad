"""Where the values of `/metrics` come from: each component counts for itself."""

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct

from realtime.analytics.alert_log import AlertLog
from realtime.api.documents.notify import NotifyDocument
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.owners import ClusterInterface
from realtime.api.security.client_limits import ConnectionLimiter
from realtime.history.status import HistoryStatus
from realtime.market.marks.status import MarksStatus
from realtime.market.rest.status import RestStatus
from realtime.market.stream.status import StreamsStatus
from realtime.store.store import Store
from realtime.telemetry.loop_monitor import LoopMonitor
from realtime.telemetry.request_stats import RequestStats


class RuntimeMetrics(Struct, frozen=True, kw_only=True):
    """Values of components that `api` does not import; `runtime` passes them in."""

    rest_requests: Callable[[], Mapping[str, int]] = dict
    """Lane → requests to the broker since the start."""
    rest_rate_limited: Callable[[], int] = lambda: 0
    """Responses of the broker with status 429."""
    rest_budgets: Callable[[], Mapping[str, int]] = dict
    """Label → requests left in the running minute."""
    orders: Mapping[str, int] = {}
    """Outcome → orders."""
    routed: Mapping[tuple[str, str], int] = {}
    """(strategy, account) → requests that routing sent there."""
    halted: Callable[[], bool] = lambda: False
    """Whether the kill switch is on, for all accounts or for one."""
    reloads: Callable[[], tuple[bool, float] | None] = lambda: None
    """Whether the last reload succeeded, and when; None: there was none."""
    market_rest: Callable[[], RestStatus | None] = lambda: None
    """Reads of market data; None without `[market]`."""
    streams: Callable[[], StreamsStatus | None] = lambda: None
    """Streams of market data; None without `[market]`."""
    log_lines_lost: Callable[[], int] = lambda: 0
    """Lines that the log's disk or pipe did not accept."""
    notify: Callable[[], NotifyDocument | None] = lambda: None
    """How webhooks and notifications go; None: none are configured."""


class StreamCounts(Protocol):
    """Programs that listen to trade updates by Alpaca's own protocols."""

    listens: int
    """How many began to listen since the start."""
    slow_clients: int
    """Of those, disconnected because they did not read."""

    @property
    def clients(self) -> int:
        """How many listen now."""


class MetricSources(Struct, frozen=True, kw_only=True):
    """Everything that `/metrics` reads."""

    store: Store
    requests: RequestStats
    routes: Mapping[tuple[str, str], int]
    """(method, route) → requests."""
    loop_monitor: LoopMonitor
    connection_limiter: ConnectionLimiter
    rejections: Mapping[str, int]
    """Code of the problem → requests that were rejected."""
    broadcast: Broadcaster
    runtime: RuntimeMetrics
    history: Callable[[], HistoryStatus] | None
    """None: history is not recorded, and has no metrics."""
    marks: Callable[[], MarksStatus] | None = None
    """None: accounts are not marked to market, and marks have no metrics."""
    clock: Callable[[], float]
    """Epoch seconds."""
    version: str
    alerts: AlertLog | None = None
    """None: no tier has bounds, and there are no metrics of them."""
    trade_hub: StreamCounts | None = None
    """None: Alpaca's API is not served, and there are no metrics of its sockets."""
    cluster: ClusterInterface | None = None
    """None: there is no `[cluster]`, and it has no metrics."""
