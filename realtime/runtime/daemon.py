"""The daemon put together: store, accounts, orders, HTTP; start and stop in order.

Start: connections to the broker, the listening socket, then the accounts: clients get "starting"
from the first moment. Stop: close the listening socket, stop the accounts, close the connections to
the broker; every stage has its limit.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from msgspec import Struct

from realtime import __version__
from realtime.analytics.alert_log import AlertLog
from realtime.analytics.tier_bounds import Alert
from realtime.api.alpaca.requests import AlpacaOptions
from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.documents.timestamps import set_display_offset
from realtime.api.handlers.cluster_admin import ClusterAdministration
from realtime.api.handlers.reload import BROADCAST, revoke
from realtime.api.listener import serve
from realtime.api.metric_sources import RuntimeMetrics
from realtime.api.security.authenticator import AUTHENTICATOR, AccessRules
from realtime.auth.verifier import Verifier
from realtime.broker.http_client import open_session
from realtime.broker.rest_client import RestClient
from realtime.broker.warm_connections import keep_warm
from realtime.cluster.alone import Alone
from realtime.cluster.coordinator import Coordinator
from realtime.config.settings import ClusterSettings, Settings
from realtime.config.settings_diff import SettingsDiff
from realtime.config.validators import is_loopback
from realtime.orders.trading_service import TradingService, open_trading_service
from realtime.runtime.account_registry import AccountRegistry, add_to_store
from realtime.runtime.account_tasks import account_tasks
from realtime.runtime.benchmark import BenchmarkReader
from realtime.runtime.clock_monitor import monitor_clock
from realtime.runtime.environment import Environment
from realtime.runtime.history import History, record_history
from realtime.runtime.jwks import JwksRefresher
from realtime.runtime.market import Market, run_market
from realtime.runtime.marks import Marks
from realtime.runtime.notify import NotifyHost, run_notify
from realtime.runtime.reloader import ReadSettings, Reloader, TokenKeys
from realtime.runtime.risk_settings import risk_rules
from realtime.runtime.running_account import AccountFactory, BrokerResources, RunningAccount
from realtime.runtime.tier_monitor import TierMonitor
from realtime.store.store import Store
from realtime.telemetry.log import get_logger, get_lost_lines
from realtime.web.files import PAGES

if TYPE_CHECKING:
    from realtime.runtime.cluster import Cluster
    from realtime.runtime.engine import Engine

log = get_logger()


class Daemon(Struct, frozen=True, kw_only=True):
    """A running daemon."""

    store: Store
    trading_service: TradingService
    reloader: Reloader
    port: int
    """Where clients connect."""
    cluster: "Cluster | None" = None
    """None: there is no `[cluster]`."""
    engine: "Engine | None" = None
    """None: without `[cluster] engine`."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.reloader.settings

    async def reload(self) -> SettingsDiff:
        """Read the files again; see `Reloader.reload`."""
        return await self.reloader.reload()


