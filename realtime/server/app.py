"""The readers' edge as one aiohttp application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from secrets import token_urlsafe

from aiohttp import web

from realtime.analytics.recorder import Recorder
from realtime.orders.trading import Trading
from realtime.server.access import DOORKEEPER, AccessRules, Doorkeeper
from realtime.server.cors import allow_origins
from realtime.server.desk import Desk
from realtime.server.endpoints import add_routes, problems
from realtime.server.guard import BODY_MOST, make_guard
from realtime.server.headers import vary_with_token
from realtime.server.limits import Addresses, Crowd
from realtime.server.metrics.exposition import Metrics
from realtime.server.metrics.sources import Composed, Sources
from realtime.server.origins import Names
from realtime.server.page.files import add_page
from realtime.server.plans import Plans
from realtime.server.pulse import PULSE, Pulse
from realtime.server.push.broadcast import Broadcast
from realtime.server.reloading import BROADCAST, Reload, add_reload, reload_access
from realtime.server.requests import Requests
from realtime.server.routes import PREFIXES, access_table
from realtime.server.runner import CROWD, PLANS, REQUESTS
from realtime.server.sessions import Sessions, session_access
from realtime.server.trading.asking import trade_access
from realtime.server.trading.endpoints import add_trading
from realtime.store import Store
from realtime.views.documents import Views


def build(
    store: Store,
    views: Views,
    *,
    clock: Callable[[], float],
    version: str,
    started_at: float,
    cors_origins: Sequence[str] = (),
    hosts: frozenset[str] | None = None,
    connections_per_address: int | None = None,
    access: AccessRules = AccessRules(),  # noqa: B008 - frozen
    make_code: Callable[[], str] = token_urlsafe,
    broadcast: Broadcast | None = None,
    trading: Trading | None = None,
    reload: Reload | None = None,
    composed: Composed = Composed(),  # noqa: B008 - frozen
    account_metrics: bool = False,
) -> web.Application:
    """An application that answers from the store. `clock` and `started_at` are epoch seconds."""
    doorkeeper = Doorkeeper(access, clock)
    guard = make_guard(
        doorkeeper,
        Names(hosts=hosts, pages=frozenset(cors_origins)),
        {
            **access_table(),
            **session_access(PREFIXES),
            **reload_access(PREFIXES),
            **trade_access(PREFIXES),
            **{prefix + "/page/{path}": "open" for prefix in PREFIXES},
        },
    )
    app = web.Application(middlewares=[problems, guard], client_max_size=BODY_MOST)
    app[DOORKEEPER] = doorkeeper
    requests = app[REQUESTS] = Requests()
    pulse = app[PULSE] = Pulse(store, requests)
    app.cleanup_ctx.append(partial(_beating, pulse))
    app[CROWD] = Crowd(Addresses(connections_per_address))
    app.cleanup_ctx.append(_sweeping)
    app[PLANS] = Plans(clock, allows=doorkeeper.meter.allows)
    broadcast = broadcast or Broadcast(store, clock)
    app[BROADCAST] = broadcast
    app.cleanup_ctx.append(partial(_broadcasting, broadcast))
    app.on_shutdown.append(partial(_end_responses, broadcast))
    recorder = Recorder(store, clock)
    app.cleanup_ctx.append(partial(_recording, recorder))
    sources = Sources(
        store=store,
        requests=requests,
        pulse=pulse,
        crowd=app[CROWD],
        broadcast=broadcast,
        composed=composed,
        clock=clock,
        version=version,
    )
    desk = Desk(
        store,
        views,
        clock=clock,
        version=version,
        started_at=started_at,
        broadcast=broadcast,
        recorder=recorder,
        pulse=pulse,
        metrics=Metrics(sources, each_account=account_metrics),
    )
    add_routes(app, desk)
    add_page(app, PREFIXES)
    if trading is not None:
        add_trading(app, trading, PREFIXES, desk)
    allow_origins(app, cors_origins)
    if reload is not None:
        add_reload(app, reload, PREFIXES)
    if access.verifier is not None:
        # Behind `allow_origins`: no page of another origin begins a session here.
        Sessions(doorkeeper, clock, make_code).add(app, PREFIXES)
        app.on_response_prepare.append(vary_with_token)
    return app


async def _broadcasting(broadcast: Broadcast, _: web.Application) -> AsyncIterator[None]:
    """Push for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(broadcast.run(), name="broadcast")
        yield
        task.cancel()


async def _beating(pulse: Pulse, _: web.Application) -> AsyncIterator[None]:
    """Watch the loop for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(pulse.run(), name="pulse")
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


async def _end_responses(broadcast: Broadcast, _: web.Application) -> None:
    broadcast.close()
