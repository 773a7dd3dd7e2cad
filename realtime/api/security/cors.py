"""Which web pages of other origins may read from here: those that were named, and no other."""

from collections.abc import Sequence

import aiohttp_cors
from aiohttp import web

from realtime.api.responses import COMMON_HEADERS, add_vary

EXPOSED = (
    "ETag",
    "Idempotency-Replayed",
    "Last-Modified",
    "Retry-After",
    "X-Broker-Request-Id",
    "X-Realtime-Account",
    "X-Realtime-As-Of",
    "X-Realtime-Stale",
    "X-Realtime-Provisional",
    "X-Realtime-Route",
    "X-Total-Count",
)
"""Headers of ours that a page of another origin may see."""

ALLOWED = (
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
)
"""Headers that such a page may send."""

PREFLIGHT_KEPT_S = 600
"""How long a browser may remember a permission; longer would outlive a change of the list."""


def allow_origins(app: web.Application, origins: Sequence[str]) -> None:
    """Let pages of these origins read every route that the application has by now."""
    if not origins:
        return
    options = {
        "expose_headers": EXPOSED,
        "allow_headers": ALLOWED,
        "max_age": PREFLIGHT_KEPT_S,
    }
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(origins, options))
    for route in list(app.router.routes()):
        cors.add(route)
    app.on_response_prepare.append(_vary)


async def _vary(_: web.Request, response: web.StreamResponse) -> None:
    # Without it a shared cache would give one origin's permission to another (Fetch standard).
    # A preflight's answer is made by the library and has our headers from here only.
    response.headers["Server"] = COMMON_HEADERS["Server"]
    for name, value in COMMON_HEADERS.items():
        response.headers.setdefault(name, value)
    add_vary(response, ["Origin"])
