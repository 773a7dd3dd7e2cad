"""HTTP server of the trading API: the steps before and after the exchange.

maintenance → latency → credentials → rate limit → faults that reject → the exchange → faults that
drop the response
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import msgspec
from aiohttp import web

from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.credentials import Credentials
from realtime.simulator.exchange.engine import ApiError
from realtime.simulator.faults.base import RequestFault
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.faults.requests import (
    AcceptedBut504,
    ChangedFields,
    Latency,
    NoAnswer,
    RateLimited,
    ServerError,
    Unauthorized,
)
from realtime.simulator.faults.sockets import KeyRevoked, Maintenance
from realtime.simulator.rest import responses
from realtime.simulator.rest.rate_limiter import RateLimiter, RequestBudget
from realtime.simulator.rest.routes import ROUTES, RequestContext, Route, RouteContext

KEY_HEADER = "APCA-API-KEY-ID"
SECRET_HEADER = "APCA-API-SECRET-KEY"
# An unanswered request is cut after this, so that none outlives its test.
NO_ANSWER_LIMIT_S = 600.0

R = TypeVar("R", bound=RequestFault)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RestServer:
    """Serves the route table."""

    def __init__(
        self,
        context: RouteContext,
        credentials: Credentials,
        limit: RateLimiter,
        counters: RequestCounters,
        rng: Random,
    ) -> None:
        self._context = context
        self._faults_on: FaultRegistry = context.faults
        self._credentials = credentials
        self._limit = limit
        self._counters = counters
        self._rng = rng

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application."""
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._handler(route))

    def _handler(self, route: Route) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return handle

    async def _serve(self, request: web.Request, route: Route) -> web.StreamResponse:
        label = self._credentials.owner(request.headers.get(KEY_HEADER))
        self._counters.count(label, "requests")
        if self._faults_on.active(Maintenance, label):
            return responses.html_error(503)
        if slow := self._trigger(Latency, label, request):
            await asyncio.sleep(slow.seconds + slow.jitter_s * self._rng.random())
        if refused := self._check_credentials(request, label):
            return refused
        assert label is not None
        budget = self._limit.acquire(label)
        if not budget.allowed:
            self._counters.count(label, "limited")
            return self._with_budget(responses.too_many_requests(), budget)
        if failed := self._check_faults(request, label, budget):
            return failed
        handler = await self._respond(request, route, label)
        return self._with_budget(handler, budget)

    def _check_credentials(self, request: web.Request, label: str | None) -> web.Response | None:
        key, secret = request.headers.get(KEY_HEADER), request.headers.get(SECRET_HEADER)
        if not key or not secret:
            return responses.unauthorized(html=True)
        if self._credentials.check(key, secret) is None:
            return responses.unauthorized()
        if revoked := self._faults_on.active(KeyRevoked, label):
            return responses.unauthorized(html=revoked.spec.html)
        if wrong := self._trigger(Unauthorized, label, request):
            return responses.unauthorized(html=wrong.html)
        return None

    def _check_faults(
        self, request: web.Request, label: str, budget: RequestBudget
    ) -> web.Response | None:
        if limited := self._trigger(RateLimited, label, request):
            refused = responses.too_many_requests()
            spent = budget._replace(remaining=0)
            return self._with_budget(refused, spent) if limited.headers else refused
        if broken := self._trigger(ServerError, label, request):
            return responses.error_response(broken.status)
        return None

    async def _respond(self, request: web.Request, route: Route, label: str) -> web.Response:
        """Perform the request and respond, unless a fault drops the response."""
        silent = self._trigger(NoAnswer, label, request)
        if silent and not silent.performed:
            await _wait_until_disconnect(request)
        response = await self._perform(request, route, label)
        if silent:
            await _wait_until_disconnect(request)
        if route.method != "GET" and self._trigger(AcceptedBut504, label, request):
            return responses.html_error(504)
        return response

    async def _perform(self, request: web.Request, route: Route, label: str) -> web.Response:
        try:
            body = await _body(request) if route.method in {"POST", "PATCH"} else None
            path_params, query = request.match_info, dict(request.query)
            context = RequestContext(
                self._context, label, route.method, request.path, path_params, query, body
            )
            document = route.handler(context)
            if document is not None and (changed := self._trigger(ChangedFields, label, request)):
                document = _change_fields(document, changed)
            return responses.json_response(document, route.status)
        except ApiError as error:
            return responses.json_error(error.body, error.status)

    def _trigger(self, kind: type[R], label: str | None, request: web.Request) -> R | None:
        return self._faults_on.trigger_request(kind, label, request.method, request.path)

    def _with_budget(self, response: web.Response, budget: RequestBudget) -> web.Response:
        return responses.with_budget(response, budget, self._context.clock())


def _change_fields(document: object, changed: ChangedFields) -> object:
    plain = msgspec.json.decode(msgspec.json.encode(document))
    for row in plain if isinstance(plain, list) else [plain]:
        for name in changed.removed:
            row.pop(name, None)
        row.update(dict.fromkeys(changed.added, "added"))
    return plain


async def _body(request: web.Request) -> object:
    try:
        return msgspec.json.decode(await request.read())
    except (msgspec.DecodeError, RecursionError) as error:
        # No recording shows the broker's response to a body that is not JSON.
        body: dict[str, object] = {"code": 40010000, "message": "request body format is invalid"}
        raise ApiError(400, body) from error


async def _wait_until_disconnect(request: web.Request) -> None:
    """Wait until the client disconnects (cancels this task); cut the connection at the limit."""
    await asyncio.sleep(NO_ANSWER_LIMIT_S)
    if request.transport is not None:
        request.transport.abort()
