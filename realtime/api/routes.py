"""The route table: what can be asked, with which parameters, and who answers.

The router, the checks of parameters, the index and the OpenAPI document are made from it. A new
route is a new entry.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Generic, TypeVar

from msgspec import Struct

from realtime.api.context import ApiContext, ChangesWith, RequestContext
from realtime.api.documents.accounts import AccountsDocument, AccountsQuery
from realtime.api.documents.dashboard import DashboardDocument
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.health import HealthDocument, HealthQuery
from realtime.api.documents.history import HistoryDocument, HistoryQuery
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.documents.status import StatusDocument, StatusQuery
from realtime.api.documents.summary import SummaryDocument
from realtime.api.events.broadcaster import Subscription
from realtime.api.handlers.account import (
    answer_account,
    answer_dashboard,
    answer_orders,
    answer_positions,
)
from realtime.api.handlers.events import EVENTS, EventsQuery, answer_events
from realtime.api.handlers.fleet import answer_accounts, answer_status
from realtime.api.handlers.history import answer_history, answer_whole_history
from realtime.api.handlers.metrics import answer_metrics
from realtime.api.handlers.probes import Probe, answer_health, answer_livez, answer_readyz
from realtime.api.handlers.summary import answer_summary
from realtime.api.openapi.administration import RELOAD
from realtime.api.openapi.description import describe
from realtime.api.openapi.operations import Operation
from realtime.api.openapi.trading import ALL_KINDS, trade_operations
from realtime.api.parameters import NoQuery
from realtime.api.responses import JSON, ApiResponse
from realtime.api.security.authenticator import Access
from realtime.core.model import Account, Order, Position
from realtime.web.files import EXPLORER, FILES, answer_page, wants_page

PREFIXES = ("", "/api/v1")
"""Every route stands under each of them."""

Query = TypeVar("Query", bound=Struct)


class Route(Struct, Generic[Query], frozen=True, kw_only=True):
    """One thing that can be asked with GET (and HEAD)."""

    paths: tuple[str, ...]
    """The same route under several names; the first is the one we speak of."""
    summary: str
    query: type[Query]
    """The struct whose fields are the parameters: types, bounds, defaults, descriptions."""
    answer: Callable[[ApiContext, RequestContext, Query], ApiResponse | Subscription]
    """A subscription is pushed to until its reader leaves."""
    document: object
    """The type of the JSON answered; None if it is none."""
    events: Mapping[str, type[Struct]] = {}
    """Event → its document, where the answer is a stream of events."""
    media: tuple[str, ...] = ()
    """Other types of content that are answered."""
    access: Access = "account_access"
    """What a reader needs."""
    changes_with: ChangesWith | None = None
    """On what the answer depends beside the request; None: what a request meant is not kept."""
    problems: tuple[str, ...] = ()
    """Codes that this route answers beside `bad_parameter`."""


class IndexEntry(Struct, frozen=True):
    """A route in the index."""

    path: str
    summary: str


class Index(Struct, frozen=True):
    """What there is."""

    name: str
    version: str
    routes: list[IndexEntry]


def answer_index(desk: ApiContext, _: RequestContext, __: NoQuery) -> ApiResponse:
    """The list of routes."""
    entries = [IndexEntry(path, route.summary) for route in ROUTES for path in route.paths]
    body = ENCODER.encode(Index("realtime", desk.version, entries))
    return ApiResponse(
        body=body, headers={"Content-Type": JSON, "Cache-Control": "no-cache", "Vary": "Accept"}
    )


def answer_home(desk: ApiContext, call: RequestContext, query: NoQuery) -> ApiResponse:
    """The live page for browsers, the list of routes for programs."""
    if wants_page(call.accept):
        return answer_page(call.if_none_match)
    return answer_index(desk, call, query)


@cache  # neither the table nor the version changes
def description(version: str) -> bytes:
    """This table, that of the orders and what is for operators as an OpenAPI 3.1 document."""
    told = (*operations(), *trade_operations(), RELOAD)
    return ENCODER.encode(describe(told, version=version, servers=PREFIXES, kinds=ALL_KINDS))


def answer_description(desk: ApiContext, _: RequestContext, __: NoQuery) -> ApiResponse:
    """The table as an OpenAPI 3.1 document."""
    headers = {"Content-Type": JSON, "Cache-Control": "no-cache"}
    return ApiResponse(body=description(desk.version), headers=headers)


def answer_explorer(_: ApiContext, call: RequestContext, __: NoQuery) -> ApiResponse:
    """The page that shows the description and runs calls."""
    return FILES[EXPLORER].answer(call.if_none_match)


NO_DATA = ("starting", "account_unreachable", "account_refused", "account_disabled")

# One type argument an entry, each checked where it is made; the table holds them all.
ROUTES: tuple[Route[Any], ...] = (
    Route(
        paths=("/realtime/dashboard/{account_id}",),
        summary="All of one account: figures, positions, recent orders and how its link stands",
        query=NoQuery,
        answer=answer_dashboard,
        document=DashboardDocument,
        changes_with="account",
        problems=("unknown_account",),
    ),
    Route(
        paths=("/realtime/account/{account_id}",),
        summary="One account's figures as Alpaca gives them",
        query=NoQuery,
        answer=answer_account,
        document=Account,
        changes_with="account",
        problems=("unknown_account", *NO_DATA),
    ),
    Route(
        paths=("/realtime/positions/{account_id}",),
        summary="One account's positions as Alpaca lists them, by symbol",
        query=PositionsQuery,
        answer=answer_positions,
        document=list[Position],
        media=("text/csv",),
        changes_with="account",
        problems=("unknown_account", *NO_DATA),
    ),
    Route(
        paths=("/realtime/orders/{account_id}",),
        summary="One account's orders as Alpaca lists them, newest first",
        query=OrdersQuery,
        answer=answer_orders,
        document=list[Order],
        media=("text/csv",),
        changes_with="account",
        problems=("unknown_account", *NO_DATA),
    ),
    Route(
        paths=("/realtime/accounts",),
        summary="All accounts as a table of figures",
        query=AccountsQuery,
        answer=answer_accounts,
        document=AccountsDocument,
        media=("text/csv",),
        changes_with="fleet",
        problems=("unknown_account",),
    ),
    Route(
        paths=("/realtime/summary",),
        summary="The fleet in a handful of figures",
        query=NoQuery,
        answer=answer_summary,
        document=SummaryDocument,
        changes_with="fleet",
    ),
    Route(
        paths=("/realtime/status", "/websocket/status"),
        summary="How every account's link stands",
        query=StatusQuery,
        answer=answer_status,
        document=StatusDocument,
        changes_with="clock",
    ),
    Route(
        paths=("/realtime/history/_all",),
        summary="The equity of all accounts together over the last day",
        query=HistoryQuery,
        answer=answer_whole_history,
        document=HistoryDocument,
        media=("text/csv",),
    ),
    Route(
        paths=("/realtime/history/{account_id}",),
        summary="One account's equity over the last day",
        query=HistoryQuery,
        answer=answer_history,
        document=HistoryDocument,
        media=("text/csv",),
        problems=("unknown_account",),
    ),
    Route(
        paths=("/realtime/events",),
        summary="What happens, as it happens: a snapshot, then server-sent events",
        query=EventsQuery,
        answer=answer_events,
        document=None,
        events=EVENTS,
        problems=("unknown_account", "too_many_readers"),
    ),
    Route(
        paths=("/health",),
        access="open",
        summary="Whether the fleet as a whole is well",
        query=HealthQuery,
        answer=answer_health,
        document=HealthDocument,
        problems=("starting", "degraded"),
    ),
    Route(
        paths=("/livez",),
        access="open",
        summary="Whether the process answers",
        query=NoQuery,
        answer=answer_livez,
        document=Probe,
    ),
    Route(
        paths=("/readyz",),
        access="open",
        summary="Whether every enabled account has been tried once",
        query=NoQuery,
        answer=answer_readyz,
        document=Probe,
        problems=("starting",),
    ),
    Route(
        paths=("/metrics",),
        access="ops",
        summary="The daemon's figures for Prometheus",
        query=NoQuery,
        answer=answer_metrics,
        document=None,
        media=("text/plain", "application/openmetrics-text"),
    ),
    Route(
        paths=("/openapi.json",),
        access="open",
        summary="This interface as an OpenAPI 3.1 document",
        query=NoQuery,
        answer=answer_description,
        document=dict[str, object],
    ),
    Route(
        paths=("/docs",),
        access="open",
        summary="A page that shows every route and runs calls",
        query=NoQuery,
        answer=answer_explorer,
        document=None,
        media=("text/html",),
    ),
    Route(
        paths=("/realtime",),
        access="docs",
        summary="This list",
        query=NoQuery,
        answer=answer_index,
        document=Index,
    ),
    Route(
        paths=("/",),
        access="open",
        summary="The live page for browsers; this list for programs",
        query=NoQuery,
        answer=answer_home,
        document=Index,
        media=("text/html",),
    ),
)


def operations() -> Iterator[Operation]:
    """The table in the words of the description."""
    for route in ROUTES:
        yield Operation(
            paths=route.paths,
            summary=route.summary,
            query=route.query,
            document=route.document,
            media=route.media,
            events=route.events,
            problems=route.problems,
            is_open=route.access == "open",
            is_conditional=route.changes_with in ("account", "fleet"),
        )


def access_table() -> dict[str, Access]:
    """Path as the router names it → what a reader needs."""
    return {path: route.access for route in ROUTES for path in all_paths(route)}


def all_paths(route: Route[Any]) -> Iterator[str]:
    """Every path of a route, under every prefix."""
    for prefix in PREFIXES:
        for path in route.paths:
            yield prefix + path
