"""Route table of the trading API: which method of the exchange handles which request.

Faults, credentials and the rate limit are in `server.py`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from realtime.simulator.exchange.engine import ApiError, Exchange
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.faults.requests import LaggingActivities, LaggingPositions, StaleOrders
from realtime.simulator.rest.option_contracts import get_contract, list_contracts
from realtime.simulator.rest.stale_reads import StateHistory, filter_recent

Document = dict[str, object]


class RouteContext(NamedTuple):
    """What handlers work with: the exchange, and its history for stale reads."""

    exchange: Exchange
    history: StateHistory
    faults: FaultRegistry
    clock: Callable[[], int]


class RequestContext(NamedTuple):
    """One parsed request. `body` is the decoded JSON, None without one."""

    context: RouteContext
    label: str
    method: str
    route: str
    path_params: Mapping[str, str]
    query: dict[str, str]
    body: object

    @property
    def exchange(self) -> Exchange:
        """Shortcut to the exchange."""
        return self.context.exchange


class Route(NamedTuple):
    """A row of the table. `handler` returns the body, or None for an empty one."""

    method: str
    path: str
    handler: Callable[[RequestContext], object]
    status: int = 200


def positions(request: RequestContext) -> list[Document]:
    """Return all positions, stale if that fault is on."""
    faults = request.context.faults
    if late := faults.trigger_request(
        LaggingPositions, request.label, request.method, request.route
    ):
        return request.context.history.positions(request.label, late.seconds)
    return request.exchange.positions(request.label)


def position(request: RequestContext) -> Document:
    """Return one position by symbol or asset id, stale if that fault is on."""
    wanted = request.path_params["symbol"]
    faults = request.context.faults
    if late := faults.trigger_request(
        LaggingPositions, request.label, request.method, request.route
    ):
        plain = wanted.replace("/", "").upper()
        for document in request.context.history.positions(request.label, late.seconds):
            if plain == document["symbol"] or wanted == document["asset_id"]:
                return document
        return request.exchange.position(request.label, "no such position")
    return request.exchange.position(request.label, wanted)


def close_position(request: RequestContext) -> Document:
    """Close all of a position or a part of it."""
    qty, percentage = request.query.get("qty"), request.query.get("percentage")
    symbol = request.path_params["symbol"]
    return request.exchange.close_position(request.label, symbol, qty=qty, percentage=percentage)


def close_all_positions(request: RequestContext) -> list[Document]:
    """Close all positions."""
    cancel = parse_flag(request.query, "cancel_orders")
    return request.exchange.close_all_positions(request.label, cancel_orders=cancel)


def orders(request: RequestContext) -> list[Document]:
    """Return a list of orders, stale if that fault is on."""
    faults = request.context.faults
    if late := faults.trigger_request(StaleOrders, request.label, request.method, request.route):
        return request.context.history.orders(request.label, request.query, late.seconds)
    return request.exchange.orders(request.label, request.query)


def order(request: RequestContext) -> Document:
    """Return one order by its id."""
    nested = parse_flag(request.query, "nested")
    return request.exchange.order(request.label, request.path_params["order_id"], nested=nested)


def order_by_client_order_id(request: RequestContext) -> Document:
    """Return one order by its client order id."""
    wanted = request.query.get("client_order_id", "")
    return request.exchange.order_by_client_order_id(request.label, wanted)


def submit(request: RequestContext) -> Document:
    """Place an order."""
    return request.exchange.submit(request.label, request.body)


def replace(request: RequestContext) -> Document:
    """Replace an order."""
    return request.exchange.replace(request.label, request.path_params["order_id"], request.body)


def cancel(request: RequestContext) -> None:
    """Cancel an order."""
    request.exchange.cancel(request.label, request.path_params["order_id"])


def activities(request: RequestContext) -> list[Document]:
    """Return activities of all types or of one; recent ones are missing if that fault is on."""
    kind = request.path_params.get("activity_type")
    items = request.exchange.activities(request.label, request.query, kind)
    faults = request.context.faults
    if late := faults.trigger_request(
        LaggingActivities, request.label, request.method, request.route
    ):
        return filter_recent(items, request.context.clock, late.seconds)
    return items


def patch_configurations(request: RequestContext) -> Document:
    """Change the account's configuration."""
    if not isinstance(request.body, dict):
        raise _malformed("request body format is invalid")
    return request.exchange.patch_configurations(request.label, request.body)


def parse_flag(query: Mapping[str, str], name: str) -> bool:
    """Return a boolean query parameter; absent is false. Raises ApiError for other words."""
    match query.get(name, "").lower():
        case "true" | "t" | "1":
            return True
        case "" | "false" | "f" | "0":
            return False
        case other:
            raise _malformed(f"invalid {name}: {other[:40]}")


def _malformed(message: str) -> ApiError:
    return ApiError(422, {"code": 40010001, "message": message})


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v2/account", lambda request: request.exchange.account(request.label)),
    Route(
        "GET",
        "/v2/account/configurations",
        lambda request: request.exchange.configurations(request.label),
    ),
    Route("PATCH", "/v2/account/configurations", patch_configurations),
    Route("GET", "/v2/account/activities", activities),
    Route("GET", "/v2/account/activities/{activity_type}", activities),
    Route(
        "GET",
        "/v2/account/portfolio/history",
        lambda request: request.exchange.portfolio_history(request.label, request.query),
    ),
    Route("GET", "/v2/positions", positions),
    Route("DELETE", "/v2/positions", close_all_positions, 207),
    Route("GET", "/v2/positions/{symbol}", position),
    Route("DELETE", "/v2/positions/{symbol}", close_position),
    Route("GET", "/v2/orders", orders),
    Route("POST", "/v2/orders", submit),
    Route("DELETE", "/v2/orders", lambda request: request.exchange.cancel_all(request.label), 207),
    Route("GET", "/v2/orders:by_client_order_id", order_by_client_order_id),
    Route("GET", "/v2/orders/{order_id}", order),
    Route("PATCH", "/v2/orders/{order_id}", replace),
    Route("DELETE", "/v2/orders/{order_id}", cancel, 204),
    Route("GET", "/v2/clock", lambda request: request.exchange.clock()),
    Route("GET", "/v2/calendar", lambda request: request.exchange.calendar(request.query)),
    Route("GET", "/v2/assets", lambda request: request.exchange.assets(request.query)),
    Route(
        "GET",
        "/v2/assets/{symbol}",
        lambda request: request.exchange.asset(request.path_params["symbol"]),
    ),
    Route(
        "GET",
        "/v2/options/contracts",
        lambda request: list_contracts(request.exchange, request.query),
    ),
    Route(
        "GET",
        "/v2/options/contracts/{symbol}",
        lambda request: get_contract(request.exchange, request.path_params["symbol"]),
    ),
)
