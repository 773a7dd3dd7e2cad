"""What every request passes before its route: names, token, permission, pace, body.

A path that the table does not name wants `admin`: what somebody forgot to open stays closed.
"""

import asyncio
from collections.abc import Mapping
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.api.problems import Problem
from realtime.api.security.authenticator import PRINCIPAL, Access, Authenticator
from realtime.api.security.origins import AllowedNames, check_names

MAX_BODY = 1024 * 1024
"""No route reads a body larger than this: a batch of 2000 orders. Others are hundreds of bytes."""

BODY_WITHIN_S = 10.0
"""Who takes longer to send it means to hold the connection."""


def make_guard(
    authenticator: Authenticator, names: AllowedNames, table: Mapping[str, Access]
) -> Middleware:
    """The middleware. `table`: path as the router names it → what it wants."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        check_names(request, names)
        matched = request.match_info
        if matched.http_exception is None and not _is_preflight(request):
            resource = matched.route.resource
            access = table.get(resource.canonical if resource else "", "admin")
            request[PRINCIPAL] = authenticator.admit(request, access)
            if request.can_read_body:
                await _read_body(request)
        return await handler(request)

    return cast(Middleware, guard)


def _is_preflight(request: web.Request) -> bool:
    """A browser's question before a page's request: it never carries a token (Fetch standard)."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


async def _read_body(request: web.Request) -> None:
    """Have the whole body here, for whoever reads it then. Raises the problems `body_too_large`,
    `body_too_slow` and, of a body that breaks off, `malformed_request`."""
    if (request.content_length or 0) > MAX_BODY:
        raise Problem("body_too_large", f"more than {MAX_BODY} bytes are announced")
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            await request.read()
    except TimeoutError:
        problem = Problem("body_too_slow", f"it was not complete within {BODY_WITHIN_S:.0f} s")
        raise problem from None
    except ConnectionError:
        raise Problem("malformed_request", "the body breaks off") from None
