"""The table of routes that move money in the words of the description."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from realtime.api.handlers.liquidation import LiquidationDocument
from realtime.api.handlers.order_placement import BatchItem
from realtime.api.handlers.order_problems import ORDER_PROBLEMS
from realtime.api.openapi.operations import Method, Operation
from realtime.api.order_routes import ORDER_ROUTES, CanceledItem, PlacedOrder
from realtime.api.problems import PROBLEM_TYPES, ProblemType
from realtime.api.route import Route

ALL_KINDS: Mapping[str, ProblemType] = {**PROBLEM_TYPES, **ORDER_PROBLEMS}
"""Every problem that any route answers."""


PLACED = (PlacedOrder, list[BatchItem])


def trade_operations() -> Iterator[Operation]:
    """What can be asked under `/orders`, `/positions` and their like."""
    for route in ORDER_ROUTES:
        yield Operation(
            method=cast(Method, route.method.lower()),
            paths=route.paths,
            summary=route.summary,
            query=route.query,
            document=route.document,
            body=route.body,
            statuses=_statuses(route),
            is_repeatable=route.method != "GET" and route.document in PLACED,
            problems=route.problems,
        )


def _statuses(route: Route[Any]) -> tuple[int, ...]:
    """207: not all went well; 202: it goes on."""
    if route.document is None:
        return (204,)
    if route.document == list[CanceledItem]:
        return (207,)
    if route.document == list[BatchItem]:
        return (200, 207)
    closes = route.document is LiquidationDocument and route.paths[0].startswith("/positions")
    return (200, 202) if closes else (200,)
