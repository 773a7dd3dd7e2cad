"""The daemon's metrics: names, help texts and units are here and nowhere else.

Totals of the fleet only: with a line per account, a scrape of 1000 accounts blocks the event loop
for 40 ms. `server.account_metrics` adds those lines.

docs/operations.md lists every metric; a test compares.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)

from realtime.analytics.alert_log import AlertLog
from realtime.api.cluster_metrics import cluster_families
from realtime.api.documents.health import FleetCounts, count_fleet
from realtime.api.documents.notify import NotifyDocument
from realtime.api.documents.status import count_states
from realtime.api.market_metrics import stream_families
from realtime.api.market_rest_metrics import rest_families
from realtime.api.metric_sources import MetricSources, StreamCounts
from realtime.history.queue import LOSS_KINDS
from realtime.history.status import HistoryStatus
from realtime.market.marks.status import MarksStatus
from realtime.store.records import Record
from realtime.telemetry.metrics import MetricsEncoder, counter_family, histogram_family

STORE_COUNTERS: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "events.": (
        "realtime_events", "event", "Events of trading streams that were applied", ("fill", "new"),
    ),
    "link_lost.": (
        "realtime_reconnects", "reason", "Connections lost or not established, by reason",
        ("1006", "429", "deaf", "other"),
    ),
    "differences.": (
        "realtime_differences", "kind", "Differences from REST that were found and repaired",
        ("order_missing", "order_differs", "execution_missing"),
    ),
    "anomalies.": (
        "realtime_anomalies", "kind", "Stream events that did not fit the state and led to a read",
        ("position_gap",),
    ),
    "frames.": (
        "realtime_frames_unused", "kind", "Frames that were not applied",
        ("ignored", "unreadable"),
    ),
}  # fmt: skip
"""Prefix of the store's counters → metric, label, help text, and label values that are always
present (a counter that appears with its first event has no rate)."""


class Metrics:
    """Builds the response of `/metrics`. `each_account` adds the metrics of each account."""

    def __init__(self, sources: MetricSources, *, each_account: bool = False) -> None:
        self._sources = sources
        self._each_account = each_account
        self._encoder = MetricsEncoder()

    def expose(self, accept: str | None, records: Iterable[Record]) -> tuple[bytes, str]:
        """The document and its content type; `records` are those that the client may see."""
        return self._encoder.encode(self._get_families(records), accept)

    def _get_families(self, records: Iterable[Record]) -> Iterator[Metric]:
        sources = self._sources
        yield from fleet_families(sources)
        if self._each_account:
            yield from account_families(
                records,
                sources.runtime.rest_budgets(),
                sources.runtime.routed,
                sources.clock(),
            )


def fleet_families(sources: MetricSources) -> Iterator[Metric]:
    """Metrics of the daemon as a whole."""
    yield InfoMetricFamily("realtime_build", "Version of the daemon", {"version": sources.version})
    yield from _accounts(sources)
    yield from _store_counters(sources.store.counts)
    yield histogram_family(
        "realtime_event_lag_seconds",
        "From the broker's time of an execution to its visibility here",
        [({}, sources.store.lag)],
    )
    yield from _requests(sources)
    yield from _rejections(sources)
    yield from _subscribers(sources)
    if sources.trade_hub is not None:
        yield from trading_stream_families(sources.trade_hub)
    yield histogram_family(
        "realtime_event_loop_lag_seconds",
        "Delay of the event loop",
        [({}, sources.loop_monitor.lag)],
    )
    yield histogram_family(
        "realtime_gc_pause_seconds",
        "Stops of everything by the garbage collector",
        [({}, sources.loop_monitor.pauses)],
    )
    yield from _rest(sources)
    yield from _orders(sources)
    yield from _daemon(sources)
    if sources.alerts is not None and sources.alerts.is_watched:
        yield _alerts(sources.alerts)
    if sources.history is not None:
        yield from history_families(sources.history())
    rest = sources.runtime.market_rest()
    if rest is not None:
        yield from rest_families(rest)
    streams = sources.runtime.streams()
    if streams is not None:
        yield from stream_families(streams)
    notify = sources.runtime.notify()
    if notify is not None:
        yield from _notify(notify)
    if sources.marks is not None:
        yield from mark_families(sources.marks())
    if sources.cluster is not None:
        yield from cluster_families(sources.cluster)


def _alerts(alerts: AlertLog) -> Metric:
    counts = GaugeMetricFamily(
        "realtime_tier_alerts",
        "Open alerts of tier bounds: exceeded, exceeded if an open order fills, not to be met",
        labels=["state"],
    )
    states = [alert.state for alert in alerts.open()]
    for state in ("over", "would_be", "cannot_be_met"):
        counts.add_metric([state], states.count(state))
    return counts


def _accounts(sources: MetricSources) -> Iterator[Metric]:
    states = GaugeMetricFamily("realtime_accounts", "Accounts by link state", labels=["state"])
    for state, count in count_states(sources.store).items():
        states.add_metric([state], count)
    yield states
    counts: FleetCounts = count_fleet(sources.store)
    yield GaugeMetricFamily(
        "realtime_accounts_stale", "Enabled accounts that may be behind the broker", counts.stale
    )
    yield GaugeMetricFamily(
        "realtime_accounts_provisional",
        "Accounts with parts that a read has not confirmed yet",
        sum(bool(record.state.provisional) for record in sources.store),
    )
    now = sources.clock()
    yield GaugeMetricFamily(
        "realtime_confirmation_age_seconds",
        "Age of the oldest read of positions and balance, over all synced accounts",
        max((_confirmation_age(r, now) for r in sources.store if r.link.is_synced), default=0.0),
    )


def _confirmation_age(record: Record, now: float) -> float:
    return 0.0 if record.confirmed_at is None else max(0.0, now - record.confirmed_at)


def _store_counters(counts: Mapping[str, int]) -> Iterator[Metric]:
    for prefix, (name, label, help_text, always) in STORE_COUNTERS.items():
        values = dict.fromkeys(always, 0)
        for counter, number in counts.items():
            if counter.startswith(prefix):
                values[counter.removeprefix(prefix)] = number
        yield counter_family(name, help_text, label, values)


def _requests(sources: MetricSources) -> Iterator[Metric]:
    requests, connection_limiter = sources.requests, sources.connection_limiter
    yield histogram_family(
        "realtime_http_request_duration_seconds",
        "Responses, from the response cache or from a handler",
        [({"source": "cache"}, requests.cached), ({"source": "handler"}, requests.routed)],
    )
    routes = CounterMetricFamily(
        "realtime_route_requests", "Requests by route", labels=["method", "route"]
    )
    for (method, route), number in sources.routes.items():
        routes.add_metric([method, route], number)
    yield routes
    errors = {str(status): number for status, number in requests.errors.items()}
    yield counter_family(
        "realtime_http_errors",
        "Responses with status 400 and above",
        "status",
        {"500": 0, **errors},
    )
    yield GaugeMetricFamily(
        "realtime_http_connections",
        "Open connections of clients",
        len(list(connection_limiter.connections())),
    )
    yield counter_family(
        "realtime_http_connections_aborted",
        "Connections aborted: too slow, or too many from one address",
        "reason",
        {"slow": connection_limiter.aborted, "address": connection_limiter.addresses.refused},
    )


def _rejections(sources: MetricSources) -> Iterator[Metric]:
    yield counter_family(
        "realtime_auth_rejections", "Rejected requests", "reason", sources.rejections
    )


def _subscribers(sources: MetricSources) -> Iterator[Metric]:
    counts = sources.store.counts
    yield GaugeMetricFamily(
        "realtime_subscribers",
        "Open connections to /realtime/events",
        sources.broadcast.subscribers,
    )
    yield CounterMetricFamily(
        "realtime_subscribers_disconnected",
        "Subscribers disconnected because they did not read",
        counts["subscribers.disconnected"],
    )
    yield CounterMetricFamily(
        "realtime_subscribers_resynced",
        "Subscribers that fell behind and received a new snapshot",
        counts["subscribers.resynced"],
    )


def trading_stream_families(counts: StreamCounts) -> Iterator[Metric]:
    """Programs that listen by Alpaca's own protocols."""
    yield GaugeMetricFamily(
        "realtime_trading_stream_clients",
        "Programs that listen to trade updates",
        counts.clients,
    )
    yield CounterMetricFamily(
        "realtime_trading_stream_listens",
        "Programs that began to listen; many in a short time: one reconnects",
        counts.listens,
    )
    yield CounterMetricFamily(
        "realtime_trading_stream_slow_clients",
        "Programs disconnected because they did not read",
        counts.slow_clients,
    )


