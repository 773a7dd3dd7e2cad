"""`/metrics`: one collector, written in whichever of Prometheus' formats the scraper asks for."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from realtime.api.metrics.families import account_families, fleet_families
from realtime.api.metrics.sources import Sources
from realtime.store.store import Record


class Metrics:
    """One a daemon. `each_account`: whether there are lines for each account, too."""

    def __init__(self, sources: Sources, *, each_account: bool = False) -> None:
        self._sources = sources
        self._each_account = each_account
        self._process = ProcessCollector(registry=None)

    def expose(self, accept: str | None, records: Iterable[Record]) -> tuple[bytes, str]:
        """The document and its type; `records` are those that this reader may know of."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Once(self._families(records)))
        encode, content_type = choose_encoder(accept or "")
        return encode(registry), content_type

    def _families(self, records: Iterable[Record]) -> Iterator[Metric]:
        sources = self._sources
        yield from fleet_families(sources)
        yield from self._process.collect()
        if self._each_account:
            left = sources.composed.rest_left()
            yield from account_families(records, left, sources.clock())


class _Once(Collector):
    """What was collected for one scrape."""

    def __init__(self, families: Iterator[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Each family."""
        return self._families
