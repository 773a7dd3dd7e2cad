"""Metrics of owners and fronts; they exist with `[cluster]` only."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from realtime.api.documents.cluster import EngineDocument, EngineFigures
from realtime.api.owners import ClusterInterface
from realtime.telemetry.metrics import histogram_family

COUNTERS = (
    ("realtime_feed_sent_frames", "Frames sent to fronts", "sent_frames"),
    ("realtime_feed_sent_bytes", "Bytes sent to fronts", "sent_bytes"),
    ("realtime_feed_joined", "Connections of fronts that began with all accounts", "joined"),
    ("realtime_feed_resumed", "Connections of fronts that resumed", "resumed"),
    ("realtime_feed_cut", "Fronts that were cut off because they did not read", "cut"),
    ("realtime_mesh_rejected", "Requests without the secret of the fleet", "rejected"),
)
"""Name, help text, member of the figures."""


ENGINE_GAUGES = (
    ("realtime_engine_up", "1 while etcd renews the lease of this daemon in time", "reachable"),
    ("realtime_engine_nodes", "Nodes of etcd that are configured", "nodes"),
    ("realtime_engine_nodes_up", "Nodes of etcd that answered last", "nodes_up"),
    ("realtime_engine_lease_seconds", "For how long the lease may be relied on", "lease_s"),
    ("realtime_owned_accounts", "Accounts that this daemon owns", "accounts"),
    ("realtime_unowned_accounts", "Accounts that no daemon owns", "unowned"),
)
ENGINE_COUNTERS = (
    ("realtime_engine_failures", "Attempts that etcd did not answer", "failures"),
    ("realtime_engine_leases_lost", "Leases of this daemon that have ended", "leases_lost"),
    ("realtime_accounts_taken_over", "Accounts taken over from ended daemons", "taken_over"),
    ("realtime_accounts_handed_over", "Accounts handed over to other daemons", "handed_over"),
)


def engine_families(engine: EngineDocument, figures: EngineFigures) -> Iterator[Metric]:
    """Figures of what decides ownership; they exist with `[cluster] engine` only."""
    for name, help_text, member in ENGINE_GAUGES:
        yield GaugeMetricFamily(name, help_text, float(getattr(engine, member)))
    yield GaugeMetricFamily("realtime_members", "Daemons whose leases hold", len(engine.members))
    for name, help_text, member in ENGINE_COUNTERS:
        yield CounterMetricFamily(name, help_text, getattr(figures, member))
    intents = CounterMetricFamily(
        "realtime_intents",
        "Orders recorded in etcd before they leave, by result",
        labels=["result"],
    )
    intents.add_metric(["recorded"], figures.intents_recorded)
    intents.add_metric(["refused"], figures.intents_refused)
    yield intents
    yield histogram_family(
        "realtime_engine_latency_seconds", "Requests to etcd", [({}, figures.latency)]
    )


def cluster_families(cluster: ClusterInterface) -> Iterator[Metric]:
    """Figures of this daemon's feed, and of those that it follows."""
    figures, document = cluster.get_figures(), cluster.get_document()
    engine_figures = cluster.get_engine_figures()
    if document.engine is not None and engine_figures is not None:
        yield from engine_families(document.engine, engine_figures)
    yield GaugeMetricFamily("realtime_feed_fronts", "Fronts that are connected", figures.fronts)
    for name, help_text, member in COUNTERS:
        yield CounterMetricFamily(name, help_text, getattr(figures, member))
    up, accounts = (
        GaugeMetricFamily(f"realtime_owner_{name}", help_text, labels=["owner"])
        for name, help_text in (
            ("up", "1 while the accounts of an owner are as it has them"),
            ("accounts", "Accounts that are followed from an owner"),
        )
    )
    for row in document.owners:
        name = row.member or row.address
        up.add_metric([name], int(row.connected))
        accounts.add_metric([name], row.accounts)
    dropped = CounterMetricFamily(
        "realtime_owner_dropped_frames",
        "Frames of owners that were not applied, by reason",
        labels=["reason"],
    )
    for reason, count in figures.dropped.items():
        dropped.add_metric([reason], count)
    yield from (up, accounts, dropped)