def _rest(sources: MetricSources) -> Iterator[Metric]:
    runtime = sources.runtime
    requests = {
        "order": 0,
        "urgent": 0,
        "read": 0,
        "lookup": 0,
        "forward": 0,
        **runtime.rest_requests(),
    }
    yield counter_family("realtime_rest_requests", "Requests to the broker", "lane", requests)
    yield CounterMetricFamily(
        "realtime_rest_refused", "Responses 429 of the broker", runtime.rest_rate_limited()
    )
    budgets = runtime.rest_budgets()
    if budgets:
        yield GaugeMetricFamily(
            "realtime_rest_budget_remaining",
            "Requests left in the running minute, of the account with the fewest",
            min(budgets.values()),
        )


def _orders(sources: MetricSources) -> Iterator[Metric]:
    runtime = sources.runtime
    outcomes = {"placed": 0, "refused": 0, "unknown": 0, **runtime.orders}
    yield counter_family("realtime_orders", "Orders sent by the daemon", "outcome", outcomes)
    routed = dict.fromkeys(("exact", "round_robin"), 0)
    for (strategy, _), count in runtime.routed.items():
        routed[strategy] = routed.get(strategy, 0) + count
    yield counter_family(
        "realtime_routed", "Orders and reads by routing strategy", "strategy", routed
    )
    yield GaugeMetricFamily(
        "realtime_orders_halted", "1 while the kill switch is on", int(runtime.halted())
    )


