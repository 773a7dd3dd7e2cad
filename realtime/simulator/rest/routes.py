"""The routes of the trading API: which call of the exchange answers which request.

Faults, credentials and the rate limit are the gate's business (`rest.py`); here is only the table.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from realtime.simulator.exchange.engine import Exchange, Refusal
from realtime.simulator.faults.registry import Switchboard
from realtime.simulator.faults.requests import LaggingActivities, LaggingPositions, StaleOrders
from realtime.simulator.rest.option_contracts import list_contracts, one_contract
from realtime.simulator.rest.stale_reads import Past, hide_recent

Document = dict[str, object]


class Broker(NamedTuple):
    """What answers: the exchange, and its past for the answers that lag."""

    exchange: Exchange
    past: Past
    board: Switchboard
    clock: Callable[[], int]


class Call(NamedTuple):
    """One request, parsed. `body` is whatever JSON came, None without one."""

    broker: Broker
    label: str
    method: str
    route: str
    parts: Mapping[str, str]
    query: dict[str, str]
    body: object

    @property
    def exchange(self) -> Exchange:
        """The exchange, for short."""
        return self.broker.exchange


class Route(NamedTuple):
    """A row of the table. `answer` gives the body, or None for an empty one."""

    method: str
    path: str
    answer: Callable[[Call], object]
    status: int = 200


def positions(call: Call) -> list[Document]:
    """Every position, possibly late."""
    board = call.broker.board
    if late := board.strike_request(LaggingPositions, call.label, call.method, call.route):
        return call.broker.past.positions(call.label, late.seconds)
    return call.exchange.positions(call.label)


def position(call: Call) -> Document:
    """One position, possibly late: then by symbol or asset id among the late ones."""
    wanted = call.parts["symbol"]
    board = call.broker.board
    if late := board.strike_request(LaggingPositions, call.label, call.method, call.route):
        plain = wanted.replace("/", "").upper()
        for each in call.broker.past.positions(call.label, late.seconds):
            if plain == each["symbol"] or wanted == each["asset_id"]:
                return each
        return call.exchange.position(call.label, "no such position")
    return call.exchange.position(call.label, wanted)


def close_position(call: Call) -> Document:
    """Close all of a position or a part of it."""
    qty, percentage = call.query.get("qty"), call.query.get("percentage")
    symbol = call.parts["symbol"]
    return call.exchange.close_position(call.label, symbol, qty=qty, percentage=percentage)


def close_all_positions(call: Call) -> list[Document]:
    """Close everything."""
    cancel = flag(call.query, "cancel_orders")
    return call.exchange.close_all_positions(call.label, cancel_orders=cancel)


def orders(call: Call) -> list[Document]:
    """A list of orders, possibly late."""
    board = call.broker.board
    if late := board.strike_request(StaleOrders, call.label, call.method, call.route):
        return call.broker.past.orders(call.label, call.query, late.seconds)
    return call.exchange.orders(call.label, call.query)


def order(call: Call) -> Document:
    """One order by its id."""
    nested = flag(call.query, "nested")
    return call.exchange.order(call.label, call.parts["order_id"], nested=nested)


def order_by_client_order_id(call: Call) -> Document:
    """One order by the client's own id."""
    wanted = call.query.get("client_order_id", "")
    return call.exchange.order_by_client_order_id(call.label, wanted)


def submit(call: Call) -> Document:
    """Place an order."""
    return call.exchange.submit(call.label, call.body)


def replace(call: Call) -> Document:
    """Replace an order."""
    return call.exchange.replace(call.label, call.parts["order_id"], call.body)


def cancel(call: Call) -> None:
    """Cancel an order."""
    call.exchange.cancel(call.label, call.parts["order_id"])


def activities(call: Call) -> list[Document]:
    """Activities of all types or of one, possibly late."""
    kind = call.parts.get("activity_type")
    items = call.exchange.activities(call.label, call.query, kind)
    board = call.broker.board
    if late := board.strike_request(LaggingActivities, call.label, call.method, call.route):
        return hide_recent(items, call.broker.clock, late.seconds)
    return items


def patch_configurations(call: Call) -> Document:
    """Change the account's configuration."""
    if not isinstance(call.body, dict):
        raise _malformed("request body format is invalid")
    return call.exchange.patch_configurations(call.label, call.body)


def flag(query: Mapping[str, str], name: str) -> bool:
    """A boolean query parameter, absent means false; anything unclear is refused."""
    match query.get(name, "").lower():
        case "true" | "t" | "1":
            return True
        case "" | "false" | "f" | "0":
            return False
        case other:
            raise _malformed(f"invalid {name}: {other[:40]}")


def _malformed(message: str) -> Refusal:
    return Refusal(422, {"code": 40010001, "message": message})


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v2/account", lambda call: call.exchange.account(call.label)),
    Route(
        "GET", "/v2/account/configurations", lambda call: call.exchange.configurations(call.label)
    ),
    Route("PATCH", "/v2/account/configurations", patch_configurations),
    Route("GET", "/v2/account/activities", activities),
    Route("GET", "/v2/account/activities/{activity_type}", activities),
    Route(
        "GET",
        "/v2/account/portfolio/history",
        lambda call: call.exchange.portfolio_history(call.label, call.query),
    ),
    Route("GET", "/v2/positions", positions),
    Route("DELETE", "/v2/positions", close_all_positions, 207),
    Route("GET", "/v2/positions/{symbol}", position),
    Route("DELETE", "/v2/positions/{symbol}", close_position),
    Route("GET", "/v2/orders", orders),
    Route("POST", "/v2/orders", submit),
    Route("DELETE", "/v2/orders", lambda call: call.exchange.cancel_all(call.label), 207),
    Route("GET", "/v2/orders:by_client_order_id", order_by_client_order_id),
    Route("GET", "/v2/orders/{order_id}", order),
    Route("PATCH", "/v2/orders/{order_id}", replace),
    Route("DELETE", "/v2/orders/{order_id}", cancel, 204),
    Route("GET", "/v2/clock", lambda call: call.exchange.clock()),
    Route("GET", "/v2/calendar", lambda call: call.exchange.calendar(call.query)),
    Route("GET", "/v2/assets", lambda call: call.exchange.assets(call.query)),
    Route("GET", "/v2/assets/{symbol}", lambda call: call.exchange.asset(call.parts["symbol"])),
    Route("GET", "/v2/options/contracts", lambda call: list_contracts(call.exchange, call.query)),
    Route(
        "GET",
        "/v2/options/contracts/{symbol}",
        lambda call: one_contract(call.exchange, call.parts["symbol"]),
    ),
)
