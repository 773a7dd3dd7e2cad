"""The daemon put together: store, readers' edge, accounts; start, stop and change in order.

Start: the way to the broker, the listening socket, then the followers: readers are told "starting"
from the first moment. Stop: close the listening socket, end the followers, close the way to the
broker; every stage has its limit. Change: read the files again, then touch what is different.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from msgspec import Struct

from realtime import __version__
from realtime.api.app import build
from realtime.api.documents.documents import Documents
from realtime.api.handlers.reload import revoke
from realtime.api.listener import serve
from realtime.api.metrics.sources import Composed
from realtime.api.security.authenticator import AUTHENTICATOR, AccessRules
from realtime.auth.keys import Key
from realtime.auth.verifier import Verifier
from realtime.broker.warm_connections import keeping_warm
from realtime.config.settings import Settings
from realtime.config.settings_diff import SettingsDiff, compare
from realtime.config.validators import is_loopback
from realtime.errors import ConfigError
from realtime.orders.trading_service import TradingService, open_trading_service
from realtime.runtime.account_registry import STOP_S, AccountRegistry, BrokerResources
from realtime.runtime.jwks import JwksRefresher
from realtime.runtime.risk_settings import rules_of
from realtime.store.store import Store
from realtime.telemetry.log import get_logger, lines_lost

__all__ = ["STOP_S", "Daemon", "Environment", "running"]

log = get_logger()

Reread = Callable[[], Awaitable[Settings]]
"""Reads the files again. Raises ConfigError."""


class Environment(Struct, frozen=True, kw_only=True):
    """Where time and chance come from: the real ones, or those of a test."""

    clock: Callable[[], float]
    """Epoch seconds."""
    rng: random.Random
    make_connector: Callable[[], aiohttp.BaseConnector]


class Daemon:
    """What runs: its store, the floor where orders are placed, the port its readers connect to."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        following: AccountRegistry,
        reread: Reread | None,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.store = store
        self.port = 0
        self.last_reload: tuple[bool, float] | None = None
        """Whether the files could be used when they were read again, and when, epoch seconds."""
        self._following = following
        self._reread = reread
        self._clock = clock
        self._reloading = asyncio.Lock()
        self._trading_service: TradingService | None = None
        self._app: web.Application | None = None
        self._verifier: Verifier | None = None

    @property
    def trading_service(self) -> TradingService:
        """Where orders are placed."""
        assert self._trading_service is not None, "the daemon runs"
        return self._trading_service

    def begin(
        self,
        app: web.Application,
        port: int,
        trading_service: TradingService,
        verifier: Verifier | None,
    ) -> None:
        """Readers can connect: follow the accounts."""
        self._app, self.port, self._trading_service, self._verifier = (
            app,
            port,
            trading_service,
            verifier,
        )
        self._following.begin(trading_service)

    async def reload(self) -> SettingsDiff:
        """Read the files again and touch what is different. Raises ConfigError, and then nothing
        has changed."""
        async with self._reloading:
            try:
                if self._reread is None:
                    raise ConfigError("this daemon has no files to read again")
                settings = await self._reread()
            except ConfigError as error:
                # The sentence is the whole story, and SIGHUP has nobody else to tell it to.
                self.last_reload = (False, self._clock())
                log.error("config.refused", reason=error.message, remedy=error.remedy)  # noqa: TRY400
                raise
            changes = compare(self.settings, settings)
            self.settings = settings
            await self._following.change(settings, changes)
            self._take_tokens(settings)
            self.last_reload = (True, self._clock())
        told = {
            how: labels for how in changes.__struct_fields__ if (labels := getattr(changes, how))
        }
        log.info("config.reloaded", **told)
        return changes

    def _take_tokens(self, settings: Settings) -> None:
        if settings.auth is not None and settings.auth.jwks_url is None:
            self.take_keys(settings.auth.keys)

    def take_keys(self, keys: tuple[Key, ...]) -> None:
        """Believe tokens that these keys have signed, by the rules of now, and no others."""
        auth = self.settings.auth
        if (
            self._verifier is not None
            and auth is not None
            and self._verifier.take(auth.rules, keys)
        ):
            assert self._app is not None, "the daemon runs"
            revoke(self._app)


