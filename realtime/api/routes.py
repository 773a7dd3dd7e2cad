"""The table of read routes: path, parameters, handler, document.

The router, the validation of parameters, the index and the OpenAPI document are made from it. A
new route is a new entry. The routes for orders are in `order_routes.py`.
"""

from functools import cache
from typing import Any

from msgspec import Struct

from realtime.analytics.book_report import BooksDocument
from realtime.analytics.compare.documents import CompareDocument, SeriesDocument
from realtime.analytics.report_card import ReportDocument
from realtime.api.context import RequestContext
from realtime.api.documents.accounts import AccountsDocument, AccountsQuery
from realtime.api.documents.alerts import AlertDocument, AlertsDocument
from realtime.api.documents.dashboard import DashboardDocument, DashboardQuery
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.health import HealthDocument, HealthQuery
from realtime.api.documents.history import FleetHistoryQuery, HistoryDocument, HistoryQuery
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.documents.status import StatusDocument, StatusQuery
from realtime.api.documents.summary import SummaryDocument
from realtime.api.handlers.account import (
    get_account,
    get_dashboard,
    get_orders,
    get_positions,
)
from realtime.api.handlers.alerts import AlertsQuery, HideQuery, get_alerts, hide_alert
from realtime.api.handlers.broker import (
    BrokerOrdersQuery,
    BrokerPositionsQuery,
    BrokerQuery,
    RefreshDocument,
    RefreshQuery,
    get_broker_account,
    get_broker_orders,
    get_broker_positions,
    invalidate_cache,
    reads_broker_first,
    refresh_account,
)
from realtime.api.handlers.compare import (
    CompareQuery,
    get_books,
    get_comparison,
    get_comparison_csv,
    get_comparison_series,
    get_returns,
    reads_benchmark,
)
from realtime.api.handlers.events import EVENTS, EventsQuery, subscribe
from realtime.api.handlers.fleet import get_accounts, get_status, get_summary
from realtime.api.handlers.history import get_fleet_history, get_history
from realtime.api.handlers.past import (
    AsOfQuery,
    PastEquityQuery,
    PastEventsQuery,
    PastTradesQuery,
    PerformanceQuery,
    ReportQuery,
    SymbolsQuery,
    get_past_equity,
    get_past_events,
    get_past_trades,
    get_performance,
    get_report,
    get_symbols,
)
from realtime.api.handlers.probes import Probe, get_health, get_livez, get_metrics, get_readyz
from realtime.api.market_routes import MARKET_ROUTES
from realtime.api.openapi.administration import ADMINISTRATION
from realtime.api.openapi.description import describe
from realtime.api.openapi.llms import format_llms_text
from realtime.api.openapi.operations import ALL_KINDS, to_operations
from realtime.api.order_routes import ORDER_ROUTES
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse
from realtime.api.route import PREFIXES, Route
from realtime.core.model import Account, Order, Position
from realtime.history.performance import Performance, SymbolResult
from realtime.history.queries import EquityCurve, PastEvent, Trade


class IndexEntry(Struct, frozen=True):
    """A route in the index."""

    path: str
    summary: str


class Index(Struct, frozen=True):
    """The list of routes."""

    name: str
    version: str
    routes: list[IndexEntry]


def get_index(request: RequestContext[NoQuery]) -> ApiResponse:
    """The list of routes."""
    market_routes = () if request.context.market_rest is None else MARKET_ROUTES
    entries = [
        IndexEntry(path, route.summary)
        for route in (*ROUTES, *market_routes)
        for path in route.paths
        if route.method == "GET"
    ]
    body = ENCODER.encode(Index("realtime", request.context.version, entries))
    return ApiResponse(
        body=body, headers={"Content-Type": JSON, "Cache-Control": "no-cache", "Vary": "Accept"}
    )


