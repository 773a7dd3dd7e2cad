"""The HTTP interface for clients as one aiohttp application."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from secrets import token_urlsafe

from aiohttp import web

from realtime.analytics.alert_log import AlertLog
from realtime.analytics.recorder import Recorder
from realtime.api.alpaca.account_selection import AccountSelector, Caller, make_key_principal
from realtime.api.alpaca.app import (
    CANONICAL_PATH,
    AlpacaApi,
    MarketData,
    alpaca_error_middleware,
    make_alpaca_context,
)
from realtime.api.alpaca.errors import AlpacaError, problem_response
from realtime.api.alpaca.requests import AlpacaOptions
from realtime.api.alpaca.target import Target
from realtime.api.alpaca.trade_hub import TradeHub
from realtime.api.alpaca.trading_socket import TradingStreamServer
from realtime.api.context import ApiContext, BenchmarkReader, PastReader, Refresh
from realtime.api.dispatch import add_routes, problem_middleware
from realtime.api.documents.documents import Documents
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.fastpath.prerenderer import Prerenderer
from realtime.api.fastpath.response_cache import ResponseCache
from realtime.api.fastpath.runner import CONNECTION_LIMITER, REQUEST_STATS, RESPONSE_CACHE
from realtime.api.handlers.cluster_admin import ClusterAdministration, cluster_admin_access
from realtime.api.handlers.market_paths import pass_data_path
from realtime.api.handlers.notify import NotifyInterface, add_notify, notify_access
from realtime.api.handlers.reload import BROADCAST, ON_REVOKE, Reload, add_reload, reload_access
from realtime.api.market_routes import MARKET_ROUTES
from realtime.api.metric_sources import MetricSources, RuntimeMetrics
from realtime.api.metrics import Metrics
from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.owners import ClusterInterface
from realtime.api.problems import Problem
from realtime.api.responses import StaticPages, add_token_vary, make_response
from realtime.api.route import PREFIXES, access_table
from realtime.api.routes import ROUTES
from realtime.api.security.authenticator import (
    AUTHENTICATOR,
    AccessRules,
    Authenticator,
    FindKeyPair,
)
from realtime.api.security.client_limits import ConnectionCounter, ConnectionLimiter
from realtime.api.security.cors import allow_origins
from realtime.api.security.middleware import MAX_BODY_BYTES, make_security_middleware
from realtime.api.security.origins import AllowedNames
from realtime.api.security.rejections import RejectionLog
from realtime.api.security.sessions import Sessions, session_access
from realtime.api.stream_server import STREAM_SERVER, MarketStreamServer
from realtime.auth.principal import Principal
from realtime.market.marks.status import MarksStatus
from realtime.market.rest.market_rest import MarketRest
from realtime.market.stream.market_streams import MarketStreams
from realtime.orders.interface import TradingInterface
from realtime.store.store import Store
from realtime.telemetry.loop_monitor import LOOP_MONITOR, LoopMonitor
from realtime.telemetry.request_stats import RequestStats


def build_application(
    store: Store,
    documents: Documents,
    *,
    clock: Callable[[], float],
    wall_clock: Callable[[], float] | None = None,
    version: str,
    started_at: float,
    cors_origins: Sequence[str] = (),
    hosts: frozenset[str] | None = None,
    connections_per_address: int | None = None,
    access: AccessRules = AccessRules(),  # noqa: B008 - frozen
    make_code: Callable[[], str] = token_urlsafe,
    broadcast: Broadcaster | None = None,
    trading: TradingInterface | None = None,
    reload: Reload | None = None,
    cluster_admin: ClusterAdministration | None = None,
    refresh: Refresh | None = None,
    notify: NotifyInterface | None = None,
    runtime_metrics: RuntimeMetrics = RuntimeMetrics(),  # noqa: B008 - frozen
    account_metrics: bool = False,
    history: PastReader | None = None,
    books: Mapping[str, str] | None = None,
    read_benchmark: BenchmarkReader | None = None,
    alerts: AlertLog | None = None,
    market_rest: MarketRest | None = None,
    pages: StaticPages | None = None,
    market_streams: MarketStreams | None = None,
    alpaca: AlpacaOptions | None = None,
    marks: Callable[[], MarksStatus] | None = None,
    cluster: ClusterInterface | None = None,
) -> web.Application:
    """Build an application that answers from the store. `clock`, `started_at`: epoch seconds.
    `wall_clock` is for tokens and cookies; None: `clock`."""
    wall_clock = wall_clock or clock
    authenticator = Authenticator(access, wall_clock, clock, _key_pairs(trading))
    routes = (
        *ROUTES,
        *(() if trading is None else ORDER_ROUTES),
        *(() if market_rest is None else MARKET_ROUTES),
    )
    rejections = RejectionLog()
    names = AllowedNames(hosts=hosts, origins=frozenset(cors_origins))
    security_middleware = make_security_middleware(
        authenticator,
        names,
        {
            **access_table(routes),
            **session_access(PREFIXES),
            **reload_access(PREFIXES),
            **(cluster_admin_access(PREFIXES) if cluster_admin is not None else {}),
            **({} if notify is None else notify_access(PREFIXES)),
            **{prefix + "/page/{path}": "open" for prefix in PREFIXES},
            CANONICAL_PATH: "open",  # it selects the account by its own credentials
        },
        rejections=rejections,
    )
    middlewares = [alpaca_error_middleware, problem_middleware, security_middleware]
    stream_server = None
    if market_streams is not None:
        stream_server = MarketStreamServer(
            market_streams, authenticator, names, prefixes=PREFIXES, wall_clock=wall_clock
        )
        middlewares.insert(2, stream_server.make_middleware(rejections))
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY_BYTES)
    app[AUTHENTICATOR] = authenticator
    requests = app[REQUEST_STATS] = RequestStats()
    loop_monitor = app[LOOP_MONITOR] = LoopMonitor(store.lag, requests)
    connection_limiter = ConnectionLimiter(ConnectionCounter(connections_per_address))
    app[CONNECTION_LIMITER] = connection_limiter
    route_counts: Counter[tuple[str, str]] = Counter()
    response_cache = app[RESPONSE_CACHE] = ResponseCache(
        wall_clock,
        route_counts=route_counts,
        allows=authenticator.rate_limiter.try_acquire,
        generation=lambda: authenticator.generation,
    )
    broadcast = app[BROADCAST] = broadcast or Broadcaster(
        store, clock, wall_clock=wall_clock, marks=marks
    )
    recorder = Recorder(store, clock)
    _run_while_serving(app, "loop monitor", loop_monitor.run)
    _run_while_serving(app, "slow connections", connection_limiter.sweep)
    _run_while_serving(app, "broadcaster", broadcast.run)
    _run_while_serving(app, "prerenderer", Prerenderer(store, response_cache).run)
    _run_while_serving(app, "recorder", recorder.run)

    async def end_event_streams(_: web.Application) -> None:
        broadcast.close()
        if stream_server is not None:
            stream_server.close()

    if stream_server is not None:
        app[STREAM_SERVER] = stream_server
    app.on_shutdown.append(end_event_streams)
    hub = None if alpaca is None or trading is None else _make_hub(store, trading, clock)
    sources = MetricSources(
        store=store,
        requests=requests,
        routes=route_counts,
        loop_monitor=loop_monitor,
        connection_limiter=connection_limiter,
        rejections=rejections.counts,
        broadcast=broadcast,
        runtime=runtime_metrics,
        history=None if history is None else history.status,
        marks=marks,
        clock=clock,
        version=version,
        alerts=alerts,
        trade_hub=hub,
        cluster=cluster,
    )
    context = ApiContext(
        store,
        documents,
        clock=clock,
        version=version,
        started_at=started_at,
        broadcaster=broadcast,
        recorder=recorder,
        loop_monitor=loop_monitor,
        refresh=refresh,
        market_rest=market_rest,
        market_streams=market_streams,
        route_counts=route_counts,
        metrics=Metrics(sources, each_account=account_metrics),
        history=history,
        books=books,
        read_benchmark=read_benchmark,
        marks=marks,
        alerts=alerts,
        trading=trading,
        pages=pages,
        cluster=cluster,
    )
    origins = frozenset(cors_origins)
    add_routes(app, context, routes, origins=origins)
    if pages is not None:
        pages.add_files(app, PREFIXES)
    allow_origins(app, cors_origins)
    if alpaca is not None and trading is not None and hub is not None:
        # After `allow_origins`: no page may use these routes.
        selector = AccountSelector(store, trading.forwarder, authenticator, rejections)
        api = AlpacaApi(
            make_alpaca_context(store, trading, alpaca, clock=clock),
            selector,
            route_counts,
            hub,
            market_data=_pass_market_data(market_rest, clock),
        )
        _add_alpaca(app, api, names, wall_clock)
    _add_administration(app, reload, notify, cluster_admin)
    if access.verifier is not None:
        # After `allow_origins`: no page of another origin can begin a session here.
        Sessions(authenticator, wall_clock, make_code).add(app, PREFIXES)
        app.on_response_prepare.append(add_token_vary)
    return app


def _pass_market_data(market: MarketRest | None, clock: Callable[[], float]) -> MarketData | None:
    """Return what answers paths of market data that no route is for; None without `[market]`."""
    if market is None:
        return None

    async def answer(_: web.Request, __: Caller, target: Target) -> web.StreamResponse:
        try:
            return make_response(await pass_data_path(market, target.raw, clock()))
        except Problem as problem:
            raise AlpacaError(problem_response(problem)) from problem

    return answer


def _make_hub(store: Store, trading: TradingInterface, clock: Callable[[], float]) -> TradeHub:
    forwarder = trading.forwarder
    return TradeHub(store, clock=clock, get_keys_version=lambda: forwarder.keys_version)


def _add_alpaca(
    app: web.Application, api: AlpacaApi, names: AllowedNames, wall_clock: Callable[[], float]
) -> None:
    """Add Alpaca's API, and `/stream`, which authorizes inside the socket."""
    server = TradingStreamServer(api.hub, api.selector, names, wall_clock=wall_clock)
    app[ON_REVOKE] = [server.revoke]
    app.middlewares.insert(2, server.make_middleware())

    async def close(_: web.Application) -> None:
        server.close()
        api.streams.close()

    app.on_shutdown.append(close)
    _run_while_serving(app, "alpaca", api.add_to(app))


def _key_pairs(trading: TradingInterface | None) -> FindKeyPair:
    """Return which account's own keys a pair is."""
    if trading is None:
        return lambda key_id, secret_key: None

    def find(key_id: str, secret_key: str) -> Principal | None:
        label = trading.forwarder.find_by_keys(key_id, secret_key)
        return None if label is None else make_key_principal(label)

    return find


def _add_administration(
    app: web.Application,
    reload: Reload | None,
    notify: NotifyInterface | None,
    cluster_admin: ClusterAdministration | None,
) -> None:
    if reload is not None:
        add_reload(app, reload, PREFIXES)
    if notify is not None:
        add_notify(app, notify, PREFIXES)
    if cluster_admin is not None:
        cluster_admin.add_to(app, PREFIXES)


def _run_while_serving(app: web.Application, name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a task from the application's start to its end."""

    async def run_task(_: web.Application) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(_await(run), name=name)
            yield
            task.cancel()

    app.cleanup_ctx.append(run_task)


async def _await(run: Callable[[], Awaitable[None]]) -> None:
    await run()
