"""The security middleware: host and origin, token, permission, rate, body, before any handler.

A path that the access table does not name requires `admin`: a forgotten entry stays closed.
"""

import asyncio
from collections.abc import Mapping
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.api.problems import Problem, of_status
from realtime.api.security.authenticator import PRINCIPAL, Access, Authenticator
from realtime.api.security.origins import AllowedNames, check_request_names
from realtime.api.security.rejections import RejectionLog, RequestSource

MAX_BODY_BYTES = 1024 * 1024
"""No route reads a larger body: a batch of 2000 orders. Others are hundreds of bytes."""

BODY_TIMEOUT_S = 10.0
"""A client that takes longer only holds the connection."""


def make_security_middleware(
    authenticator: Authenticator,
    names: AllowedNames,
    access_table: Mapping[str, Access],
    *,
    rejections: RejectionLog | None = None,
) -> Middleware:
    """Return the middleware. `access_table`: path as the router names it → what it requires."""
    rejection_log = rejections or RejectionLog()

    @web.middleware
    async def security_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await check(request, handler)
        except Problem as problem:
            rejection_log.record(problem, source_of(request))
            raise
        except web.HTTPForbidden as error:  # the CORS library
            rejection_log.record(of_status(error.status, ""), source_of(request))
            raise

    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        check_request_names(request, names)
        route_match = request.match_info
        if route_match.http_exception is None and not _is_preflight(request):
            resource = route_match.route.resource
            path = resource.canonical if resource else ""
            access = access_table.get(path, "admin")
            request[PRINCIPAL] = authenticator.authenticate(request, access)
            if request.can_read_body:
                await _read_body(request)
                # A slow client may have sent it long after its token was revoked or had expired.
                request[PRINCIPAL] = authenticator.check_again(request, access)
        return await handler(request)

    return cast(Middleware, security_middleware)


def source_of(request: web.Request) -> RequestSource:
    """Return what the log shows of a rejected request."""
    principal = request.get(PRINCIPAL)
    return RequestSource(
        client=request.remote,
        method=request.method,
        path=request.path,
        user_id=principal.user_id if principal is not None and principal.token_id else None,
    )


def _is_preflight(request: web.Request) -> bool:
    """A browser's CORS preflight: it never carries a token (Fetch standard)."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


async def _read_body(request: web.Request) -> None:
    """Read the whole body, which aiohttp keeps for the handler. Raises the problems
    `body_too_large`, `body_too_slow` and, if the client disconnects, `malformed_request`."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise Problem("body_too_large", f"more than {MAX_BODY_BYTES} bytes are announced")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem("malformed_request", "a body with Content-Encoding is not accepted")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            await request.read()
    except TimeoutError:
        problem = Problem("body_too_slow", f"it was not complete within {BODY_TIMEOUT_S:.0f} s")
        raise problem from None
    except ConnectionError:
        raise Problem("malformed_request", "the body is incomplete") from None
