"""The readers' edge as one aiohttp application."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

from aiohttp import web

from realtime.server.cors import allow_origins
from realtime.server.desk import Desk
from realtime.server.endpoints import add_routes, problems
from realtime.server.page.files import add_page
from realtime.server.plans import Plans
from realtime.server.push.broadcast import Broadcast
from realtime.server.routes import PREFIXES
from realtime.server.runner import PLANS
from realtime.store import Store
from realtime.views.documents import Views

MAX_BODY_BYTES = 64 * 1024
"""No route reads a body larger than this."""


def build(
    store: Store,
    views: Views,
    *,
    clock: Callable[[], float],
    version: str,
    started_at: float,
    cors_origins: Sequence[str] = (),
    broadcast: Broadcast | None = None,
) -> web.Application:
    """An application that answers from the store. `clock` and `started_at` are epoch seconds."""
    app = web.Application(middlewares=[problems], client_max_size=MAX_BODY_BYTES)
    app[PLANS] = Plans(clock)
    broadcast = broadcast or Broadcast(store, clock)
    app.cleanup_ctx.append(partial(_broadcasting, broadcast))
    app.on_shutdown.append(partial(_end_responses, broadcast))
    desk = Desk(
        store, views, clock=clock, version=version, started_at=started_at, broadcast=broadcast
    )
    add_routes(app, desk)
    add_page(app, PREFIXES)
    allow_origins(app, cors_origins)
    return app


async def _broadcasting(broadcast: Broadcast, _: web.Application) -> AsyncIterator[None]:
    """Push for as long as the application runs."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(broadcast.run(), name="broadcast")
        yield
        task.cancel()


async def _end_responses(broadcast: Broadcast, _: web.Application) -> None:
    broadcast.close()
