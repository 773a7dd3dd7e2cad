"""What handlers work with: the accounts a client may see, the documents about them, the request."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, Literal, Protocol, TypeVar

from msgspec import Struct

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.compare.documents import BenchmarkPrices
from realtime.analytics.recorder import Recorder
from realtime.api.documents.document_cache import RowCache
from realtime.api.documents.documents import Documents
from realtime.api.documents.health import FleetCounts, count_fleet
from realtime.api.documents.timestamps import format_http_date, format_millis
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.history.messages import HistoryCall
from realtime.api.metrics import Metrics
from realtime.api.owners import ClusterInterface
from realtime.api.problems import Problem, quote
from realtime.api.responses import ApiResponse, StaticPages
from realtime.auth.principal import LOCAL, Principal
from realtime.history.status import HistoryStatus
from realtime.market.marks.status import MarksStatus
from realtime.market.rest.market_rest import MarketRest
from realtime.market.stream.market_streams import MarketStreams
from realtime.nearest import nearest
from realtime.orders.interface import TradingInterface
from realtime.store.records import Record, Records
from realtime.telemetry.loop_monitor import LoopMonitor

ChangesWith = Literal["account", "fleet", "clock"]
"""What a response depends on: the version of the account requested, of the fleet, or the time."""

Refresh = Callable[[str], Awaitable[None]]
"""Reads an account again now; raises `RealtimeError`."""

BenchmarkReader = Callable[[str, bool], Awaitable[BenchmarkPrices]]
"""Reads daily closes of a symbol, with dividends or without; never raises."""

Query_co = TypeVar("Query_co", bound=Struct, covariant=True)


class PastReader(Protocol):
    """Reads the history files."""

    status: Callable[[], HistoryStatus]
    """How recording goes."""

    async def fetch(self, call: HistoryCall) -> ApiResponse:
        """The response to a call. Raises `Problem`."""


class FleetProgress(Struct, frozen=True):
    """The fleet counted, and what its start has reached."""

    counts: FleetCounts
    is_started: bool
    """Every enabled account has been tried once."""
    is_ready: bool
    """Every enabled account has been read once, except those that the broker refuses."""


class ApiContext:
    """Store, documents and clock for one set of visible accounts. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Records,
        documents: Documents,
        *,
        clock: Callable[[], float],
        version: str,
        started_at: float,
        broadcaster: Broadcaster,
        recorder: Recorder,
        loop_monitor: LoopMonitor,
        metrics: Metrics,
        pages: StaticPages | None = None,
        list_documents: Documents | None = None,
        labels: frozenset[str] | None = None,
        history: PastReader | None = None,
        trading: TradingInterface | None = None,
        refresh: Refresh | None = None,
        books: Mapping[str, str] | None = None,
        read_benchmark: BenchmarkReader | None = None,
        alerts: AlertLog | None = None,
        market_rest: MarketRest | None = None,
        marks: Callable[[], MarksStatus] | None = None,
        market_streams: MarketStreams | None = None,
        route_counts: Counter[tuple[str, str]] | None = None,
        cluster: ClusterInterface | None = None,
    ) -> None:
        self.store = store
        self.documents = documents
        """Documents about one account, shared by all contexts."""
        self.list_documents = list_documents or documents
        """Documents about many accounts, of this context alone."""
        self.clock = clock
        self.version = version
        self.started_at = started_at
        self.broadcaster = broadcaster
        self.recorder = recorder
        self.loop_monitor = loop_monitor
        self.metrics = metrics
        self.pages = pages
        self.labels = labels
        """The accounts that are visible; None: all."""
        self.trading = trading
        self.history = history
        """None: nothing is recorded."""
        self.refresh = refresh
        self.books = {} if books is None else books
        """Book → prefix of `client_order_id`, in the order of the configuration."""
        self.alerts = alerts
        """None: no tier has bounds."""
        self.read_benchmark = read_benchmark
        """None: there is no market data."""
        self.market_rest = market_rest
        self.market_streams = market_streams
        """None: there is no `[market]`."""
        self.marks = marks
        """How marks are doing; None: accounts are not marked to market."""
        self.route_counts = Counter() if route_counts is None else route_counts
        """(method, route) → requests, of all contexts"""
        self.cluster = cluster
        """None: there is no `[cluster]`."""
        self._is_started = False
        self._is_ready = False
        self._version_headers = RowCache(self._make_version_headers)
        self._fleet_version_headers: tuple[int, dict[str, str]] = (-1, {})

    def record(self, label: str) -> Record:
        """The record of an account. Raises the problem `unknown_account`."""
        record = self.store.get(label)
        if record is None:
            raise self.unknown_account(label)
        return record

    def unknown_account(self, label: str) -> Problem:
        """The problem of a label that no account has, with the nearest existing label."""
        meant = nearest(label, self.store.records)
        return Problem(
            "unknown_account",
            f"no account '{quote(label)}'",
            remedy=f"did you mean {meant}? Labels match exactly" if meant else None,
        )

    def version_headers(self, record: Record) -> dict[str, str]:
        """The headers that state the version of a record; not to be changed."""
        self._version_headers.remove_absent(self.store)
        return self._version_headers.get(record)

    def fleet_version_headers(self) -> dict[str, str]:
        """The same for a response about all accounts."""
        if self._fleet_version_headers[0] != self.store.version:
            changed_at = max((record.as_of for record in self.store), default=self.started_at)
            self._fleet_version_headers = (
                self.store.version,
                {
                    "ETag": f'"{self.store.boot}-{self.store.version}"',
                    "Cache-Control": "no-cache",
                    "Last-Modified": format_http_date(changed_at),
                    "X-Realtime-As-Of": format_millis(changed_at),
                },
            )
        return self._fleet_version_headers[1]

    def make_version_reader(
        self, changes_with: ChangesWith, account_id: str
    ) -> Callable[[], object] | None:
        """A function whose result changes when the response does; None: it always changes."""
        if changes_with == "account":
            return lambda: record.version if (record := self.store.get(account_id)) else None
        return (lambda: self.store.version) if changes_with == "fleet" else None

    def _make_version_headers(self, record: Record) -> dict[str, str]:
        headers = {
            "ETag": f'"{self.store.boot}-{record.version}"',
            "Cache-Control": "no-cache",
            "Last-Modified": format_http_date(record.as_of),
            "X-Realtime-As-Of": format_millis(record.as_of),
            "X-Realtime-Stale": "true" if record.link.is_stale else "false",
        }
        if record.owner is not None:
            headers["X-Realtime-Owner"] = record.owner
        if record.state.provisional:
            headers["X-Realtime-Provisional"] = ", ".join(sorted(record.state.provisional))
        return headers

    def count_fleet(self) -> FleetProgress:
        """The fleet counted, and how far its start is.

        What was reached once stays true when an account is added later: a new account must not
        make the others unavailable.
        """
        counts = count_fleet(self.store)
        has_all_accounts = self.cluster is None or self.cluster.is_complete
        self._is_started = self._is_started or (has_all_accounts and not counts.untried)
        self._is_ready = self._is_ready or (has_all_accounts and counts.has_all_data)
        return FleetProgress(counts, self._is_started, self._is_ready)


class RequestContext(Struct, Generic[Query_co], frozen=True, kw_only=True):
    """One request, validated, with the context that its client may see."""

    context: ApiContext
    query: Query_co
    account_id: str = ""
    """From the path."""
    if_none_match: str | None = None
    last_event_id: str | None = None
    accept: str | None = None
    accept_encoding: str | None = None
    principal: Principal = LOCAL
    parts: Mapping[str, str] = {}
    """Path parameters."""
    body: bytes = b""
    key: str | None = None
    """`Idempotency-Key`."""
    raw_query: str = ""
    """The query string as it came."""
    cache_control: str | None = None

    @property
    def trading(self) -> TradingInterface:
        """Orders; only routes of an application that has them ask for it."""
        trading = self.context.trading
        assert trading is not None, "routes for orders are added together with trading"
        return trading

    @property
    def market(self) -> MarketRest:
        """Market data; only routes of an application that has it ask for it."""
        market_rest = self.context.market_rest
        assert market_rest is not None, "routes for market data are added together with it"
        return market_rest
