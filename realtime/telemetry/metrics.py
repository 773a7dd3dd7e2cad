"""Prometheus metrics: families built from counters and histograms, and their text formats.

What is measured is decided where the values are known (`api/metrics.py`); nothing here knows it.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from realtime.telemetry.histogram import Histogram


class MetricsEncoder:
    """Encodes families together with `process_*` in the format that the scraper accepts."""

    def __init__(self) -> None:
        self._process = ProcessCollector(registry=None)

    def encode(self, families: Iterable[Metric], accept: str | None) -> tuple[bytes, str]:
        """The document and its content type; `accept` is the header of the request."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_SingleScrape(iter([*families, *self._process.collect()])))
        encode, content_type = choose_encoder(accept or "")
        return encode(registry), content_type


class _SingleScrape(Collector):
    """The families of one scrape, as the library's registry wants them."""

    def __init__(self, families: Iterator[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Each family."""
        return self._families


def counter_family(name: str, help_text: str, label: str, values: Mapping[str, int]) -> Metric:
    """A counter with one label; `values` are by label value."""
    family = CounterMetricFamily(name, help_text, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def histogram_family(
    name: str, help_text: str, parts: Iterable[tuple[Mapping[str, str], Histogram]]
) -> Metric:
    """A histogram; `parts` are label values and counts, all with the same labels."""
    parts = list(parts)
    family = HistogramMetricFamily(name, help_text, labels=list(parts[0][0]))
    for labels, histogram in parts:
        below, buckets = 0, []
        bounds = (*map(repr, histogram.bounds), "+Inf")
        for bound, count in zip(bounds, list(histogram.counts), strict=True):
            below += count
            buckets.append((bound, below))
        family.add_metric(list(labels.values()), buckets, histogram.total)
    return family
