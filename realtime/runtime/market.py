"""Market data put together: reads by REST through the cache, and the streams, with one key.

Without `[market]` nothing of it is imported, started or connected.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from msgspec import Struct

from realtime.api.documents.timestamps import format_millis
from realtime.broker.data_client import DataClient
from realtime.broker.http_client import open_session
from realtime.config.settings import MarketSettings
from realtime.errors import ConfigError
from realtime.market.rest.cache import Cache, MemoryCache
from realtime.market.rest.market_rest import MarketRest
from realtime.market.rest.reader import RestReader, make_scope
from realtime.market.rest.request_budget import RequestBudget
from realtime.market.stream.market_streams import (
    MarketStreams,
    StreamSettings,
    run_market_streams,
)
from realtime.market.stream.status import StreamsStatus, get_streams_status
from realtime.market.stream.upstream import UpstreamTarget
from realtime.market.streamed_values import StreamedValues
from realtime.market.symbols import AssetClass
from realtime.runtime.environment import Environment
from realtime.runtime.running_account import BrokerResources
from realtime.secret import Secret
from realtime.telemetry.log import get_logger

if TYPE_CHECKING:
    from realtime.market.rest.redis_cache import RedisCache

log = get_logger()


class Market(Struct, frozen=True, kw_only=True):
    """Market data of a running daemon."""

    rest: MarketRest
    streams: MarketStreams

    def get_streams_status(self) -> StreamsStatus:
        """Return the state of all streams."""
        return get_streams_status(self.streams, format_millis)


@asynccontextmanager
async def run_market(
    settings: MarketSettings | None,
    resources: BrokerResources,
    *,
    clock: Callable[[], float],
    rng: random.Random,
) -> AsyncIterator[Market | None]:
    """Run market data while the block runs; None without `[market]`. `clock`: epoch seconds."""
    if settings is None:
        yield None
        return
    log.info(
        "market.started",
        account=settings.account,
        is_default_account=settings.is_default_account,
        feed=settings.feed,
    )
    async with open_reader(settings, resources.http, clock) as reader:
        target = UpstreamTarget(
            stream_url=settings.stream_url,
            ssl_context=resources.tls_for(settings.stream_url),
            credentials=settings.credentials,
            connect_limiter=resources.connect_limiter,
        )
        async with run_market_streams(
            _stream_settings(settings), target, reader, clock=clock, rng=rng
        ) as streams:

            def get_probed_feed(asset_class: AssetClass) -> str | None:
                entitlement = streams.entitlement
                return entitlement.feed if asset_class == "stocks" else entitlement.option_feed

            yield Market(
                rest=MarketRest(
                    reader,
                    account=settings.account,
                    feed=settings.feed,
                    option_feed=settings.option_feed,
                    get_probed_feed=get_probed_feed,
                    get_streamed=StreamedValues(streams, clock).get,
                ),
                streams=streams,
            )


@asynccontextmanager
async def open_market(settings: MarketSettings, environment: Environment) -> AsyncIterator[Market]:
    """Run market data alone, with connections of its own, while the block runs."""
    async with (
        open_session(environment.make_connector()) as http,
        run_market(
            settings, BrokerResources(http, 1), clock=environment.clock, rng=environment.rng
        ) as market,
    ):
        assert market is not None, "there are settings"
        yield market


@asynccontextmanager
async def open_reader(
    settings: MarketSettings, http: aiohttp.ClientSession, clock: Callable[[], float]
) -> AsyncIterator[RestReader]:
    """Read by REST while the block runs. `clock` gives epoch seconds."""
    try:
        async with _open_cache(settings, clock) as cache, asyncio.TaskGroup() as tasks:
            reader = RestReader(
                DataClient(http, settings.data_url, settings.credentials),
                cache,
                RequestBudget(asyncio.get_running_loop().time),
                scope=make_scope(settings.credentials, settings.data_url),
                tasks=tasks,
                clock=clock,
            )
            try:
                yield reader
            finally:
                reader.flights.cancel_all()
    except BaseExceptionGroup as errors:
        # Requests hand their failures to their waiters, so this is the block's own error.
        error: BaseException = errors
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def _stream_settings(settings: MarketSettings) -> StreamSettings:
    def configured(word: str) -> str | None:
        return None if word == "auto" else word

    return StreamSettings(
        account=settings.account,
        is_default_account=settings.is_default_account,
        feed=configured(settings.feed),
        option_feed=configured(settings.option_feed),
        plan=configured(settings.plan),
        reserve=settings.reserve,
        max_clients=settings.max_clients,
        max_subscriptions=settings.max_subscriptions,
    )


@asynccontextmanager
async def _open_cache(settings: MarketSettings, clock: Callable[[], float]) -> AsyncIterator[Cache]:
    if settings.cache_url is None:
        yield MemoryCache()
        return
    cache = _make_redis_cache(settings.cache_url, clock)
    try:
        yield cache
    finally:
        await cache.close()


def _make_redis_cache(url: Secret, clock: Callable[[], float]) -> "RedisCache":
    try:  # the extra `redis`: only a configuration that names it needs it
        from realtime.market.rest.redis_cache import RedisCache  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(
            "market: cache_url needs the package redis",
            remedy="install `alpaca-realtime[redis]`, or remove cache_url",
        ) from error
    return RedisCache(url, clock=clock)
