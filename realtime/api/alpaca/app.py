"""Alpaca's API as routes of this daemon: account selection, memory, gateway, passing on.

A browser never needs these routes, and a page must not be able to use them with the keys of a
program on the same machine: any request with an `Origin`, or from another site, is refused.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from secrets import token_hex

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct, structs

from realtime.api.alpaca.account_selection import AccountSelector, Caller, read_credentials
from realtime.api.alpaca.background import Background
from realtime.api.alpaca.errors import (
    AlpacaError,
    declined_response,
    error_response,
    no_route,
    unresolved_response,
)
from realtime.api.alpaca.forwarded_streams import ForwardedStreams, is_stream_request
from realtime.api.alpaca.forwarding import (
    find_owner_refusal,
    forward_change,
    forward_read,
    read_headers,
)
from realtime.api.alpaca.market_cache import MarketCache
from realtime.api.alpaca.open_requests import OpenRequests
from realtime.api.alpaca.recent_writes import RecentWrites
from realtime.api.alpaca.requests import AlpacaContext, AlpacaOptions, AlpacaRequest
from realtime.api.alpaca.routes import ROUTES, AlpacaRoute, RouteTable, as_it_came
from realtime.api.alpaca.target import Target, parse_target
from realtime.api.alpaca.trade_hub import TradeHub
from realtime.api.alpaca.trade_sse import PATH as TRADE_EVENTS
from realtime.api.alpaca.trade_sse import EventsUnknown, serve_events
from realtime.api.fastpath.response_cache import PARSED_REQUEST, ParsedRequest
from realtime.api.problems import CONTENT_TYPE as PROBLEM_TYPE
from realtime.api.problems import Problem
from realtime.api.responses import ApiResponse, accepts_gzip, make_response
from realtime.api.security.origins import check_origin
from realtime.auth.principal import Permission
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.interface import TradingInterface
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

PATH = "/{version:v[0-9]+(?:beta[0-9]+)?}/{path:.*}"
"""Every path of Alpaca's begins with a version, and no other path of this daemon does."""