@asynccontextmanager
async def running(
    settings: Settings, world: Environment, reread: Reread | None = None
) -> AsyncIterator[Daemon]:
    """Run the daemon inside the block. Enabled accounts have credentials (`config` saw to it)."""
    started_at = world.clock()
    store = Store(boot=f"{world.rng.getrandbits(48):012x}")
    http = aiohttp.ClientSession(
        connector=world.make_connector(), cookie_jar=aiohttp.DummyCookieJar()
    )
    async with http:
        broker_resources = BrokerResources(http, settings.alpaca.startup_concurrency)
        following = AccountRegistry(store, broker_resources, clock=world.clock, rng=world.rng)
        for account in settings.accounts:
            following.add(account)
        config = str(settings.path)
        real = {"real_money": live} if (live := _real_money(settings)) else {}
        log.info("daemon.started", accounts=len(store), config=config, version=__version__, **real)
        daemon = Daemon(settings, store, following, reread, world.clock)
        async with (
            following.running(),
            open_trading_service(
                following.trading_accounts,
                rules=rules_of(settings.orders),
                audit_log=settings.orders.audit_log,
                clock=world.clock,
                rng=random.Random(world.rng.random()),
                store=store,
            ) as trading_service,
        ):
            access = _access(settings)
            app = build(
                store,
                Documents(),
                clock=world.clock,
                version=__version__,
                started_at=started_at,
                cors_origins=settings.server.cors_origins,
                hosts=_hosts(settings),
                connections_per_address=settings.limits.connections_per_address,
                access=access,
                trading=trading_service,
                reload=daemon.reload,
                composed=_composed(daemon, broker_resources, following, trading_service),
                account_metrics=settings.server.account_metrics,
            )
            async with serve(app, settings.server.host, settings.server.port) as port:
                # Not before the port is ours: a second daemon, started by mistake, must not take
                # the accounts' only connections from the first.
                daemon.begin(app, port, trading_service, access.verifier)
                async with (
                    keeping_warm(http, lambda: trading_service.trading_accounts.connections),
                    _issuing(daemon, app, http),
                ):
                    yield daemon
    log.info("daemon.stopped", uptime_s=round(world.clock() - started_at, 1))


@asynccontextmanager
async def _issuing(
    daemon: Daemon, app: web.Application, http: aiohttp.ClientSession
) -> AsyncIterator[None]:
    """Fetch the issuer's keys while the block runs, if that is where they come from."""
    auth = daemon.settings.auth
    if auth is None or auth.jwks_url is None:
        yield
        return
    issuer = JwksRefresher(auth.jwks_url, http, daemon.take_keys)
    app[AUTHENTICATOR].on_unknown_key = issuer.ask
    task = asyncio.create_task(issuer.run(), name="issuer")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _composed(
    daemon: Daemon,
    broker_resources: BrokerResources,
    following: AccountRegistry,
    trading_service: TradingService,
) -> Composed:
    """What `/metrics` shows of rooms that the readers' edge does not know."""
    return Composed(
        rest_asked=lambda: {
            lane: broker_resources.fleet.asked[lane] for lane in broker_resources.fleet.asked
        },
        rest_refused=lambda: broker_resources.fleet.refused,
        rest_left=lambda: {
            label: trading_account.channel.limiter.left
            for label, trading_account in following.trading_accounts.items()
        },
        orders=trading_service.gateway.once.outcomes,
        halted=lambda: trading_service.kill_switch.state.halted,
        reloads=lambda: daemon.last_reload,
        log_lost=lines_lost,
    )


def _real_money(settings: Settings) -> list[str]:
    return [account.label for account in settings.accounts if account.enabled and not account.paper]


def _hosts(settings: Settings) -> frozenset[str] | None:
    """Names that readers may call us by. On loopback any other is a page's own (DNS rebinding)."""
    server = settings.server
    if not is_loopback(server.host) and not server.hosts:
        return None
    return frozenset((*server.hosts, server.host))


def _access(settings: Settings) -> AccessRules:
    if settings.auth is None:
        return AccessRules()
    return AccessRules(
        verifier=Verifier(settings.auth.rules, settings.auth.keys),
        open_ops=settings.auth.open_ops,
        requests_per_s=settings.limits.requests_per_s,
    )