@asynccontextmanager
async def run_daemon(
    settings: Settings, environment: Environment, read_settings: ReadSettings | None = None
) -> AsyncIterator[Daemon]:
    """Run the daemon while the block runs. Enabled accounts have credentials (`config` checked)."""
    clock = environment.clock
    wall_clock = environment.wall_clock or clock
    started_at = clock()
    store = Store(boot=f"{environment.rng.getrandbits(48):012x}")
    async with (
        open_session(environment.make_connector()) as http,
        _open_engine(settings, environment, store.boot) as engine,
    ):
        resources = BrokerResources(http, settings.alpaca.startup_concurrency)
        factory = AccountFactory(
            store,
            resources,
            clock=clock,
            rng=environment.rng,
            check_change=None if engine is None else engine.check_change,
        )
        # Its own: without `[market]` the random numbers of the others are the same.
        market_rng = random.Random(f"{store.boot}:market")
        coordinator: Coordinator = Alone() if engine is None else engine.coordinator
        access = _access_rules(settings)
        verifier = access.verifier
        accounts = _create_accounts(settings, store, factory, clock())
        _log_start(settings, len(store))
        async with (
            record_history(settings.history, store) as history,
            run_market(settings.market, resources, clock=clock, rng=market_rng) as market,
            run_notify(
                settings,
                store,
                environment,
                lambda: {label: account.rest for label, account in accounts.items()},
            ) as notify,
            account_tasks() as tasks,
            open_trading_service(
                {label: account.trading_account for label, account in accounts.items()},
                rules=risk_rules(settings.orders),
                # A front has no orders of its own, and may be beside an owner that has.
                audit_log=None if settings.is_front else settings.orders.audit_log,
                clock=clock,
                wall_clock=wall_clock,
                rng=random.Random(environment.rng.random()),
                store=store,
                get_generation=lambda: verifier.generation if verifier else 0,
                coordinator=coordinator,
            ) as trading_service,
        ):
            registry = AccountRegistry(
                accounts,
                store=store,
                factory=factory,
                trading_accounts=trading_service.trading_accounts,
                tasks=tasks,
                settings=settings.accounts,
                coordinator=coordinator,
                clock=clock,
            )
            token_keys = None if access.verifier is None else TokenKeys(access.verifier)
            reloader = Reloader(
                settings,
                read_settings=read_settings,
                registry=registry,
                token_keys=token_keys,
                clock=wall_clock,
                apply_targets=notify.apply,
            )
            marks = None
            if market is not None and settings.market is not None and settings.market.marks:
                marks = Marks(
                    market.streams,
                    store,
                    registry,
                    clock=clock,
                    books=settings.books,
                    history=None if history is None else history.client,
                )
            cluster = _make_cluster(settings, store, environment, engine)
            alerts = AlertLog(is_watched=bool(settings.tiers))
            books = dict(settings.books)
            reloader.subscribe(partial(_replace_books, books))
            app = build_application(
                store,
                Documents(started_at=started_at),
                clock=clock,
                wall_clock=wall_clock,
                version=__version__,
                started_at=started_at,
                cors_origins=settings.server.cors_origins,
                hosts=_host_names(settings),
                connections_per_address=settings.limits.connections_per_address,
                access=access,
                trading=trading_service,
                reload=reloader.reload,
                cluster_admin=_make_cluster_admin(engine),
                refresh=registry.read_now,
                notify=notify,
                runtime_metrics=_metric_sources(
                    reloader, resources, registry, trading_service, notify, market
                ),
                account_metrics=settings.server.account_metrics,
                history=None if history is None else history.client,
                books=books,
                read_benchmark=BenchmarkReader(
                    settings,
                    http,
                    clock=clock,
                    market=None if market is None else market.rest.reader,
                ).read,
                alerts=alerts,
                market_rest=None if market is None else market.rest,
                pages=PAGES,
                market_streams=None if market is None else market.streams,
                alpaca=_alpaca_options(settings, registry),
                marks=None if marks is None else marks.status,
                cluster=cluster,
            )
            if token_keys is not None:
                token_keys.subscribe(partial(revoke, app))
            tls = None if settings.market is None else settings.market.tls
            async with serve(app, settings.server.host, settings.server.port, tls=tls) as port:
                # Not before the port is ours: a second daemon, started by mistake, must not take
                # the accounts' only connections from the first.
                registry.start_all()
                async with (
                    keep_warm(http, lambda: trading_service.trading_accounts.connections),
                    _refresh_keys(reloader, app, http),
                    _monitor_clock(environment, store),
                    _recover_history(history, registry),
                    _run_marks(marks),
                    _watch_tiers(reloader, store, alerts, app, notify, clock),
                    nullcontext() if cluster is None else cluster.run(app, settings.server.host),
                    _run_engine(engine, registry, trading_service, cluster),
                ):
                    yield Daemon(
                        store=store,
                        trading_service=trading_service,
                        reloader=reloader,
                        port=port,
                        cluster=cluster,
                        engine=engine,
                    )
    log.info("daemon.stopped", uptime_s=round(clock() - started_at, 1))


