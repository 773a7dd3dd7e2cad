"""Market data by REST as the daemon and the library use it: reads, feeds, status."""

from collections.abc import Callable

from realtime.errors import LinkError
from realtime.market.rest.cache import MemoryCache
from realtime.market.rest.latest_values import LatestQuery, LatestReader, LatestValue
from realtime.market.rest.reader import DataQuery, ReadStatistics, RestReader
from realtime.market.rest.status import CacheStatus, RestStatus
from realtime.market.symbols import ROOTS, AssetClass

BEST_FEED: dict[AssetClass, tuple[str, str]] = {
    "stocks": ("sip", "iex"),
    "options": ("opra", "indicative"),
}
"""The feed of the paid plan, and of the free one. Coins have none."""

PROBE_SYMBOL = "AAPL"
PROBE_AGAIN_S = 3600.0
"""A plan may be changed while the daemon runs."""


class MarketRest:
    """Reads with the key of `account`.

    `get_probed_feed`: what another part of the program has found out; None: not known there.
    `get_streamed`: the newest value of a stream that is fresh, or None.
    """

    def __init__(
        self,
        reader: RestReader,
        *,
        account: str,
        feed: str = "auto",
        option_feed: str = "auto",
        get_probed_feed: Callable[[AssetClass], str | None] = lambda _: None,
        get_streamed: Callable[[LatestQuery, str], LatestValue | None] = lambda query, symbol: None,
    ) -> None:
        self.reader = reader
        self.latest = LatestReader(reader, get_streamed)
        self.account = account
        self._configured: dict[AssetClass, str] = {"stocks": feed, "options": option_feed}
        self._get_probed_feed = get_probed_feed
        self._probed: dict[AssetClass, tuple[str, float]] = {}

    @property
    def statistics(self) -> ReadStatistics:
        """Counts since the start."""
        return self.reader.statistics

    async def get_default_feed(self, asset_class: AssetClass) -> str | None:
        """Return the feed of a request that names none: the configured one, else the best one that
        the key may use. None if that is not known: then the broker chooses."""
        if asset_class not in BEST_FEED:
            return None
        configured = self._configured[asset_class]
        if configured != "auto":
            return configured
        if known := self._get_probed_feed(asset_class):
            return known
        feed, probed_at = self._probed.get(asset_class, (None, 0.0))
        if feed is None or self.reader.clock() - probed_at > PROBE_AGAIN_S:
            feed = await self._probe(asset_class)
            if feed is not None:
                self._probed[asset_class] = feed, self.reader.clock()
        return feed

    def get_known_feed(self, asset_class: AssetClass) -> str | None:
        """Return the default feed if it is known without a request."""
        configured = self._configured.get(asset_class)
        if configured not in (None, "auto"):
            return configured
        return self._get_probed_feed(asset_class) or self._probed.get(asset_class, (None, 0))[0]

    def get_status(self) -> RestStatus:
        """Return counts, budget and cache."""
        statistics = self.statistics
        return RestStatus(
            feed=self.get_known_feed("stocks"),
            option_feed=self.get_known_feed("options"),
            requests=statistics.requests,
            stream_hits=statistics.stream_hits,
            cache_hits=statistics.cache_hits,
            stale_hits=statistics.stale_hits,
            joined=self.reader.flights.joined,
            errors=statistics.errors,
            rate_limited=statistics.rate_limited,
            refused=statistics.refused,
            budget=self.reader.budget.status,
            cache=self._cache_status(),
        )

    async def _probe(self, asset_class: AssetClass) -> str | None:
        """Return the best feed that the broker does not refuse; equal probes at once are one."""
        best, free = BEST_FEED[asset_class]
        path = f"{ROOTS[asset_class]}/quotes/latest"
        symbol = PROBE_SYMBOL if asset_class == "stocks" else f"{PROBE_SYMBOL}300118C00100000"
        query = DataQuery(path, (("symbols", symbol), ("feed", best)), "latest")
        try:
            answer = await self.reader.get(query)
        except LinkError:
            return None
        if answer.status == 200:
            return best
        return free if answer.status == 403 else None

    def _cache_status(self) -> CacheStatus:
        cache = self.reader.cache
        if isinstance(cache, MemoryCache):
            return CacheStatus(
                kind="memory",
                available=True,
                entries=len(cache),
                bytes=cache.size_bytes,
                evictions=cache.evictions,
            )
        return CacheStatus(kind="redis", available=cache.is_available)
