"""HTTP server of the market-data API: credentials, rate limit, faults, route table.

It has its own request budget and no connection with that of the trading API.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

from aiohttp import web

from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.credentials import Credentials
from realtime.simulator.exchange.errors import ApiError
from realtime.simulator.faults.base import RequestFault
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.faults.requests import Latency, RateLimited, ServerError, Unauthorized
from realtime.simulator.faults.sockets import KeyRevoked, Maintenance
from realtime.simulator.market.elements import Fields
from realtime.simulator.market.rest import crypto, options, other_assets, reference, stocks
from realtime.simulator.market.rest.context import DataRequest, Sources
from realtime.simulator.market.settings import REQUESTS_PER_MINUTE
from realtime.simulator.rest import responses
from realtime.simulator.rest.rate_limiter import RateLimiter, RequestBudget
from realtime.simulator.rest.server import KEY_HEADER, SECRET_HEADER

Handler = Callable[[DataRequest], Fields]
Picture = Callable[[DataRequest], bytes]
R = TypeVar("R", bound=RequestFault)


class Route(NamedTuple):
    """A row of the table; all methods are GET. `is_public` needs no key."""

    path: str
    handler: Handler | Picture
    is_public: bool = False


class MarketDataServer:
    """Serves the route table."""

    def __init__(
        self,
        sources: Sources,
        credentials: Credentials,
        faults: FaultRegistry,
        counters: RequestCounters,
        now: Callable[[], float],
    ) -> None:
        self._sources = sources
        self._credentials = credentials
        self._faults_on = faults
        self._counters = counters
        self._limiters = {
            plan: RateLimiter(limit, now) for plan, limit in REQUESTS_PER_MINUTE.items()
        }

    def add_to(self, app: web.Application) -> None:
        """Add the routes to an application, except those that a stream shares."""
        for route in ROUTES:
            app.router.add_get(route.path, partial(self.serve, route))

    async def serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        """Handle one request."""
        key, secret = request.headers.get(KEY_HEADER), request.headers.get(SECRET_HEADER)
        label = self._credentials.owner(key)
        self._counters.count(label, "data_requests")
        if self._faults_on.active(Maintenance, label):
            return responses.html_error(503)
        if slow := self._trigger(Latency, label, request):
            await asyncio.sleep(slow.seconds)
        is_anonymous = route.is_public and key is None and secret is None
        if not is_anonymous and (refused := self._check_credentials(request, key, secret)):
            return refused
        plan = self._sources.settings.plan_of(label)
        budget = self._limiters[plan].acquire(label or "anonymous")
        if not budget.allowed or self._trigger(RateLimited, label, request):
            self._counters.count(label, "data_limited")
            error = responses.json_error({"message": "too many requests."}, 429)
            return self._with_budget(error, budget)
        if broken := self._trigger(ServerError, label, request):
            return responses.error_response(broken.status)
        self._sources.tape.start()
        params = dict(request.match_info)
        context = DataRequest(self._sources, label, params, dict(request.query))
        try:
            return self._with_budget(_make_response(route.handler(context)), budget)
        except ApiError as error:
            return self._with_budget(responses.json_error(error.body, error.status), budget)

    def _check_credentials(
        self, request: web.Request, key: str | None, secret: str | None
    ) -> web.Response | None:
        label = self._credentials.check(key, secret)
        wrong = label is None or self._faults_on.active(KeyRevoked, label) is not None
        if fault := self._trigger(Unauthorized, label, request):
            return responses.unauthorized(html=fault.html)
        if not wrong:
            return None
        status = self._sources.settings.bad_key_status
        if status == 401:
            return responses.unauthorized()
        return responses.json_error({"message": "forbidden."}, status)

    def _trigger(self, kind: type[R], label: str | None, request: web.Request) -> R | None:
        return self._faults_on.trigger_request(kind, label, request.method, request.path)

    def _with_budget(self, response: web.Response, budget: RequestBudget) -> web.Response:
        return responses.with_budget(response, budget, self._sources.clock())


def _make_response(content: Fields | bytes) -> web.Response:
    if isinstance(content, bytes):
        return web.Response(body=content, content_type="image/png")
    return responses.json_response(content)


def _single(handler: Handler, name: str) -> Handler:
    """Return the handler of a single-symbol route."""

    def handle(request: DataRequest) -> Fields:
        return stocks.single(request, handler(stocks.with_symbol(request)), name)

    return handle


_STOCKS = {
    "bars": stocks.bars,
    "trades": stocks.trades,
    "quotes": stocks.quotes,
    "auctions": stocks.auctions,
}
_LATEST_STOCKS = {
    "bar": stocks.latest_bars,
    "trade": stocks.latest_trades,
    "quote": stocks.latest_quotes,
}
_CRYPTO = {
    "bars": crypto.bars,
    "trades": crypto.trades,
    "quotes": crypto.quotes,
    "latest/bars": crypto.latest_bars,
    "latest/trades": crypto.latest_trades,
    "latest/quotes": crypto.latest_quotes,
    "latest/orderbooks": crypto.latest_orderbooks,
    "snapshots": crypto.snapshots,
}

NEWS = Route("/v1beta1/news", lambda request: request.sources.news.page(request.query))

ROUTES: tuple[Route, ...] = (
    Route("/v2/stocks/meta/conditions/{ticktype}", reference.stock_conditions),
    Route("/v2/stocks/meta/exchanges", reference.stock_exchanges),
    *(Route(f"/v2/stocks/{name}", handler) for name, handler in _STOCKS.items()),
    *(Route(f"/v2/stocks/{name}s/latest", handler) for name, handler in _LATEST_STOCKS.items()),
    Route("/v2/stocks/snapshots", stocks.snapshots),
    *(
        Route(f"/v2/stocks/{{symbol}}/{name}", _single(handler, name))
        for name, handler in _STOCKS.items()
    ),
    *(
        Route(f"/v2/stocks/{{symbol}}/{name}s/latest", _single(handler, name))
        for name, handler in _LATEST_STOCKS.items()
    ),
    Route("/v2/stocks/{symbol}/snapshot", _single(stocks.snapshots, "snapshot")),
    *(
        Route(f"/v1beta3/crypto/{{loc}}/{name}", handler, is_public=True)
        for name, handler in _CRYPTO.items()
    ),
    Route("/v1beta1/options/bars", options.bars),
    Route("/v1beta1/options/trades", options.trades),
    Route("/v1beta1/options/trades/latest", options.latest_trades),
    Route("/v1beta1/options/quotes/latest", options.latest_quotes),
    Route("/v1beta1/options/meta/conditions/{ticktype}", reference.option_conditions),
    Route("/v1beta1/options/meta/exchanges", reference.option_exchanges),
    Route("/v1beta1/options/snapshots", options.snapshots),
    Route("/v1beta1/options/snapshots/{underlying}", options.chain),
    Route("/v1beta1/screener/stocks/most-actives", reference.most_actives),
    Route("/v1beta1/screener/{market_type}/movers", reference.movers),
    Route(
        "/v1/corporate-actions",
        lambda request: request.sources.corporate_actions.page(request.query),
    ),
    Route("/v1beta1/forex/latest/rates", other_assets.latest_rates),
    Route("/v1beta1/forex/rates", other_assets.rates),
    Route("/v1beta1/indices/latest/values", other_assets.latest_values),
    Route("/v1beta1/indices/values", other_assets.values),
    Route("/v1beta1/fixed_income/latest/prices", other_assets.latest_bond_prices),
    Route("/v1beta1/fixed_income/latest/quotes", other_assets.latest_bond_quotes),
    Route("/v1beta1/logos/{symbol}", other_assets.logo),
    *(
        Route(f"/v1beta1/crypto-perps/{{loc}}/latest/{name}", other_assets.perp(name))
        for name in ("bars", "quotes", "trades", "orderbooks", "pricing")
    ),
)