CANONICAL_PATH = "/{version}/{path}"
"""The same as the router names it."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
READ_METHODS = frozenset({"GET", "HEAD"})

FORWARDED = "/v2/{path}"
"""The name under which requests that are passed on are counted."""

TRADING_WORDS = ("order", "position")
"""A change of a path that contains one of these must go through the gateway, or not at all."""

HARMLESS = (("v2", "watchlists"), ("v2", "watchlists:by_name"), ("v2", "account", "configurations"))
"""Paths of what may be changed with a token, and while trading is halted: it moves no money, or
suspends trading. Everything else that is passed on may pay money out (a withdrawal of coins, a
locate), and a permission to trade is not one to pay out."""

KEYS_NEEDED = (
    "realtime: this is changed only with the account's own pair of keys:"
    " a token is for orders, positions, watchlists and configurations"
)

MARKET_DATA = ("stocks", "options", "crypto", "crypto-perps", "news", "forex", "fixed_income",
               "logos", "screener", "corporate-actions", "indices")  # fmt: skip
"""Second segments of the paths of market data; `/v2/options/contracts` is not one of them."""

DEFAULT_PREFIX = "rt-"
"""Of a client order id that is made here for a user without a book."""

MarketData = Callable[[web.Request, Caller, Target], Awaitable[web.StreamResponse]]


def make_alpaca_context(
    store: Store,
    trading: TradingInterface,
    options: AlpacaOptions,
    *,
    clock: Callable[[], float],
) -> AlpacaContext:
    """Return what all requests share."""

    def make_id(user_id: str) -> str:
        return f"{options.books.get(user_id, DEFAULT_PREFIX)}{token_hex(16)}"

    background = Background()
    return AlpacaContext(
        store=store,
        trading=trading,
        options=options,
        recent_writes=RecentWrites(clock),
        market_cache=MarketCache(clock),
        open_requests=OpenRequests(background, make_id, clock),
        background=background,
        clock=clock,
        unknown_cancels={},
    )


class _ProblemDocument(Struct):
    """What is shown of an error of the layers before."""

    title: str = ""
    detail: str = ""
    remedy: str = ""


_decode_problem = msgspec.json.Decoder(_ProblemDocument).decode


class AlpacaApi:
    """The routes, with what they need."""

    def __init__(
        self,
        context: AlpacaContext,
        selector: AccountSelector,
        route_counts: Counter[tuple[str, str]],
        hub: TradeHub,
        *,
        market_data: MarketData | None = None,
        routes: tuple[AlpacaRoute, ...] = ROUTES,
    ) -> None:
        self.context = context
        self.selector = selector
        self.hub = hub
        self.streams = ForwardedStreams()
        self._routes = RouteTable(routes)
        self._route_counts = route_counts
        self._market_data = market_data

    def add_to(self, app: web.Application) -> Callable[[], Awaitable[None]]:
        """Add the routes to an application, after `allow_origins`: no page may use them. Return
        what must run while it serves."""
        app.router.add_route("*", PATH, self.handle)
        return self.context.background.serve

    async def handle(self, http_request: web.Request) -> web.StreamResponse:
        """Answer a request; every error is in Alpaca's form."""
        try:
            return await self._handle(http_request)
        except AlpacaError as error:
            return make_response(error.response)
        except Declined as error:
            return make_response(declined_response(error))
        except Unresolved as error:
            return make_response(unresolved_response(error))
        except Exception:
            log.exception("server.failed", method=http_request.method, path="alpaca")
            # What a handler had begun may have taken effect: 500 is not repeated by any client.
            return make_response(error_response(500, "status unknown: internal error"))

    def check_browser(self, request: web.BaseRequest) -> None:
        """Raise `AlpacaError` for a request of a web page."""
        try:
            check_origin(request, frozenset())
        except Problem as problem:
            raise AlpacaError(error_response(403, problem.detail)) from problem
        if "Origin" in request.headers:
            raise AlpacaError(error_response(403, "these routes are not for web pages"))

    async def _handle(self, http_request: web.Request) -> web.StreamResponse:
        self.check_browser(http_request)
        method = http_request.method
        if method not in METHODS:
            raise AlpacaError(error_response(405, "method not allowed"))
        target = parse_target(http_request.raw_path)
        permission = _find_permission(method, target)
        credentials = read_credentials(http_request)
        caller = self.selector.select(credentials, permission, http_request)
        if permission == "market_data" and self._market_data is not None:
            return await self._market_data(http_request, caller, target)
        found = self._routes.find(method, target.segments)
        route, parts = found or (None, {})
        if route is not None:
            target = target.in_brokers_spelling(parts.get("symbol", ""))
        request = AlpacaRequest(
            context=self.context,
            caller=caller,
            method=method,
            target=target,
            headers=read_headers(http_request),
            accepts_gzip=accepts_gzip(http_request.headers.get("Accept-Encoding")),
            body=await http_request.read() if method not in READ_METHODS else b"",
            parts=parts,
            is_connected=_make_connection_check(http_request, method),
        )
        if method not in READ_METHODS and (refusal := find_owner_refusal(request)) is not None:
            raise AlpacaError(refusal)
        is_allowed = partial(self.selector.is_allowed, credentials, caller.label)
        if method == "GET" and target.path == TRADE_EVENTS:
            self._route_counts[method, TRADE_EVENTS] += 1
            return await self._serve_trade_events(http_request, request, is_allowed)
        name = FORWARDED if route is None else route.path
        self._route_counts[method, name] += 1
        if route is None and is_stream_request(request):
            response = await self.streams.serve(http_request, request, is_allowed)
            assert response is not None, "errors are passed on, too"
            return response
        if method in READ_METHODS:
            return await self._read(http_request, request, route)
        return make_response(await self._change(request, route))

    async def _serve_trade_events(
        self, http_request: web.Request, request: AlpacaRequest, is_allowed: Callable[[], bool]
    ) -> web.StreamResponse:
        """Serve events from memory; the broker serves those that reach further back."""
        try:
            return await serve_events(http_request, self.hub, request.caller, is_allowed)
        except EventsUnknown as unknown:
            response = await self.streams.serve(
                http_request, request, is_allowed, needs_success=True
            )
            if response is None:
                raise AlpacaError(unknown.response) from unknown
            return response

    async def _read(
        self,
        http_request: web.Request,
        request: AlpacaRequest,
        route: AlpacaRoute | None,
    ) -> web.Response:
        read = None if route is None else route.read
        response = None if read is None else read(request)
        if response is not None and route is not None and read is not None:
            if request.method == "GET":
                parsed = self._make_cacheable(request, read, response, route)
                http_request[PARSED_REQUEST] = parsed
            return make_response(response)
        complete = as_it_came if route is None else route.complete
        response = await forward_read(request, complete)
        if read is not None and (response.status >= 500 or response.status == 429):
            # The broker could not be asked: what is known is better than nothing, and marked.
            known = read(structs.replace(request, allows_stale=True))
            response = response if known is None else known
        return make_response(response)

    def _make_cacheable(
        self,
        request: AlpacaRequest,
        read: Callable[[AlpacaRequest], ApiResponse | None],
        response: ApiResponse,
        route: AlpacaRoute,
    ) -> ParsedRequest:
        """The same bytes are the same request, as long as the keys in them are valid."""
        principal, label = request.caller.principal, request.label
        keys_version = self.selector.keys_version

        def answer() -> ApiResponse:
            again = None if keys_version != self.selector.keys_version else read(request)
            if again is None:
                raise RealtimeError("not from memory any more")
            return again

        def mark() -> object:
            record = self.context.store.get(label)
            writes = self.context.recent_writes.get_version(label)
            known = None if record is None else (record.version, record.confirmed_at)
            return known, writes, self.selector.keys_version

        return ParsedRequest(
            given=response,
            answer=answer,
            mark=None if route.is_timed else mark,
            route=route.path,
            account_id=None if route.is_timed else label,
            expires_at=principal.expires_at,
            token_id=principal.token_id,
            generation=principal.generation,
        )

    async def _change(self, request: AlpacaRequest, route: AlpacaRoute | None) -> ApiResponse:
        if route is not None and route.change is not None:
            return await route.change(request)
        is_harmless = any(request.target.segments[: len(path)] == path for path in HARMLESS)
        if _is_trading_path(request.target) and not is_harmless:
            raise AlpacaError(no_route())
        if not is_harmless and not request.caller.has_keys:
            raise AlpacaError(error_response(403, KEYS_NEEDED))
        return await forward_change(request, is_halted=not is_harmless)


