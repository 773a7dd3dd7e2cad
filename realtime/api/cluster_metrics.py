"""Metrics of owners and fronts; they exist with `[cluster]` only."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from realtime.api.owners import ClusterInterface

COUNTERS = (
    ("realtime_feed_sent_frames", "Frames sent to fronts", "sent_frames"),
    ("realtime_feed_sent_bytes", "Bytes sent to fronts", "sent_bytes"),
    ("realtime_feed_joined", "Connections of fronts that began with all accounts", "joined"),
    ("realtime_feed_resumed", "Connections of fronts that resumed", "resumed"),
    ("realtime_feed_cut", "Fronts that were cut off because they did not read", "cut"),
    ("realtime_mesh_rejected", "Requests without the secret of the fleet", "rejected"),
)
"""Name, help text, member of the figures."""


def cluster_families(cluster: ClusterInterface) -> Iterator[Metric]:
    """Figures of this daemon's feed, and of those that it follows."""
    figures, document = cluster.get_figures(), cluster.get_document()
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
