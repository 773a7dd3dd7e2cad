"""What a route is: the entries of the tables in `routes.py` (reads) and `order_routes.py`."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from realtime.api.context import ChangesWith, RequestContext
from realtime.api.events.broadcaster import Subscription
from realtime.api.history.request import HistoryRequest
from realtime.api.responses import ApiResponse
from realtime.api.security.authenticator import Access
from realtime.auth.principal import Permission

Method = Literal["GET", "POST", "PATCH", "DELETE"]

PREFIXES = ("", "/api/v1")
"""Every route exists under each of them."""

Query = TypeVar("Query", bound=Struct)

Handler = Callable[
    [RequestContext[Query]],
    ApiResponse | Subscription | HistoryRequest | Awaitable[ApiResponse | HistoryRequest],
]
"""A subscription receives events until its client leaves; a history request is fetched. Only a
response that is returned at once can be cached."""


class Route(Struct, Generic[Query], frozen=True, kw_only=True):
    """One method of one resource; HEAD comes with each GET."""

    method: Method = "GET"
    paths: tuple[str, ...]
    """The same route under several names; the documentation uses the first."""
    summary: str
    query: type[Query]
    """The struct whose fields are the parameters: types, bounds, defaults, descriptions."""
    handler: Handler[Query]
    document: object
    """The type of the JSON in the response; None if it is not JSON."""
    events: Mapping[str, type[Struct]] = {}
    """Event → its document, where the response is a stream of events."""
    media: tuple[str, ...] = ()
    """Further content types of the response."""
    access: Access = "account_access"
    """The permission that a client needs."""
    changes_with: ChangesWith | None = None
    """What the response depends on beside the request; None: the request is never cached."""
    problems: tuple[str, ...] = ()
    """Codes of errors beside `bad_parameter`."""
    body: type[Struct] | None = None
    """The type of the JSON body; None if there is none."""
    reaches_broker: Callable[[Query], bool] = lambda _: False
    """Whether a read may cost a request to the broker: then no page of another origin may send it,
    or any page open in a browser could use up what orders need."""
    passes_query: bool = False
    """Whether the parameters go to the broker as they came; `query` only describes them."""

    at_owner: bool = False
    """Whether only the daemon can answer that keeps the account in sync; any other passes the
    request on to it."""

    @property
    def permission(self) -> Permission | None:
        """What the dispatcher checks where the methods of a path differ; None: the middleware has
        checked `access`."""
        if self.access != "any":
            return None
        return "account_access" if self.method == "GET" else "trading"


def access_table(routes: Iterable[Route[Any]]) -> dict[str, Access]:
    """Path as the router names it → what a client needs. On a path with reads and orders any valid
    token passes; the dispatcher checks the permission of the method."""
    table: dict[str, Access] = {}
    for path, found in _by_path(routes).items():
        moves_money = all(route.permission == "trading" for route in found)
        table[path] = "trading" if moves_money else found[0].access
    return table


def all_paths(route: Route[Any]) -> Iterator[str]:
    """Every path of a route, under every prefix."""
    for prefix in PREFIXES:
        for path in route.paths:
            yield prefix + path


def _by_path(routes: Iterable[Route[Any]]) -> dict[str, list[Route[Any]]]:
    found: dict[str, list[Route[Any]]] = {}
    for route in routes:
        for path in all_paths(route):
            found.setdefault(path, []).append(route)
    return found
