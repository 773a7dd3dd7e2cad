"""The readers' edge as one aiohttp application."""

from collections.abc import Callable, Sequence

from aiohttp import web

from realtime.server.cors import allow_origins
from realtime.server.desk import Desk
from realtime.server.endpoints import add_routes, problems
from realtime.server.plans import Plans
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
) -> web.Application:
    """An application that answers from the store. `clock` and `started_at` are epoch seconds."""
    app = web.Application(middlewares=[problems], client_max_size=MAX_BODY_BYTES)
    app[PLANS] = Plans(clock)
    add_routes(app, Desk(store, views, clock=clock, version=version, started_at=started_at))
    allow_origins(app, cors_origins)
    return app
