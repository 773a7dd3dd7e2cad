"""The daemon's figures as families of metrics: names, words and units stand here and nowhere else.

Totals of the fleet: a family of a thousand accounts would hold the event loop up for 40 ms at every
scrape. Who wants lines for each account says so (`server.account_metrics`).

docs/operations.md lists every family; a test compares.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from realtime.api.documents.health import FleetCounts, count_fleet
from realtime.api.documents.status import count_states
from realtime.api.metrics.sources import Sources
from realtime.store.store import Record
from realtime.telemetry.histogram import Histogram

NOTED: Mapping[str, tuple[str, str, str, tuple[str, ...]]] = {
    "events.": (
        "realtime_events", "event", "Events of trading streams that were applied", ("fill", "new"),
    ),
    "link_lost.": (
        "realtime_reconnects", "reason", "Connections lost or not made, by websocket code or word",
        ("1006", "429", "deaf", "other"),
    ),
    "differences.": (
        "realtime_differences", "kind", "Differences from REST, found and repaired",
        ("order_missing", "order_differs", "execution_missing"),
    ),
    "anomalies.": (
        "realtime_anomalies", "kind", "Events that did not fit the state, so that REST was read",
        ("position_gap",),
    ),
    "frames.": (
        "realtime_frames_unused", "kind", "Frames that told nothing",
        ("ignored", "unreadable"),
    ),
}  # fmt: skip
"""What the store counts, by the beginning of the name: family, label, help, values that are always
there (a counter that appears with its first event has no rate)."""


def fleet_families(sources: Sources) -> Iterator[Metric]:
    """Everything about the daemon as a whole."""
    yield InfoMetricFamily("realtime_build", "What runs", {"version": sources.version})
    yield from _accounts(sources)
    yield from _noted(sources.store.counts)
    yield _histogram(
        "realtime_event_lag_seconds",
        "From the broker's time of an execution to where readers see it",
        [({}, sources.store.lag)],
    )
    yield from _requests(sources)
    yield from _readers(sources)
    yield _histogram(
        "realtime_event_loop_lag_seconds",
        "How late the event loop woke up",
        [({}, sources.loop_monitor.lag)],
    )
    yield from _rest(sources)
    yield from _orders(sources)
    yield from _daemon(sources)


def _accounts(sources: Sources) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "realtime_accounts", "Accounts by the state of their link", labels=["state"]
    )
    for state, count in count_states(sources.store).items():
        states.add_metric([state], count)
    yield states
    census: FleetCounts = count_fleet(sources.store)
    yield GaugeMetricFamily(
        "realtime_accounts_stale", "Enabled accounts that may be behind the broker", census.stale
    )
    yield GaugeMetricFamily(
        "realtime_accounts_provisional",
        "Accounts of which a part awaits the broker's confirmation",
        sum(bool(record.state.provisional) for record in sources.store),
    )
    now = sources.clock()
    yield GaugeMetricFamily(
        "realtime_confirmation_age_seconds",
        "Since positions and money were last read, of the live account where that is longest ago",
        max((_confirmed_age(r, now) for r in sources.store if r.link.is_synced), default=0.0),
    )


def _confirmed_age(record: Record, now: float) -> float:
    return 0.0 if record.confirmed_at is None else max(0.0, now - record.confirmed_at)


def _noted(counts: Mapping[str, int]) -> Iterator[Metric]:
    for beginning, (name, label, words, always) in NOTED.items():
        found = dict.fromkeys(always, 0)
        for counted, number in counts.items():
            if counted.startswith(beginning):
                found[counted.removeprefix(beginning)] = number
        yield _counter(name, words, label, found)


def _requests(sources: Sources) -> Iterator[Metric]:
    requests, connection_limiter = sources.requests, sources.connection_limiter
    yield _histogram(
        "realtime_http_request_duration_seconds",
        "Answers to readers, by whether their request was remembered or went through the routes",
        [
            ({"answered": "remembered"}, requests.remembered),
            ({"answered": "routed"}, requests.routed),
        ],
    )
    errors = {str(status): number for status, number in requests.errors.items()}
    yield _counter(
        "realtime_http_errors", "Answers from status 400 on", "status", {"500": 0, **errors}
    )
    yield GaugeMetricFamily(
        "realtime_http_connections",
        "Open connections of readers",
        len(list(connection_limiter.everybody())),
    )
    refused = {"slow": connection_limiter.cut, "address": connection_limiter.addresses.refused}
    yield _counter(
        "realtime_http_connections_cut",
        "Connections ended: too slow, or too many of one address",
        "reason",
        refused,
    )


def _readers(sources: Sources) -> Iterator[Metric]:
    counts = sources.store.counts
    yield GaugeMetricFamily(
        "realtime_subscribers", "Readers that are pushed to", sources.broadcast.subscribers
    )
    yield CounterMetricFamily(
        "realtime_subscribers_disconnected",
        "Readers of the push cut for not reading",
        counts["subscribers.disconnected"],
    )
    yield CounterMetricFamily(
        "realtime_subscribers_resynced",
        "Readers of the push that were given a new snapshot because they fell behind",
        counts["subscribers.resynced"],
    )


def _rest(sources: Sources) -> Iterator[Metric]:
    composed = sources.composed
    asked = {"order": 0, "urgent": 0, "read": 0, **composed.rest_asked()}
    yield _counter("realtime_rest_requests", "Requests to the broker, by lane", "lane", asked)
    yield CounterMetricFamily(
        "realtime_rest_refused", "Answers 429 of the broker", composed.rest_refused()
    )
    left = composed.rest_left()
    if left:
        yield GaugeMetricFamily(
            "realtime_rest_budget_remaining",
            "Requests left in the running minute, of the account that has least",
            min(left.values()),
        )


def _orders(sources: Sources) -> Iterator[Metric]:
    composed = sources.composed
    outcomes = {"placed": 0, "refused": 0, "unknown": 0, **composed.orders}
    yield _counter("realtime_orders", "Orders through the daemon, by outcome", "outcome", outcomes)
    yield GaugeMetricFamily(
        "realtime_orders_halted", "1 while the kill switch stops orders", int(composed.halted())
    )


def _daemon(sources: Sources) -> Iterator[Metric]:
    reload = sources.composed.reloads()
    yield GaugeMetricFamily(
        "realtime_config_last_reload_successful",
        "0 if the files could not be used when they were last read again",
        1 if reload is None else int(reload[0]),
    )
    if reload is not None:
        yield GaugeMetricFamily(
            "realtime_config_last_reload_timestamp_seconds",
            "When that was, epoch seconds",
            reload[1],
        )
    yield CounterMetricFamily(
        "realtime_log_lines_lost",
        "Lines that the log's disk or reader would not take",
        sources.composed.log_lost(),
    )


def account_families(
    records: Iterable[Record], left: Mapping[str, int], now: float
) -> Iterator[Metric]:
    """The same of each account."""
    live, stale, attempts, positions, orders, age, budget = (
        GaugeMetricFamily(f"realtime_account_{name}", words, labels=["account_id"])
        for name, words in (
            ("synced", "1 while the account is live"),
            ("stale", "1 while the account may be behind the broker"),
            ("reconnect_attempts", "Attempts since the account was last live"),
            ("positions", "Positions"),
            ("open_orders", "Orders that are not final"),
            ("confirmation_age_seconds", "Since positions and money were last read"),
            ("rest_budget_remaining", "Requests left in the running minute"),
        )
    )
    for record in records:
        label = [record.profile.label]
        live.add_metric(label, int(record.link.is_synced))
        stale.add_metric(label, int(record.link.is_stale))
        attempts.add_metric(label, record.link.reconnect_attempts)
        if record.has_data:
            positions.add_metric(label, len(record.state.positions))
            orders.add_metric(label, record.state.open_orders)
        if record.confirmed_at is not None:
            age.add_metric(label, _confirmed_age(record, now))
        if record.profile.label in left:
            budget.add_metric(label, left[record.profile.label])
    yield from (live, stale, attempts, positions, orders, age, budget)


def _counter(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, words, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _histogram(
    name: str, words: str, parts: Iterable[tuple[Mapping[str, str], Histogram]]
) -> Metric:
    listed = list(parts)
    family = HistogramMetricFamily(name, words, labels=list(listed[0][0]))
    for labels, histogram in listed:
        counts, below, buckets = list(histogram.counts), 0, []
        for bound, count in zip((*map(repr, histogram.bounds), "+Inf"), counts, strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(list(labels.values()), buckets, histogram.total)
    return family