def _find_permission(method: str, target: Target) -> Permission:
    if method not in READ_METHODS:
        return "trading"
    return "market_data" if is_market_data(target.segments) else "account_access"


def is_market_data(segments: tuple[str, ...]) -> bool:
    """Whether a path is one of Alpaca's data host."""
    version, name = segments[0], segments[1] if len(segments) > 1 else ""
    if name not in MARKET_DATA:
        return False
    return not (version == "v2" and name in ("options", "corporate_actions"))


def _make_connection_check(request: web.Request, method: str) -> Callable[[], bool]:
    if method in READ_METHODS:
        return lambda: True  # a cached read must not keep its first request alive
    return lambda: not (request.transport is None or request.transport.is_closing())


def _is_trading_path(target: Target) -> bool:
    path = target.path.lower()
    return any(word in path for word in TRADING_WORDS)


@web.middleware
async def alpaca_error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors of the layers before the handler into Alpaca's form, on Alpaca's paths."""
    response = await handler(request)
    resource = request.match_info.route.resource
    if resource is None or resource.canonical != CANONICAL_PATH:
        return response
    if not isinstance(response, web.Response) or response.content_type != PROBLEM_TYPE:
        return response
    document = _decode_problem(response.body if isinstance(response.body, bytes) else b"{}")
    message = f"realtime: {document.title}: {document.detail}; {document.remedy}"
    return make_response(error_response(response.status, message))