def _daemon(sources: MetricSources) -> Iterator[Metric]:
    reload = sources.runtime.reloads()
    yield GaugeMetricFamily(
        "realtime_config_last_reload_successful",
        "0 if the last reload of the configuration failed",
        1 if reload is None else int(reload[0]),
    )
    if reload is not None:
        yield GaugeMetricFamily(
            "realtime_config_last_reload_timestamp_seconds",
            "Time of the last reload, epoch seconds",
            reload[1],
        )
    yield CounterMetricFamily(
        "realtime_log_lines_lost",
        "Log lines that the disk or the pipe did not accept",
        sources.runtime.log_lines_lost(),
    )


def mark_families(status: MarksStatus) -> Iterator[Metric]:
    """Metrics of accounts marked to market."""
    yield GaugeMetricFamily("realtime_marks_accounts", "Accounts with a mark", status.accounts)
    yield GaugeMetricFamily(
        "realtime_marks_unpriced",
        "Accounts whose marked equity is unknown, because a position has no price",
        status.unpriced,
    )
    yield GaugeMetricFamily(
        "realtime_marks_held",
        "Accounts with a price or a quantity that waits for a read",
        status.held,
    )
    errors = GaugeMetricFamily(
        "realtime_mark_error_bps",
        "Marked equity against the broker's at the last 100 reads, hundredths of a per cent",
        labels=["feed", "prices_from", "quantile"],
    )
    for (feed, prices_from), error in sorted(status.errors.items()):
        for quantile, value in (("0.5", error.p50_bps), ("0.95", error.p95_bps)):
            errors.add_metric([feed, prices_from, quantile], float(value))
    yield errors
    yield CounterMetricFamily("realtime_marks", "New marks", status.marks)
    yield CounterMetricFamily(
        "realtime_marks_drift",
        "Sums that did not agree with all positions added up",
        status.drift,
    )
    yield CounterMetricFamily(
        "realtime_marks_failures",
        "How often marks ended by a mistake of the program, and began again",
        status.failures,
    )


def history_families(status: HistoryStatus) -> Iterator[Metric]:
    """Metrics of the history that is recorded."""
    yield GaugeMetricFamily(
        "realtime_history_recording",
        "0 while the history files cannot be written",
        int(status.failure is None),
    )
    yield GaugeMetricFamily(
        "realtime_history_waiting", "Changes that are not written yet", status.waiting
    )
    yield CounterMetricFamily(
        "realtime_history_rows", "Rows written to the history files", status.rows
    )
    yield counter_family(
        "realtime_history_rows_lost",
        "Changes that were not recorded because the queue was full",
        "kind",
        {kind: status.lost.get(kind, 0) for kind in LOSS_KINDS},
    )
    yield counter_family(
        "realtime_history_gaps",
        "Gaps in the history, by reason",
        "reason",
        {"stopped": 0, "overflow": 0, "clock": 0, "not copied": 0, **status.gaps},
    )
    yield GaugeMetricFamily("realtime_history_bytes", "Size of all history files", status.bytes)
    if status.database is not None:
        yield GaugeMetricFamily(
            "realtime_history_database_up",
            "0 while the database of the history cannot be written",
            int(not status.database.is_failing),
        )
        yield GaugeMetricFamily(
            "realtime_history_database_lag_seconds",
            "Age of the oldest commit that the database lacks",
            status.database.lag_s,
        )


