"""The table of routes for orders as handlers of the HTTP library."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from realtime.api.context import ApiContext
from realtime.api.contexts import ContextRegistry
from realtime.api.handlers.order_context import OrderRequestContext
from realtime.api.handlers.order_problems import declined_problem, unresolved_problem
from realtime.api.order_routes import TRADE_ROUTES, TradeRoute, trade_paths
from realtime.api.parameters import Parameters
from realtime.api.problems import Problem
from realtime.api.responses import make_response
from realtime.api.security.authenticator import PRINCIPAL, Access, token_problem
from realtime.api.security.origins import check_origin
from realtime.auth.principal import LOCAL, Permission, Principal
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.interface import TradingInterface


def add_trading(
    app: web.Application,
    trading: TradingInterface,
    prefixes: tuple[str, ...],
    api: ApiContext,
    *,
    origins: frozenset[str] = frozenset(),
) -> None:
    """Add every route for orders to the application; pages of `origins` may use all of them."""
    contexts = ContextRegistry(api)
    for route in TRADE_ROUTES:
        handler = _make_handler(route, trading, contexts, origins)
        for path in (prefix + path for prefix in prefixes for path in route.paths):
            if route.method == "GET":
                app.router.add_get(path, handler, allow_head=True)
            else:
                app.router.add_route(route.method, path, handler)


def trade_access(prefixes: tuple[str, ...]) -> Mapping[str, Access]:
    """Return path → access for the security middleware. On a path with reads and orders any valid
    token passes it; the handler below checks the permission of the method."""
    return {path: "trading" if moves else "any" for path, moves in trade_paths(prefixes)}


def _make_handler(
    route: TradeRoute[Any],
    trading: TradingInterface,
    contexts: ContextRegistry,
    origins: frozenset[str],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    parameters = Parameters(route.query)
    permission: Permission = "trading" if route.is_trading else "account_access"

    async def handle(request: web.Request) -> web.StreamResponse:
        principal: Principal = request.get(PRINCIPAL, LOCAL)
        if not principal.has_permission(permission):
            if principal.token_id is None:
                raise token_problem("token_missing", "only reads need no token")
            raise Problem("permission_missing", f"the token lacks the permission `{permission}`")
        if route.reaches_broker:
            check_origin(request, origins)
        api = contexts.get(principal)
        api.route_counts[route.method, route.paths[0]] += 1
        try:
            context = OrderRequestContext(
                api=api,
                trading=trading,
                principal=principal,
                parts=request.match_info,
                query=parameters.read(request.rel_url.raw_query_string),
                body=await request.read() if route.body is not None else b"",
                key=_get_key(request),
            )
            return make_response(await route.handler(context))
        except Declined as error:
            raise declined_problem(error) from error
        except Unresolved as error:
            raise unresolved_problem(error) from error

    return handle


def _get_key(request: web.Request) -> str | None:
    keys = request.headers.getall("Idempotency-Key", [])
    if len(keys) > 1:
        raise malformed("Idempotency-Key occurs more than once")
    return keys[0] if keys else None
