"""Metrics of reads of market data; they exist with `[market]` only."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from realtime.market.rest.status import RestStatus
from realtime.telemetry.metrics import counter_family


def rest_families(status: RestStatus) -> Iterator[Metric]:
    """Where responses came from, what was refused, and what is left of the budget."""
    yield counter_family(
        "realtime_market_reads",
        "Values for clients that cost no request of their own, by where they came from",
        "source",
        {
            "stream": status.stream_hits,
            "cache": status.cache_hits,
            "stale": status.stale_hits,
            "shared": status.joined,
        },
    )
    yield counter_family(
        "realtime_market_requests",
        "Requests to the market-data API, and those that were not sent for want of budget",
        "outcome",
        {
            "answered": status.requests - status.errors,
            "failed": status.errors - status.rate_limited,
            "rate_limited": status.rate_limited,
            "not_sent": status.refused,
        },
    )
    yield GaugeMetricFamily(
        "realtime_market_budget_remaining",
        "Requests left in the running minute, the floor for others included",
        status.budget.remaining,
    )
    yield GaugeMetricFamily(
        "realtime_market_cache_available",
        "0 while Redis does not respond and nothing is cached",
        int(status.cache.available),
    )
    if status.cache.bytes is not None:
        yield GaugeMetricFamily(
            "realtime_market_cache_bytes", "Memory of cached responses", status.cache.bytes
        )
