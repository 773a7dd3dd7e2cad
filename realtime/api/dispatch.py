"""The route table as the HTTP library's handlers, and every error of theirs as a problem."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import structs

from realtime.api.context import ApiContext, RequestContext
from realtime.api.contexts import ContextRegistry
from realtime.api.events.broadcaster import Subscription
from realtime.api.fastpath.response_cache import MEANING, ParsedRequest
from realtime.api.nearest import nearest
from realtime.api.parameters import Parameters
from realtime.api.problems import Problem, of_status, shown
from realtime.api.responses import ApiResponse, response
from realtime.api.routes import PREFIXES, ROUTES, Route, all_paths
from realtime.api.security.authenticator import PRINCIPAL
from realtime.telemetry.log import get_logger

log = get_logger()

WHOLE_FLEET = ("open", "docs")
"""Routes of these kinds show no account, but count all."""

STEMS = {path.partition("/{")[0]: path for route in ROUTES for path in route.paths if path != "/"}
"""Path up to its first parameter → the whole path."""


def add_routes(app: web.Application, desk: ApiContext) -> list[web.AbstractRoute]:
    """Give the application every route of the table; HEAD comes with each GET."""
    desks = ContextRegistry(desk)
    return app.add_routes(
        [
            web.get(path, _endpoint(route, desks), allow_head=True)
            for route in ROUTES
            for path in all_paths(route)
        ]
    )


def _endpoint(
    route: Route[Any], desks: ContextRegistry
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    parameters = Parameters(route.query)
    shows_fleet = route.access in WHOLE_FLEET

    async def endpoint(request: web.Request) -> web.StreamResponse:
        principal = request[PRINCIPAL]
        desk = desks.whole if shows_fleet else desks.of(principal)
        asked = parameters.read(request.rel_url.raw_query_string)
        call = RequestContext(
            request.match_info.get("account_id", ""),
            _if_none_match(request),
            request.headers.get("Last-Event-ID"),
            request.headers.get("Accept"),
        )
        answer = partial(route.answer, desk, call, asked)
        given = answer()
        if isinstance(given, Subscription):
            given = structs.replace(given, until=principal.until, holder=principal.holder)
            return await desk.broadcast.serve(request, given)
        if route.changes_with is not None:
            request[MEANING] = ParsedRequest(
                given=given,
                # No subscription this time, so none the next: a route gives one or the other.
                answer=cast(Callable[[], ApiResponse], answer),
                mark=desk.mark(route.changes_with, call),
                until=principal.until,
                holder=principal.holder,
            )
        return response(given)

    return endpoint


def _if_none_match(request: web.Request) -> str | None:
    given = request.headers.getall("If-None-Match", None)
    return given if given is None else ",".join(given)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The one middleware: whatever goes wrong below it becomes problem+json."""
    try:
        return await handler(request)
    except Problem as problem:
        return response(problem.answer(request.path))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return response(problem_of(error, request).answer(request.path))
    except Exception:  # the edge: told once to the log, and never to the reader
        log.exception("server.failed", method=request.method, path=shown(request.path))
        return response(Problem("failed", "unexpected").answer(request.path))


def problem_of(error: web.HTTPException, request: web.BaseRequest) -> Problem:
    """The HTTP library's own error as ours."""
    asked = f"{request.method} {shown(request.path)}"
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem("method_not_allowed", asked, headers={"Allow": allowed})
    if isinstance(error, web.HTTPNotFound):
        meant = _meant_route(request.path)
        return Problem("unknown_route", asked, remedy=f"did you mean {meant}?" if meant else None)
    return of_status(error.status, error.text or error.reason)


def _meant_route(path: str) -> str | None:
    segments = path.removeprefix(PREFIXES[-1]).rstrip("/").split("/")
    meant = nearest("/".join(segments[:3]), STEMS)
    return meant and STEMS[meant]
