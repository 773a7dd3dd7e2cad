"""The table of Alpaca's routes that are served here. Every other path is passed on.

A read has a function that answers from memory, or None where the answer may reach beyond what is
known, or may be behind; then the request is passed on. A change has a handler that uses the
gateway.
"""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from realtime.api.alpaca import (
    market_reads,
    order_changes,
    order_reads,
    position_changes,
    reads,
)
from realtime.api.alpaca.forwarding import Complete
from realtime.api.alpaca.requests import AlpacaRequest
from realtime.api.responses import ApiResponse

ReadFromMemory = Callable[[AlpacaRequest], ApiResponse | None]
"""Returns the answer; None: the broker must give it."""

Change = Callable[[AlpacaRequest], Awaitable[ApiResponse]]


def as_it_came(request: AlpacaRequest, response: ApiResponse, sent_at: float) -> ApiResponse:
    """Return the broker's answer."""
    return response


class AlpacaRoute(Struct, frozen=True, kw_only=True):
    """One method of one resource of Alpaca."""

    method: str
    path: str
    """Segments; `{name}` is one of them, `{name+}` one or two."""
    read: ReadFromMemory | None = None
    complete: Complete = as_it_came
    is_timed: bool = False
    """Whether the answer from memory depends on the time, and not on the account's version."""
    change: Change | None = None


ROUTES: tuple[AlpacaRoute, ...] = (
    AlpacaRoute(
        method="GET", path="/v2/account", read=reads.get_account, complete=reads.complete_account
    ),
    AlpacaRoute(method="GET", path="/v2/positions", read=reads.get_positions),
    AlpacaRoute(method="GET", path="/v2/positions/{symbol+}", read=reads.get_position),
    AlpacaRoute(method="GET", path="/v2/orders", read=order_reads.get_orders),
    AlpacaRoute(
        method="GET",
        path="/v2/orders:by_client_order_id",
        read=order_reads.get_by_client_order_id,
        complete=order_reads.complete_missing,
    ),
    AlpacaRoute(
        method="GET",
        path="/v2/orders/{order_id}",
        read=order_reads.get_order,
        complete=order_reads.complete_missing,
    ),
    AlpacaRoute(
        method="GET",
        path="/v2/clock",
        read=market_reads.get_clock,
        complete=market_reads.keep_clock,
        is_timed=True,
    ),
    AlpacaRoute(
        method="GET",
        path="/v2/calendar",
        read=market_reads.get_calendar,
        complete=market_reads.keep_calendar,
        is_timed=True,
    ),
    AlpacaRoute(
        method="GET",
        path="/v2/assets",
        read=market_reads.get_asset,
        complete=market_reads.keep_asset,
        is_timed=True,
    ),
    AlpacaRoute(
        method="GET",
        path="/v2/assets/{symbol+}",
        read=market_reads.get_asset,
        complete=market_reads.keep_asset,
        is_timed=True,
    ),
    AlpacaRoute(method="POST", path="/v2/orders", change=order_changes.place_order),
    AlpacaRoute(method="DELETE", path="/v2/orders", change=order_changes.cancel_all_orders),
    AlpacaRoute(method="PATCH", path="/v2/orders/{order_id}", change=order_changes.replace_order),
    AlpacaRoute(method="DELETE", path="/v2/orders/{order_id}", change=order_changes.cancel_order),
    AlpacaRoute(method="DELETE", path="/v2/positions", change=position_changes.close_all_positions),
    AlpacaRoute(
        method="DELETE", path="/v2/positions/{symbol+}", change=position_changes.close_position
    ),
    AlpacaRoute(
        method="POST", path="/v2/positions/{symbol}/exercise", change=position_changes.exercise
    ),
    AlpacaRoute(
        method="POST",
        path="/v2/positions/{symbol}/do-not-exercise",
        change=position_changes.exercise,
    ),
)


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: tuple[AlpacaRoute, ...]) -> None:
        self._routes: dict[tuple[str, str], list[tuple[tuple[str, ...], AlpacaRoute]]] = {}
        for route in routes:
            segments = tuple(route.path[1:].split("/"))
            self._routes.setdefault((route.method, "/".join(segments[:2])), []).append(
                (segments, route)
            )

    def find(
        self, method: str, segments: tuple[str, ...]
    ) -> tuple[AlpacaRoute, Mapping[str, str]] | None:
        """Return the route and its path parameters; None if there is none."""
        method = "GET" if method == "HEAD" else method
        for pattern, route in self._routes.get((method, "/".join(segments[:2])), ()):
            parts = _match(pattern, segments)
            if parts is not None:
                return route, parts
        return None


def _match(pattern: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    parts: dict[str, str] = {}
    takes_two = pattern[-1].endswith("+}") and len(segments) == len(pattern) + 1
    if len(segments) != len(pattern) + takes_two:
        return None
    if takes_two:
        segments = (*segments[:-2], f"{segments[-2]}/{segments[-1]}")
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            parts[expected.strip("{+}")] = segment
        elif expected != segment:
            return None
    return parts
