"""All streams of market data: one hub and one connection each, opened when a client needs it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from msgspec import Struct

from realtime.errors import RealtimeError
from realtime.market.rest.reader import RestReader
from realtime.market.stream.auditor import StreamAuditor
from realtime.market.stream.channels import PATHS, Kind
from realtime.market.stream.client import StreamClient
from realtime.market.stream.entitlement import Entitlement, probe
from realtime.market.stream.hub import StreamHub
from realtime.market.stream.upstream import Upstream, UpstreamTarget
from realtime.telemetry.log import get_logger

log = get_logger()

PROBE_INTERVAL_S = 30.0
"""Between attempts to find out the plan while the broker does not respond."""

BASIC_PLAN_NAMES = 30
"""Names of a stock stream with the free plan (MARKET 1)."""

PROBE_WAIT_S = 5.0
"""How long a client of the small protocol waits for the feed to be known."""


class StreamSettings(Struct, frozen=True, kw_only=True):
    """What the configuration allows. `feed`, `option_feed` and `plan` None: probed."""

    account: str = ""
    is_default_account: bool = False
    feed: str | None = None
    option_feed: str | None = None
    plan: str | None = None
    reserve: int = 0
    max_clients: int = 1000
    max_subscriptions: int = 10_000


class MarketStreams:
    """One for each daemon. `clock` gives epoch seconds; `rng` seeds the waits of each stream."""

    def __init__(
        self,
        settings: StreamSettings,
        target: UpstreamTarget,
        reader: RestReader,
        *,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self.settings = settings
        self.hubs: dict[str, StreamHub] = {}
        """Path → hub, of the streams that a client has needed."""
        self.entitlement = Entitlement(
            feed=settings.feed, option_feed=settings.option_feed, plan=settings.plan
        )
        self.clock = clock
        self._target = target
        self.reader = reader
        self._tasks = tasks
        self.running: list[asyncio.Task[None]] = []
        """One task for each hub."""
        self._rng = rng
        self._probed = asyncio.Event()
        target.connect_limiter.share_key(target.credentials.key_id)

    @property
    def clients(self) -> Iterable[StreamClient]:
        """Every place of a client on a stream."""
        return (client for hub in self.hubs.values() for client in hub.relay.clients)

    def get_hub(self, path: str) -> StreamHub:
        """Return the hub of a stream; its first use starts its task."""
        hub = self.hubs.get(path)
        if hub is None:
            hub = self.hubs[path] = StreamHub(
                PATHS[path],
                clock=self.clock,
                max_subscriptions=self.settings.max_subscriptions,
                get_max_names=self._get_max_names if PATHS[path].kind == "stocks" else _no_limit,
            )
            upstream = Upstream(
                hub,
                self._target,
                rng=random.Random(f"{self._rng.random()}:{path}"),
                supervise=StreamAuditor(hub, self.reader).run,
            )
            task = self._tasks.create_task(upstream.run(), name=f"market:{path}")
            self.running.append(task)
        return hub

    def _get_max_names(self) -> int | None:
        """Return how many names clients may have where the plan is limited and some are reserved
        for the daemon itself; None: the broker's own limit is the only one."""
        if not self.settings.reserve or self.entitlement.plan != "basic":
            return None
        return BASIC_PLAN_NAMES - self.settings.reserve

    def get_hub_of(self, kind: Kind) -> StreamHub:
        """Return the hub for an asset class, of the feed that is configured or was probed."""
        match kind:
            case "crypto":
                return self.get_hub("/v1beta3/crypto/us")
            case "options":
                return self.get_hub(f"/v1beta1/{self.entitlement.option_feed or 'indicative'}")
            case "news":
                return self.get_hub("/v1beta1/news")
            case "stocks":
                return self.get_hub(f"/v2/{self.entitlement.feed or 'iex'}")

    async def wait_probed(self) -> None:
        """Wait until the feed is known, at most `PROBE_WAIT_S`."""
        try:
            async with asyncio.timeout(PROBE_WAIT_S):
                await self._probed.wait()
        except TimeoutError:
            log.warning("market.feed_unknown", used="iex")

    async def run_probe(self) -> None:
        """Find out what the key may use, by REST: that takes no connection of another program."""
        while True:
            try:
                self.entitlement = await probe(self.reader, self.entitlement)
            except RealtimeError as error:
                log.debug("market.probe_failed", reason=error.message)
            if self.entitlement.is_known:
                break
            await asyncio.sleep(PROBE_INTERVAL_S)
        self._probed.set()
        log.info(
            "market.plan_detected",
            plan=self.entitlement.plan,
            feed=self.entitlement.feed,
            option_feed=self.entitlement.option_feed,
        )

    def close(self) -> None:
        """Let every client go: the daemon stops."""
        for client in list(self.clients):
            client.port.close()


@asynccontextmanager
async def run_market_streams(
    settings: StreamSettings,
    target: UpstreamTarget,
    reader: RestReader,
    *,
    clock: Callable[[], float],
    rng: random.Random,
) -> AsyncIterator[MarketStreams]:
    """Run the streams while the block runs."""
    try:
        async with asyncio.TaskGroup() as tasks:
            streams = MarketStreams(settings, target, reader, tasks=tasks, clock=clock, rng=rng)
            probing = tasks.create_task(streams.run_probe(), name="market:probe")
            try:
                yield streams
            finally:
                streams.close()
                for task in (probing, *streams.running):
                    task.cancel()
    except BaseExceptionGroup as errors:
        # The streams end in their own backoff, so this is the block's own error.
        raise errors.exceptions[0] from None


def _no_limit() -> None:
    return None
