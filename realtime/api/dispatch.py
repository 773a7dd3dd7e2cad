"""The route table as handlers of the HTTP library, and each of its errors as a problem."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from inspect import isawaitable
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import structs

from realtime.api.context import ApiContext, PastReader, RequestContext
from realtime.api.contexts import ContextRegistry
from realtime.api.events.broadcaster import Subscription
from realtime.api.fastpath.response_cache import PARSED_REQUEST, ParsedRequest
from realtime.api.handlers.order_problems import declined_problem, unresolved_problem
from realtime.api.history.messages import PARTIAL
from realtime.api.history.request import HistoryRequest
from realtime.api.owner_forwarding import forward_to_owner
from realtime.api.owners import HOP_HEADER, HopRequest, OwnerForwarder
from realtime.api.parameters import Parameters
from realtime.api.problems import Problem, of_status, quote
from realtime.api.responses import ApiResponse, make_response
from realtime.api.route import PREFIXES, Route, all_paths
from realtime.api.routes import ROUTES
from realtime.api.security.authenticator import (
    AUTHENTICATOR,
    PRINCIPAL,
    get_token,
    token_problem,
)
from realtime.api.security.origins import check_origin
from realtime.auth.principal import LOCAL, Permission, Principal
from realtime.nearest import nearest
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.telemetry.log import get_logger

log = get_logger()

WHOLE_FLEET = ("open", "docs")
"""Routes with this access show no account, but count all."""

STEMS = {
    path.partition("/{")[0]: path
    for route in ROUTES
    for path in route.paths
    if route.method == "GET" and path != "/"
}
"""Path up to its first parameter → the whole path."""


def add_routes(
    app: web.Application,
    context: ApiContext,
    routes: Iterable[Route[Any]],
    *,
    origins: frozenset[str] = frozenset(),
) -> None:
    """Add routes to the application; HEAD comes with each GET. Pages of `origins` may use all."""
    contexts = ContextRegistry(context)
    app.add_routes(
        [
            _make_route(route, path, _make_handler(route, contexts, origins))
            for route in routes
            for path in all_paths(route)
        ]
    )


def _make_route(
    route: Route[Any], path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.RouteDef:
    if route.method == "GET":
        return web.get(path, handler, allow_head=True)
    return web.route(route.method, path, handler)


def _make_handler(
    route: Route[Any], contexts: ContextRegistry, origins: frozenset[str]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    parameters = Parameters(route.query)
    shows_fleet = route.access in WHOLE_FLEET
    permission, counted_as = route.permission, (route.method, route.paths[0])

    async def handle(http_request: web.Request) -> web.StreamResponse:
        try:
            return await respond(http_request)
        # Here, so that the security middleware records what is a problem of the caller's token.
        except Declined as error:
            raise declined_problem(error) from error
        except Unresolved as error:
            raise unresolved_problem(error) from error

    async def respond(http_request: web.Request) -> web.StreamResponse:
        principal = http_request[PRINCIPAL]
        if permission is not None:
            _check_permission(permission, principal)
        raw_query = http_request.rel_url.raw_query_string
        query = parameters.read("" if route.passes_query else raw_query)
        if route.reaches_broker(query):
            check_origin(http_request, origins)
        context = contexts.whole if shows_fleet else contexts.get(principal)
        request = RequestContext(
            context=context,
            query=query,
            account_id=http_request.match_info.get("account_id", ""),
            if_none_match=_if_none_match(http_request),
            last_event_id=http_request.headers.get("Last-Event-ID"),
            accept=http_request.headers.get("Accept"),
            accept_encoding=http_request.headers.get("Accept-Encoding"),
            principal=principal,
            parts=http_request.match_info,
            body=await http_request.read() if route.body is not None else b"",
            key=None if permission is None else _idempotency_key(http_request),
            raw_query=raw_query,
            cache_control=http_request.headers.get("Cache-Control"),
        )
        context.route_counts[counted_as] += 1
        forwarder = None if context.cluster is None else context.cluster.forwarder
        if route.at_owner and forwarder is not None:
            forwarded = await _forward(forwarder, http_request, request, route.paths[0])
            if forwarded is not None:
                return make_response(forwarded)
        render = partial(route.handler, request)
        response = render()
        if is_awaited := isawaitable(response):
            response = await response
            if route.method == "GET":
                _check_again(http_request, route, principal)
        if isinstance(response, Subscription):
            subscription = structs.replace(
                response, expires_at=principal.expires_at, token_id=principal.token_id
            )
            return await context.broadcaster.serve(http_request, subscription)
        if isinstance(response, HistoryRequest):
            if context.history is None and forwarder is not None:
                forwarded = await _forward(forwarder, http_request, request, route.paths[0])
                if forwarded is not None:
                    _check_again(http_request, route, principal)
                    return make_response(forwarded)
            if context.history is None:
                raise Problem("history_off", "history is not recorded here")
            past = await _fetch_past(context.history, response)
            _check_again(http_request, route, principal)
            return make_response(past)
        if route.changes_with is not None and not is_awaited:
            http_request[PARSED_REQUEST] = ParsedRequest(
                given=response,
                # The same bytes are the same request: it will be a response the next time, too.
                answer=cast(Callable[[], ApiResponse], render),
                mark=context.make_version_reader(route.changes_with, request.account_id),
                route=route.paths[0],
                account_id=request.account_id if route.changes_with == "account" else None,
                expires_at=principal.expires_at,
                token_id=principal.token_id,
                limits_address=principal.token_id is None and principal is not LOCAL,
                generation=principal.generation,
            )
        return make_response(response)

    return handle


async def _forward(
    forwarder: OwnerForwarder,
    http_request: web.Request,
    request: RequestContext[Any],  # Any: of every route
    path_of_route: str,
) -> ApiResponse | None:
    """The response of the daemon that keeps the account in sync; None: this one does."""
    has_token = request.principal.token_id is not None
    hop = HopRequest(
        # The body of a HEAD is left out where it is answered to the client.
        method="GET" if http_request.method == "HEAD" else http_request.method,
        path=http_request.raw_path,
        route=path_of_route,
        body=request.body,
        token=get_token(http_request) if has_token else None,
        key=request.key,
        content_type=http_request.headers.get("Content-Type"),
    )
    return await forward_to_owner(
        forwarder, request, hop, is_forwarded=HOP_HEADER in http_request.headers
    )


async def _fetch_past(history: PastReader, request: HistoryRequest) -> ApiResponse:
    try:
        past = await history.fetch(request.call)
    except Problem as problem:
        if request.fallback is None:
            raise
        rest = request.fallback()
        headers = {**rest.headers, PARTIAL: f"partial; reason={problem.code}"}
        return structs.replace(rest, headers=headers)
    return past if request.finish is None else request.finish(past)


def _check_permission(permission: Permission, principal: Principal) -> None:
    """Where the methods of a path need different permissions; elsewhere the middleware has."""
    if principal.has_permission(permission):
        return
    if principal.token_id is None:
        raise token_problem("token_missing", "only reads need no token")
    raise Problem("permission_missing", f"the token lacks the permission `{permission}`")


def _check_again(request: web.Request, route: Route[Any], admitted: Principal) -> None:
    """After a read has waited: the token may have been revoked, or see other accounts by now."""
    principal = request.app[AUTHENTICATOR].check_again(request, route.access)
    if route.permission is not None:
        _check_permission(route.permission, principal)
    if principal.accounts != admitted.accounts:
        raise token_problem(
            "token_invalid", "the rules for tokens changed while the request waited"
        )


def _idempotency_key(request: web.Request) -> str | None:
    keys = request.headers.getall("Idempotency-Key", ())
    if len(keys) > 1:
        raise malformed("Idempotency-Key occurs more than once")
    return keys[0] if keys else None


def _if_none_match(request: web.Request) -> str | None:
    values = request.headers.getall("If-None-Match", None)
    return values if values is None else ",".join(values)


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error of a handler into an `application/problem+json` response."""
    try:
        return await handler(request)
    except Problem as problem:
        return make_response(problem.answer(request.path))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return make_response(to_problem(error, request).answer(request.path))
    except Exception:  # the edge: details go to the log once, and never to the client
        log.exception("server.failed", method=request.method, path=quote(request.path))
        return make_response(Problem("failed", "unexpected").answer(request.path))


def to_problem(error: web.HTTPException, request: web.BaseRequest) -> Problem:
    """An error of the HTTP library as a problem."""
    detail = f"{request.method} {quote(request.path)}"
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        meant = _read_route(request.path) if request.method == "GET" else None
        remedy = f"did you mean GET {meant}?" if meant else None
        return Problem("method_not_allowed", detail, remedy=remedy, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        meant = _read_route(request.path) or _nearest_route(request.path)
        return Problem("unknown_route", detail, remedy=f"did you mean {meant}?" if meant else None)
    return of_status(error.status, error.text or error.reason)


def _read_route(path: str) -> str | None:
    """The read route that `/positions/alpha` and its like mean: they lack `/realtime`."""
    segments = path.removeprefix(PREFIXES[-1]).strip("/").split("/")
    if len(segments) == 2 and (stem := f"/realtime/{segments[0]}") in STEMS:
        route = STEMS[stem]
        return f"{stem}/{quote(segments[1])}" if "{" in route else None
    return None


def _nearest_route(path: str) -> str | None:
    segments = path.removeprefix(PREFIXES[-1]).rstrip("/").split("/")
    meant = nearest("/".join(segments[:3]), STEMS)
    return meant and STEMS[meant]