def get_home(request: RequestContext[NoQuery]) -> ApiResponse:
    """The page for browsers, the list of routes for programs."""
    pages = request.context.pages
    if pages is not None and wants_page(request.accept):
        return pages.home(request.if_none_match, request.accept_encoding)
    return get_index(request)


@cache  # neither the table nor the version changes
def openapi_document(version: str, *, has_market: bool = False) -> bytes:
    """All routes (reads, orders, administration) as an OpenAPI 3.1 document. `has_market`: also
    those of market data."""
    routes = (*ROUTES, *ORDER_ROUTES, *(MARKET_ROUTES if has_market else ()))
    described = (*to_operations(routes), *ADMINISTRATION)
    return ENCODER.encode(describe(described, version=version, servers=PREFIXES, kinds=ALL_KINDS))


def get_openapi(request: RequestContext[NoQuery]) -> ApiResponse:
    """The table as an OpenAPI 3.1 document."""
    headers = {"Content-Type": JSON, "Cache-Control": "no-cache"}
    context = request.context
    body = openapi_document(context.version, has_market=context.market_rest is not None)
    return ApiResponse(body=body, headers=headers)


@cache  # the table does not change
def llms_text() -> bytes:
    """This program for AI agents: `/llms.txt`."""
    return format_llms_text((*ROUTES, *ORDER_ROUTES, *MARKET_ROUTES)).encode()


def get_llms_text(request: RequestContext[NoQuery]) -> ApiResponse:
    """This program for AI agents."""
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
    return ApiResponse(body=llms_text(), headers=headers)


def get_docs(request: RequestContext[NoQuery]) -> ApiResponse:
    """The page that shows the description and sends requests."""
    pages = request.context.pages
    if pages is None:
        raise Problem("unknown_route", "this server has no pages")
    return pages.explorer(request.if_none_match, request.accept_encoding)


def wants_page(accept: str | None) -> bool:
    """Whether a client is a browser: its `Accept` names HTML."""
    return accept is not None and "text/html" in accept.lower()


PAST = (
    "no_history", "history_off", "history_busy", "history_timeout", "history_failed",
)  # fmt: skip
REFRESHING = ("account_unreachable", "account_refused", "account_disabled")

NO_DATA = ("starting", "account_unreachable", "account_refused", "account_disabled")

