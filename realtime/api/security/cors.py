"""CORS: pages of which other origins may read responses; only those that are configured."""

from collections.abc import Sequence

import aiohttp_cors
from aiohttp import web

from realtime.api.responses import COMMON_HEADERS, add_vary

EXPOSED_HEADERS = (
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
"""Response headers that a page of another origin may see."""

ALLOWED_HEADERS = (
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
)
"""Request headers that such a page may send."""

PREFLIGHT_MAX_AGE_S = 600
"""How long a browser may cache a preflight; longer would outlive a change of the list."""


def allow_origins(app: web.Application, origins: Sequence[str]) -> None:
    """Allow pages of these origins to read every route that the application has so far."""
    if not origins:
        return
    options = {
        "expose_headers": EXPOSED_HEADERS,
        "allow_headers": ALLOWED_HEADERS,
        "max_age": PREFLIGHT_MAX_AGE_S,
    }
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(origins, options))
    for route in list(app.router.routes()):
        cors.add(route)
    app.on_response_prepare.append(_vary)


async def _vary(_: web.Request, response: web.StreamResponse) -> None:
    # Without `Vary` a shared cache would give one origin's permission to another (Fetch standard).
    # The library creates the response to a preflight; it gets our headers here.
    response.headers["Server"] = COMMON_HEADERS["Server"]
    for name, value in COMMON_HEADERS.items():
        response.headers.setdefault(name, value)
    add_vary(response, ["Origin"])
