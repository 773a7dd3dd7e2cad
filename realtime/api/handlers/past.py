"""Handlers about the past: equity, trades, events, performance, and any state as of a moment."""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Meta, Struct, field, structs

from realtime.api.context import RequestContext
from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import AsOf, Moment, ShortWord
from realtime.api.history.messages import HistoryCall, Kind
from realtime.api.history.moments import MAX_DAYS, parse_moment
from realtime.api.history.request import HistoryRequest
from realtime.api.problems import Problem
from realtime.api.responses import ApiResponse, csv_response
from realtime.history.exact import DAY_US, US, epoch_us
from realtime.history.performance import Performance, SymbolResult
from realtime.history.queries import (
    MAX_ROWS,
    STEP_US,
    EquityPoint,
    PastEvent,
    Step,
    Trade,
    step_for,
)

MAX_SPAN_US = MAX_DAYS * DAY_US

From = Annotated[Moment | None, Meta(description="The beginning; a day before `to` by default.")]
To = Annotated[Moment | None, Meta(description="The end, exclusive; now by default.")]
Labels = Annotated[
    tuple[ShortWord, ...], Meta(max_length=1000, description="Only these accounts, by label.")
]
Rows = Annotated[int, Meta(ge=1, le=MAX_ROWS, description="At most this many rows.")]


class _Span(Struct, frozen=True, kw_only=True):
    since: From = field(default=None, name="from")
    until: To = field(default=None, name="to")


class PastEquityQuery(_Span, frozen=True, kw_only=True):
    """Parameters of a curve of the past."""

    step: Annotated[
        Step | None,
        Meta(description="The finest that is kept of that time, with at most 2000 points."),
    ] = None
    format: Format = "json"


class PastTradesQuery(_Span, frozen=True, kw_only=True):
    """Parameters of the list of executions."""

    account_id: Labels = ()
    symbol: Annotated[ShortWord | None, Meta(description="Only this symbol.")] = None
    limit: Rows = 500
    format: Format = "json"


class PastEventsQuery(_Span, frozen=True, kw_only=True):
    """Parameters of the list of events."""

    limit: Rows = 500
    format: Format = "json"


class PerformanceQuery(_Span, frozen=True, kw_only=True):
    """Parameters of the sums of days."""

    by: Annotated[Literal["account", "tier"], Meta(description="What a row is about.")] = "account"
    account_id: Labels = ()
    format: Format = "json"


class SymbolsQuery(_Span, frozen=True, kw_only=True):
    """Parameters of the sums by symbol."""

    account_id: Labels = ()
    format: Format = "json"


class ReportQuery(_Span, frozen=True, kw_only=True):
    """Parameters of the report card: whole UTC days."""

    account_id: Labels = ()
    format: Format = "json"


class AsOfQuery(Struct, frozen=True, kw_only=True):
    """Parameters of a state that takes no others."""

    as_of: AsOf = None


def past_state(
    request: RequestContext[Struct],
    kind: Kind,
    as_of: str,
    finish: Callable[[ApiResponse], ApiResponse] | None = None,
) -> HistoryRequest:
    """The state route of this kind as of a moment."""
    at_us = parse_moment("as_of", as_of)
    if at_us > request.context.clock() * US:
        raise Problem("bad_parameter", f"as_of={as_of[:40]} is in the future")
    query = {
        name: value
        for name, value in structs.asdict(request.query).items()
        if name not in ("as_of", "format")
    }
    labels = [record.profile.label for record in request.context.store]
    if request.account_id:
        labels = [request.context.record(request.account_id).profile.label]
    call = HistoryCall(kind=kind, labels=[*labels], at_us=at_us, query=query)
    return HistoryRequest(call=call, finish=finish)


def get_past_equity(request: RequestContext[PastEquityQuery]) -> HistoryRequest:
    """One account's equity between two times."""
    label = request.context.record(request.account_id).profile.label
    since, until = _span(request, request.query)
    now_us = epoch_us(request.context.clock())
    step = request.query.step or step_for(since, until, now_us)
    if (until - since) // STEP_US[step] > 100_000:
        raise Problem("bad_parameter", f"step={step}: too many points", remedy="leave step out")
    call = HistoryCall(
        kind="equity",
        labels=[label],
        from_us=since,
        to_us=until,
        step=step,
    )
    finish = _csv(request.query.format, EquityPoint, f"equity-{label}", "points")
    return HistoryRequest(call=call, finish=finish)


def get_past_trades(request: RequestContext[PastTradesQuery]) -> HistoryRequest:
    """Executions between two times, newest first."""
    query = request.query
    since, until = _span(request, query)
    call = HistoryCall(
        kind="trades",
        labels=_labels(request, query.account_id),
        from_us=since,
        to_us=until,
        symbol=query.symbol,
        limit=query.limit,
    )
    return HistoryRequest(call=call, finish=_csv(query.format, Trade, "trades"))


def get_past_events(request: RequestContext[PastEventsQuery]) -> HistoryRequest:
    """What happened in an account between two times, newest first."""
    label = request.context.record(request.account_id).profile.label
    since, until = _span(request, request.query)
    call = HistoryCall(
        kind="events", labels=[label], from_us=since, to_us=until, limit=request.query.limit
    )
    return HistoryRequest(
        call=call, finish=_csv(request.query.format, PastEvent, f"events-{label}")
    )


def get_performance(request: RequestContext[PerformanceQuery]) -> HistoryRequest:
    """Days between two times added up."""
    query = request.query
    since, until = _span(request, query, default_us=30 * DAY_US)
    call = HistoryCall(
        kind="performance",
        labels=_labels(request, query.account_id),
        from_us=since,
        to_us=until,
        by_tier=query.by == "tier",
    )
    return HistoryRequest(call=call, finish=_csv(query.format, Performance, "performance"))


def get_symbols(request: RequestContext[SymbolsQuery]) -> HistoryRequest:
    """Executions between two times added up by symbol."""
    query = request.query
    since, until = _span(request, query, default_us=30 * DAY_US)
    labels = _labels(request, query.account_id)
    call = HistoryCall(kind="symbols", labels=labels, from_us=since, to_us=until)
    return HistoryRequest(call=call, finish=_csv(query.format, SymbolResult, "symbols"))


def get_report(request: RequestContext[ReportQuery]) -> HistoryRequest:
    """The quality of the connection to the broker."""
    query = request.query
    since, until = _span(request, query, default_us=30 * DAY_US)
    call = HistoryCall(
        kind="report",
        labels=_labels(request, query.account_id),
        from_us=since,
        to_us=until,
        at_us=epoch_us(request.context.clock()),
        format=query.format,
    )
    return HistoryRequest(call=call)


def _span(
    request: RequestContext[Struct], query: _Span, default_us: int = DAY_US
) -> tuple[int, int]:
    now_us = epoch_us(request.context.clock())
    until = now_us if query.until is None else parse_moment("to", query.until)
    since = until - default_us if query.since is None else parse_moment("from", query.since)
    if since >= until or until - since > MAX_SPAN_US:
        raise Problem("bad_parameter", "from must be before to, at most 4000 days")
    return since, until


def _labels(request: RequestContext[Struct], wanted: tuple[str, ...]) -> list[str]:
    context = request.context
    if wanted:
        return [context.record(label).profile.label for label in wanted]
    return [record.profile.label for record in context.store]


def _csv(
    format_: str, row: type[Struct], name: str, member: str | None = None
) -> Callable[[ApiResponse], ApiResponse] | None:
    if format_ != "csv":
        return None
    return lambda response: csv_response(response, row.__struct_fields__, name, member)
