"""Metrics of the streams of market data; they exist with `[market]` only."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from realtime.market.stream.status import StreamsStatus


def stream_families(status: StreamsStatus) -> Iterator[Metric]:
    """Figures by stream: few of them exist, whatever the number of clients and symbols."""
    for name, help_text, field in GAUGES:
        gauge = GaugeMetricFamily(name, help_text, labels=["path"])
        for row in status.streams:
            gauge.add_metric([row.path], getattr(row, field))
        yield gauge
    for name, help_text, field in COUNTERS:
        counter = CounterMetricFamily(name, help_text, labels=["path"])
        for row in status.streams:
            counter.add_metric([row.path], getattr(row, field))
        yield counter
    states = GaugeMetricFamily(
        "realtime_market_stream_state", "1 for the current state", labels=["path", "state"]
    )
    names = GaugeMetricFamily(
        "realtime_market_stream_names", "Subscribed names", labels=["path", "channel"]
    )
    elements = CounterMetricFamily(
        "realtime_market_stream_elements", "Elements received, by type", labels=["path", "type"]
    )
    for row in status.streams:
        states.add_metric([row.path, row.state], 1)
        for channel, count in row.subscribed.items():
            names.add_metric([row.path, channel], count)
        for kind, count in row.elements.items():
            elements.add_metric([row.path, kind], count)
    yield from (states, names, elements)


GAUGES = (
    ("realtime_market_stream_clients", "Clients of a stream", "clients"),
    (
        "realtime_market_stream_unconfirmed",
        "Names that the broker does not confirm or refuses",
        "unconfirmed_total",
    ),
    (
        "realtime_market_stream_waiting_bytes",
        "What waits for clients that do not keep up",
        "waiting_bytes",
    ),
)
COUNTERS = (
    ("realtime_market_stream_sent", "Elements sent to clients", "sent"),
    (
        "realtime_market_stream_conflated",
        "Quotes that a newer one replaced for a slow client",
        "conflated",
    ),
    (
        "realtime_market_stream_slow_clients",
        "Clients refused because they did not read",
        "slow_clients",
    ),
    ("realtime_market_stream_reconnects", "Connections lost or not established", "reconnects"),
    ("realtime_market_stream_ack_differences", "Names that differ in acks", "ack_differences"),
    (
        "realtime_market_stream_missed",
        "Findings that REST has what the stream did not deliver",
        "missed_total",
    ),
)
"""Name, help text, member of the status."""
