"""The table of trading routes as the HTTP library's handlers."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from realtime.api.context import ApiContext
from realtime.api.contexts import ContextRegistry
from realtime.api.handlers.order_access import reader_of, who_asks
from realtime.api.handlers.order_context import OrderRequestContext
from realtime.api.handlers.order_problems import of_declined, of_unresolved
from realtime.api.order_routes import TRADE_ROUTES, TradeRoute
from realtime.api.parameters import Parameters
from realtime.api.problems import Problem
from realtime.api.responses import make_response
from realtime.auth.principal import Permission
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.interface import TradingInterface


def add_trading(
    app: web.Application, trading: TradingInterface, prefixes: tuple[str, ...], desk: ApiContext
) -> None:
    """Give the application every trading route."""
    desks = ContextRegistry(desk)
    for route in TRADE_ROUTES:
        endpoint = _endpoint(route, trading, desks)
        for path in (prefix + path for prefix in prefixes for path in route.paths):
            if route.method == "GET":
                app.router.add_get(path, endpoint, allow_head=True)
            else:
                app.router.add_route(route.method, path, endpoint)


def _endpoint(
    route: TradeRoute[Any], trading: TradingInterface, desks: ContextRegistry
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    parameters = Parameters(route.query)

    async def endpoint(request: web.Request) -> web.StreamResponse:
        reader = reader_of(request)
        wanted: Permission = "trading" if route.is_trading else "account_access"
        if not reader.has_permission(wanted):
            raise Problem("permission_missing", f"the token lacks the permission `{wanted}`")
        asked = OrderRequestContext(
            desk=desks.get(reader),
            trading=trading,
            principal=who_asks(request),
            parts=request.match_info,
            query=parameters.read(request.rel_url.raw_query_string),
            body=await request.read() if route.body is not None else b"",
            key=request.headers.get("Idempotency-Key"),
        )
        try:
            return make_response(await route.answer(asked))
        except Declined as no:
            raise of_declined(no) from no
        except Unresolved as lost:
            raise of_unresolved(lost) from lost

    return endpoint