def _notify(status: NotifyDocument) -> Iterator[Metric]:
    """Only where a section configures them."""
    waiting, parked, is_parked = (
        GaugeMetricFamily(f"realtime_webhook_{name}", help_text, labels=["webhook"])
        for name, help_text in (
            ("waiting", "Messages that are stored and not confirmed"),
            ("messages_parked", "Messages that the receiver rejected too often"),
            ("parked", "1 while nothing is sent until a person asks for it"),
        )
    )
    delivered, failed, lost = (
        CounterMetricFamily(f"realtime_webhook_{name}", help_text, labels=["webhook"])
        for name, help_text in (
            ("delivered", "Messages that the receiver has confirmed"),
            ("attempts_failed", "Attempts that were not confirmed"),
            ("lost", "Events that found no room in the outbox"),
        )
    )
    for row in status.webhooks:
        name = [row.name]
        waiting.add_metric(name, row.waiting)
        parked.add_metric(name, row.parked)
        is_parked.add_metric(name, int(row.state == "parked"))
        delivered.add_metric(name, row.delivered)
        failed.add_metric(name, row.failed_attempts)
        lost.add_metric(name, row.lost)
    yield from (waiting, parked, is_parked, delivered, failed, lost)
    yield GaugeMetricFamily(
        "realtime_webhook_store_failed",
        "1 while events cannot be stored in the outbox",
        int(status.outbox_error is not None),
    )
    sent, unsent, given_up = (
        CounterMetricFamily(f"realtime_notify_{name}", help_text, labels=["target"])
        for name, help_text in (
            ("sent", "Messages that a target of notifications has accepted"),
            ("attempts_failed", "Attempts to notify that failed"),
            ("lost", "Notifications that were given up"),
        )
    )
    for target in status.notify:
        sent.add_metric([target.name], target.sent)
        unsent.add_metric([target.name], target.failed)
        given_up.add_metric([target.name], target.lost)
    yield from (sent, unsent, given_up)


def account_families(
    records: Iterable[Record],
    budgets: Mapping[str, int],
    routed: Mapping[tuple[str, str], int],
    now: float,
) -> Iterator[Metric]:
    """Metrics of each account."""
    synced, stale, attempts, positions, orders, age, budget = (
        GaugeMetricFamily(f"realtime_account_{name}", help_text, labels=["account_id"])
        for name, help_text in (
            ("synced", "1 while the account is synced"),
            ("stale", "1 while the account may be behind the broker"),
            ("reconnect_attempts", "Attempts to connect since the account was last synced"),
            ("positions", "Positions"),
            ("open_orders", "Open orders"),
            ("confirmation_age_seconds", "Age of the last read of positions and balance"),
            ("rest_budget_remaining", "Requests left in the running minute"),
        )
    )
    decisions = CounterMetricFamily(
        "realtime_account_routed",
        "Orders and reads that routing sent to the account",
        labels=["account_id", "strategy"],
    )
    records = list(records)
    visible = {record.profile.label for record in records}
    for (strategy, account_id), count in routed.items():
        if account_id in visible:
            decisions.add_metric([account_id, strategy], count)
    yield decisions
    for record in records:
        label = [record.profile.label]
        synced.add_metric(label, int(record.link.is_synced))
        stale.add_metric(label, int(record.link.is_stale))
        attempts.add_metric(label, record.link.reconnect_attempts)
        if record.has_data:
            positions.add_metric(label, len(record.state.positions))
            orders.add_metric(label, record.state.open_orders)
        if record.confirmed_at is not None:
            age.add_metric(label, _confirmation_age(record, now))
        if record.profile.label in budgets:
            budget.add_metric(label, budgets[record.profile.label])
    yield from (synced, stale, attempts, positions, orders, age, budget)
