"""The readers' edge as one aiohttp application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from secrets import token_urlsafe

from aiohttp import web

from realtime.analytics.recorder import Recorder
from realtime.api.context import ApiContext, PastReader
from realtime.api.dispatch import add_routes, problem_middleware
from realtime.api.documents.documents import Documents
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.fastpath.response_cache import ResponseCache
from realtime.api.fastpath.runner import CROWD, PLANS, REQUESTS
from realtime.api.handlers.order_dispatch import add_trading, trade_access
from realtime.api.handlers.reload import BROADCAST, Reload, add_reload, reload_access
from realtime.api.metrics.exposition import Metrics
from realtime.api.metrics.sources import Composed, Sources
from realtime.api.responses import add_token_vary
from realtime.api.routes import PREFIXES, access_table
from realtime.api.security.authenticator import AUTHENTICATOR, AccessRules, Authenticator
from realtime.api.security.client_limits import ConnectionCounter, ConnectionLimiter
from realtime.api.security.cors import allow_origins
from realtime.api.security.middleware import MAX_BODY, make_guard
from realtime.api.security.origins import AllowedNames
from realtime.api.security.sessions import Sessions, session_access
from realtime.orders.interface import TradingInterface
from realtime.store.store import Store
from realtime.telemetry.loop_monitor import LOOP_MONITOR, LoopMonitor
from realtime.telemetry.request_stats import RequestStats
from realtime.web.files import add_page


def build(
    store: Store,
    documents: Documents,
    *,
    clock: Callable[[], float],
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
    composed: Composed = Composed(),  # noqa: B008 - frozen
    account_metrics: bool = False,
    history: PastReader | None = None,
) -> web.Application:
    """An application that answers from the store. `clock` and `started_at` are epoch seconds."""
    authenticator = Authenticator(access, clock)
    guard = make_guard(
        authenticator,
        AllowedNames(hosts=hosts, pages=frozenset(cors_origins)),
        {
            **access_table(),
            **session_access(PREFIXES),
            **reload_access(PREFIXES),
            **trade_access(PREFIXES),
            **{prefix + "/page/{path}": "open" for prefix in PREFIXES},
        },
    )
    app = web.Application(middlewares=[problem_middleware, guard], client_max_size=MAX_BODY)
    app[AUTHENTICATOR] = authenticator
    requests = app[REQUESTS] = RequestStats()
    loop_monitor = app[LOOP_MONITOR] = LoopMonitor(store.lag, requests)
    app.cleanup_ctx.append(partial(_beating, loop_monitor))
    app[CROWD] = ConnectionLimiter(ConnectionCounter(connections_per_address))
    app.cleanup_ctx.append(_sweeping)
    app[PLANS] = ResponseCache(clock, allows=authenticator.meter.allows)
    broadcast = broadcast or Broadcaster(store, clock)
    app[BROADCAST] = broadcast
    app.cleanup_ctx.append(partial(_broadcasting, broadcast))
    app.on_shutdown.append(partial(_end_responses, broadcast))
    recorder = Recorder(store, clock)
    app.cleanup_ctx.append(partial(_recording, recorder))
    sources = Sources(
        store=store,
        requests=requests,
        loop_monitor=loop_monitor,
        connection_limiter=app[CROWD],
        broadcast=broadcast,
        composed=composed,
        clock=clock,
        version=version,
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
        metrics=Metrics(sources, each_account=account_metrics),
        history=history,
    )
    add_routes(app, context)
    add_page(app, PREFIXES)
    if trading is not None:
        add_trading(app, trading, PREFIXES, context)
    allow_origins(app, cors_origins)
    if reload is not None:
        add_reload(app, reload, PREFIXES)
    if access.verifier is not None:
        # Behind `allow_origins`: no page of another origin begins a session here.
        Sessions(authenticator, clock, make_code).add(app, PREFIXES)
        app.on_response_prepare.append(add_token_vary)
    return app


async def _broadcasting(broadcast: Broadcaster, _: web.Application) -> AsyncIterator[None]:
    """Push for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(broadcast.run(), name="broadcast")
        yield
        task.cancel()


async def _beating(loop_monitor: LoopMonitor, _: web.Application) -> AsyncIterator[None]:
    """Watch the loop for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(loop_monitor.run(), name="pulse")
        yield
        task.cancel()


async def _recording(recorder: Recorder, _: web.Application) -> AsyncIterator[None]:
    """Note the accounts' equity for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(recorder.run(), name="recorder")
        yield
        task.cancel()


async def _sweeping(app: web.Application) -> AsyncIterator[None]:
    """Cut slow connections for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(app[CROWD].sweep(), name="sweep")
        yield
        task.cancel()


async def _end_responses(broadcast: Broadcaster, _: web.Application) -> None:
    broadcast.close()
