"""The route tables in the words of the description: all that it needs to know of a route."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, cast

from msgspec import Struct

from realtime.api.handlers.liquidation import LiquidationDocument
from realtime.api.handlers.market_problems import MARKET_PROBLEMS
from realtime.api.handlers.order_placement import BatchItem
from realtime.api.handlers.order_problems import ORDER_PROBLEMS
from realtime.api.order_routes import CanceledItem, PlacedOrder
from realtime.api.problems import PROBLEM_TYPES, ProblemType
from realtime.api.route import Route

Method = Literal["get", "post", "patch", "delete"]

ALL_KINDS: Mapping[str, ProblemType] = {
    **PROBLEM_TYPES,
    **MARKET_PROBLEMS,
    **ORDER_PROBLEMS,
}
"""Every problem that any route answers."""

PLACED = (PlacedOrder, list[BatchItem])


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one route."""

    method: Method
    paths: tuple[str, ...]
    summary: str
    query: type[Struct]
    """The struct whose fields are the parameters."""
    document: object
    """The type of the JSON answered; None if it is none."""
    media: tuple[str, ...] = ()
    """Other types of content that are answered."""
    events: Mapping[str, type[Struct]] = {}
    """Event → its document, where the answer is a stream of events."""
    body: type[Struct] | None = None
    """The type of the JSON sent; None if there is none."""
    statuses: tuple[int, ...] = (200,)
    """Of answers that are no problems."""
    problems: tuple[str, ...] = ()
    is_open: bool = False
    """Whether it needs no token where tokens are needed."""
    is_conditional: bool = False
    """Whether it knows `If-None-Match`."""
    is_repeatable: bool = False
    """Whether it knows `Idempotency-Key`."""


def to_operations(routes: Iterable[Route[Any]]) -> Iterator[Operation]:
    """Routes as operations of the OpenAPI document."""
    for route in routes:
        yield Operation(
            method=cast(Method, route.method.lower()),
            paths=route.paths,
            summary=route.summary,
            query=route.query,
            document=route.document,
            media=route.media,
            events=route.events,
            body=route.body,
            statuses=_statuses(route),
            problems=route.problems,
            is_open=route.access == "open",
            is_conditional=route.changes_with in ("account", "fleet"),
            is_repeatable=route.method != "GET" and route.document in PLACED,
        )


def _statuses(route: Route[Any]) -> tuple[int, ...]:
    """204: nothing is answered; 207: not all went well; 202: it goes on."""
    if route.document is None and not (route.media or route.events):
        return (204,)
    if route.document == list[CanceledItem]:
        return (207,)
    if route.document == list[BatchItem]:
        return (200, 207)
    closes = route.document is LiquidationDocument and route.paths[0].startswith("/positions")
    return (200, 202) if closes else (200,)