# Each entry is checked with its own query type; the table holds all of them.
ROUTES: tuple[Route[Any], ...] = (
    Route(
        paths=("/realtime/dashboard/{account_id}",),
        summary="All of one account: figures, positions, recent orders and the state of its link",
        query=DashboardQuery,
        handler=get_dashboard,
        document=DashboardDocument,
        changes_with="account",
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/realtime/account/{account_id}",),
        summary="One account's figures as Alpaca returns them",
        query=AsOfQuery,
        handler=get_account,
        document=Account,
        changes_with="account",
        problems=("unknown_account", *NO_DATA, *PAST),
    ),
    Route(
        paths=("/realtime/positions/{account_id}",),
        summary="One account's positions as Alpaca lists them, by symbol",
        query=PositionsQuery,
        handler=get_positions,
        document=list[Position],
        media=("text/csv",),
        changes_with="account",
        problems=("unknown_account", *NO_DATA, *PAST),
    ),
    Route(
        paths=("/realtime/orders/{account_id}",),
        summary="One account's orders as Alpaca lists them, newest first",
        query=OrdersQuery,
        handler=get_orders,
        document=list[Order],
        media=("text/csv",),
        changes_with="account",
        problems=("unknown_account", *NO_DATA, *PAST),
    ),
    Route(
        paths=("/realtime/accounts",),
        summary="All accounts as a table of figures",
        query=AccountsQuery,
        handler=get_accounts,
        document=AccountsDocument,
        media=("text/csv",),
        changes_with="fleet",
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/realtime/summary",),
        summary="The fleet in a few figures",
        query=AsOfQuery,
        handler=get_summary,
        document=SummaryDocument,
        changes_with="fleet",
        problems=PAST,
    ),
    Route(
        paths=("/realtime/status", "/websocket/status", "/broker/stream/status"),
        summary="The state of every account's link",
        query=StatusQuery,
        handler=get_status,
        document=StatusDocument,
        changes_with="clock",
    ),
    Route(
        method="POST",
        at_owner=True,
        paths=("/realtime/accounts/{account_id}/refresh",),
        summary="Read this account again now",
        query=NoQuery,
        handler=refresh_account,
        document=RefreshDocument,
        problems=("unknown_account", *REFRESHING),
    ),
    Route(
        method="POST",
        paths=("/broker/cache/invalidate",),
        summary="Read an account again now: the one that there is, or `account_id`",
        query=RefreshQuery,
        handler=invalidate_cache,
        document=RefreshDocument,
        problems=("unknown_account", *REFRESHING),
    ),
    Route(
        paths=("/broker/account",),
        summary="The figures of the one account that there is, or of `account_id`",
        query=BrokerQuery,
        handler=get_broker_account,
        reaches_broker=reads_broker_first,
        document=Account,
        problems=("unknown_account", *NO_DATA, *REFRESHING),
    ),
    Route(
        paths=("/broker/positions",),
        summary="The positions of the one account that there is, or of `account_id`",
        query=BrokerPositionsQuery,
        handler=get_broker_positions,
        reaches_broker=reads_broker_first,
        document=list[Position],
        media=("text/csv",),
        problems=("unknown_account", *NO_DATA, *REFRESHING),
    ),
    Route(
        paths=("/broker/orders",),
        summary="The orders of the one account that there is, or of `account_id`",
        query=BrokerOrdersQuery,
        handler=get_broker_orders,
        reaches_broker=reads_broker_first,
        document=list[Order],
        media=("text/csv",),
        problems=("unknown_account", *NO_DATA, *REFRESHING),
    ),
    Route(
        paths=("/realtime/history/_all",),
        summary="The equity of all accounts together over the last day",
        query=FleetHistoryQuery,
        handler=get_fleet_history,
        document=HistoryDocument,
        media=("text/csv",),
    ),
    Route(
        paths=("/realtime/history/{account_id}",),
        summary="One account's equity over the last day",
        query=HistoryQuery,
        handler=get_history,
        document=HistoryDocument,
        media=("text/csv",),
        problems=("unknown_account",),
    ),
    Route(
        paths=("/history/equity/{account_id}",),
        summary="One account's equity between two times, across restarts",
        query=PastEquityQuery,
        handler=get_past_equity,
        document=EquityCurve,
        media=("text/csv",),
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/history/trades",),
        summary="Executions between two times, newest first, with what each realized",
        query=PastTradesQuery,
        handler=get_past_trades,
        document=list[Trade],
        media=("text/csv",),
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/history/events/{account_id}",),
        summary="What happened in one account between two times, newest first",
        query=PastEventsQuery,
        handler=get_past_events,
        document=list[PastEvent],
        media=("text/csv",),
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/history/performance",),
        summary="Days between two times added up, by account or by tier",
        query=PerformanceQuery,
        handler=get_performance,
        document=list[Performance],
        media=("text/csv",),
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/history/symbols",),
        summary="Executions between two times added up by symbol, with what they realized",
        query=SymbolsQuery,
        handler=get_symbols,
        document=list[SymbolResult],
        media=("text/csv",),
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/compare",),
        summary="Accounts, tiers or strategies side by side: figures with intervals, and pairs",
        query=CompareQuery,
        handler=get_comparison,
        document=CompareDocument,
        media=("text/csv",),
        problems=("unknown_account", *PAST),
        reaches_broker=reads_benchmark,
    ),
    Route(
        paths=("/compare.csv",),
        summary="The same table for spreadsheets",
        query=CompareQuery,
        handler=get_comparison_csv,
        document=None,
        media=("text/csv",),
        problems=("unknown_account", *PAST),
        reaches_broker=reads_benchmark,
    ),
    Route(
        paths=("/compare/series",),
        summary="Curves of a comparison: return, profit and drawdown by trading day",
        query=CompareQuery,
        handler=get_comparison_series,
        document=SeriesDocument,
        problems=("unknown_account", *PAST),
        reaches_broker=reads_benchmark,
    ),
    Route(
        paths=("/compare/returns.csv",),
        summary="Daily returns, a column for each row, as quantstats and pandas read them",
        query=CompareQuery,
        handler=get_returns,
        document=None,
        media=("text/csv",),
        problems=("unknown_account", *PAST),
        reaches_broker=reads_benchmark,
    ),
    Route(
        paths=("/books/{account_id}",),
        summary="One account by strategy: positions, profit and orders of its books",
        query=NoQuery,
        handler=get_books,
        document=BooksDocument,
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/alerts",),
        summary="Bounds of tiers that are exceeded, would be, or cannot be met; nothing is stopped",
        query=AlertsQuery,
        handler=get_alerts,
        document=AlertsDocument,
        problems=("unknown_account",),
    ),
    Route(
        method="POST",
        paths=("/alerts/{account_id}/hide",),
        summary="List an open alert apart for a time: a person has seen it",
        query=HideQuery,
        handler=hide_alert,
        document=AlertDocument,
        access="trading",
        problems=("unknown_account", "unknown_alert"),
    ),
    Route(
        paths=("/report",),
        summary="The broker's report card: outages, missed events, 429s, latencies, by account and"
        " day",
        query=ReportQuery,
        handler=get_report,
        document=ReportDocument,
        media=("text/csv",),
        problems=("unknown_account", *PAST),
    ),
    Route(
        paths=("/realtime/events",),
        summary="Server-sent events: a snapshot, then every change",
        query=EventsQuery,
        handler=subscribe,
        document=None,
        events=EVENTS,
        problems=("unknown_account", "too_many_subscribers"),
    ),
    Route(
        paths=("/health",),
        access="open",
        summary="The health of the fleet as a whole",
        query=HealthQuery,
        handler=get_health,
        document=HealthDocument,
        problems=("starting", "degraded"),
    ),
    Route(
        paths=("/livez",),
        access="open",
        summary="Whether the process responds",
        query=NoQuery,
        handler=get_livez,
        document=Probe,
    ),
    Route(
        paths=("/readyz",),
        access="open",
        summary="Whether there is data: every enabled account was read, unless it is refused",
        query=NoQuery,
        handler=get_readyz,
        document=Probe,
        problems=("starting", "degraded"),
    ),
    Route(
        paths=("/metrics",),
        access="ops",
        summary="The daemon's metrics for Prometheus",
        query=NoQuery,
        handler=get_metrics,
        document=None,
        media=("text/plain", "application/openmetrics-text"),
    ),
    Route(
        paths=("/openapi.json",),
        access="open",
        summary="This interface as an OpenAPI 3.1 document",
        query=NoQuery,
        handler=get_openapi,
        document=dict[str, object],
    ),
    Route(
        paths=("/llms.txt",),
        access="open",
        summary="What this program is, for AI agents: routes, documentation, how to start",
        query=NoQuery,
        handler=get_llms_text,
        document=None,
        media=("text/plain",),
    ),
    Route(
        paths=("/docs",),
        access="open",
        summary="A page that shows every route and sends requests",
        query=NoQuery,
        handler=get_docs,
        document=None,
        media=("text/html",),
    ),
    Route(
        paths=("/realtime",),
        access="docs",
        summary="This list",
        query=NoQuery,
        handler=get_index,
        document=Index,
    ),
    Route(
        paths=("/",),
        access="open",
        summary="The page for browsers; this list for programs",
        query=NoQuery,
        handler=get_home,
        document=Index,
        media=("text/html",),
    ),
)