def _make_cluster(
    settings: Settings, store: Store, environment: Environment, engine: "Engine | None"
) -> "Cluster | None":
    """Return what other members see of this daemon, and it of them; None without `[cluster]`."""
    if settings.cluster is None:
        return None
    # Without the section nothing of it is imported.
    from realtime.runtime.cluster import Cluster  # noqa: PLC0415 - as above

    rng = random.Random(f"{store.boot}:cluster")
    return Cluster(
        settings.cluster,
        store,
        environment,
        rng,
        has_own_accounts=not settings.is_front,
        engine=engine,
    )


@asynccontextmanager
async def _open_engine(
    settings: Settings, environment: Environment, boot: str
) -> AsyncIterator["Engine | None"]:
    """Hold connections to what decides ownership; None where this is the only daemon."""
    cluster = settings.cluster
    if cluster is None or cluster.engine is None:
        yield None
        return
    # Without the section nothing of it is imported.
    from realtime.runtime.engine import open_engine  # noqa: PLC0415 - as above

    async with open_engine(
        cluster.engine,
        environment,
        fleet=cluster.fleet,
        member=cluster.member,
        address=get_mesh_address(cluster),
        labels=[account.label for account in settings.accounts if account.enabled],
        run=boot,
    ) as engine:
        yield engine


@asynccontextmanager
async def _run_engine(
    engine: "Engine | None",
    registry: AccountRegistry,
    trading_service: TradingService,
    cluster: "Cluster | None",
) -> AsyncIterator[None]:
    """Follow the accounts that this daemon owns while the block runs, as the engine decides."""
    if engine is None or cluster is None:
        yield
        return
    async with engine.run(registry, trading_service, cluster.peers):
        yield


def _make_cluster_admin(engine: "Engine | None") -> ClusterAdministration | None:
    if engine is None:
        return None
    return ClusterAdministration(engine.get_document, engine.drain, engine.go_alone)


def get_mesh_address(cluster: ClusterSettings) -> str:
    """Return where other members connect, for them; empty: nowhere."""
    if cluster.listen is None:
        return ""
    host, port = cluster.listen
    scheme = "http" if cluster.tls is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _create_accounts(
    settings: Settings, store: Store, factory: AccountFactory, now: float
) -> dict[str, RunningAccount]:
    """Add every account to the store; return the enabled ones, not started yet."""
    accounts = {}
    for account in settings.accounts:
        add_to_store(store, account, now)
        running = factory.create(account, account.account_number)
        if running is not None:
            accounts[account.label] = running
    return accounts


def _log_start(settings: Settings, accounts: int) -> None:
    real_money = [a.label for a in settings.accounts if a.enabled and not a.paper]
    log.info(
        "daemon.started",
        accounts=accounts,
        config=str(settings.path),
        version=__version__,
        **({"real_money": real_money} if real_money else {}),
    )


@asynccontextmanager
async def _recover_history(
    history: History | None, registry: AccountRegistry
) -> AsyncIterator[None]:
    """Fetch what history missed while the daemon did not run, beside the block."""
    if history is None:
        yield
        return

    def clients() -> dict[str, RestClient]:
        return {label: account.rest for label, account in registry}

    async with (
        _run_beside(history.report(clients), "report-card"),
        _run_beside(history.recover(clients), "history-recovery"),
    ):
        yield


@asynccontextmanager
async def _run_marks(marks: Marks | None) -> AsyncIterator[None]:
    """Mark accounts to market while the block runs, if there is market data."""
    if marks is None:
        yield
        return
    async with _run_beside(marks.run(), "marks"):
        yield


def _replace_books(books: dict[str, str], settings: Settings) -> None:
    """Let `books`, which the application reads, be those of the settings."""
    books.clear()
    books.update(settings.books)


@asynccontextmanager
async def _watch_tiers(
    reloader: Reloader,
    store: Store,
    alerts: AlertLog,
    app: web.Application,
    notify: NotifyHost,
    clock: Callable[[], float],
) -> AsyncIterator[None]:
    """Watch the bounds of `[tiers]` while the block runs; without them it only waits for some."""
    broadcaster = app[BROADCAST]

    def send(alert: Alert) -> None:
        broadcaster.send_alert(alert)
        notify.add_alert(alert)

    tiers = reloader.settings.tiers
    monitor = TierMonitor(store, tiers, alerts, clock=clock, send=send)
    reloader.subscribe(lambda settings: monitor.replace(settings.tiers))
    async with _run_beside(monitor.run(), "tier-bounds"):
        yield


@asynccontextmanager
async def _monitor_clock(environment: Environment, store: Store) -> AsyncIterator[None]:
    """Report steps of the machine's clock while the block runs; not where a test has the clock."""
    if environment.wall_clock is None:
        yield
        return
    monitor = monitor_clock(environment.clock, set_display_offset, store.renew)
    try:
        async with _run_beside(monitor, "clock monitor"):
            yield
    finally:
        set_display_offset(0.0)


@asynccontextmanager
async def _refresh_keys(
    reloader: Reloader, app: web.Application, http: aiohttp.ClientSession
) -> AsyncIterator[None]:
    """Fetch the token issuer's keys while the block runs, if `[auth] jwks_url` is set."""
    auth = reloader.settings.auth
    if auth is None or auth.jwks_url is None:
        yield
        return
    refresher = JwksRefresher(auth.jwks_url, http, reloader.replace_keys)
    app[AUTHENTICATOR].on_unknown_key = refresher.request_fetch
    async with _run_beside(refresher.run(), "jwks"):
        yield


@asynccontextmanager
async def _run_beside(run: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Run a task while the block runs; it is cancelled at its end."""
    task = asyncio.create_task(run, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _metric_sources(
    reloader: Reloader,
    resources: BrokerResources,
    registry: AccountRegistry,
    trading_service: TradingService,
    notify: NotifyHost,
    market: Market | None,
) -> RuntimeMetrics:
    """Return the figures of `/metrics` that the HTTP side does not know."""
    fleet_limiter = resources.fleet_limiter
    return RuntimeMetrics(
        rest_requests=lambda: {
            lane: fleet_limiter.requests[lane] for lane in fleet_limiter.requests
        },
        rest_rate_limited=lambda: fleet_limiter.rate_limited,
        rest_budgets=lambda: {
            label: account.trading_account.http_client.limiter.remaining
            for label, account in registry
        },
        orders=trading_service.gateway.executor.outcomes,
        routed=trading_service.gateway.router.decisions,
        halted=lambda: trading_service.kill_switch.state.halted,
        reloads=lambda: reloader.last_reload,
        log_lines_lost=get_lost_lines,
        notify=notify.get_status,
        market_rest=lambda: None if market is None else market.rest.get_status(),
        streams=lambda: None if market is None else market.get_streams_status(),
    )


def _alpaca_options(settings: Settings, registry: AccountRegistry) -> AlpacaOptions | None:
    """Return how Alpaca's API is served; None if it is not."""
    section = settings.alpaca_api
    if not section.is_enabled_on(settings.server.host):
        return None
    return AlpacaOptions(
        pdt_fields="pdt" in section.compat,
        is_idempotent=section.idempotent,
        books=settings.books,
        request_balances=registry.request_balances,
    )


def _host_names(settings: Settings) -> frozenset[str] | None:
    """Return the names by which clients may call the daemon; None: any.

    On loopback any other name is a web page's own (DNS rebinding).
    """
    server = settings.server
    if not is_loopback(server.host) and not server.hosts:
        return None
    return frozenset((*server.hosts, server.host))


def _access_rules(settings: Settings) -> AccessRules:
    if settings.auth is None:
        return AccessRules()
    return AccessRules(
        verifier=Verifier(settings.auth.rules, settings.auth.keys),
        open_ops=settings.auth.open_ops,
        open_reads=settings.auth.open_reads,
        requests_per_s=settings.limits.requests_per_s,
    )
