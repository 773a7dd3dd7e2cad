"""Handlers of comparisons: figures, curves, daily returns."""

from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, Struct, field, structs

from realtime.analytics.book_report import BooksRequest, BrokerPosition, OpenOrder
from realtime.analytics.compare.documents import BenchmarkPrices, CompareRequest
from realtime.analytics.compare.row_data import AccountProfile, By
from realtime.api.context import RequestContext
from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import Moment, ShortWord
from realtime.api.history.messages import HistoryCall, Kind
from realtime.api.history.moments import MAX_DAYS, parse_moment
from realtime.api.history.request import HistoryRequest
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem
from realtime.core.trading_days import to_number, trading_day_at
from realtime.history.exact import US, epoch_us
from realtime.store.records import Record

Names = Annotated[
    tuple[ShortWord, ...], Meta(max_length=1000, description="Only these accounts, by label.")
]
Keys = tuple[Annotated[str, Meta(min_length=1, max_length=130)], ...]


class CompareQuery(Struct, frozen=True, kw_only=True):
    """Parameters of a comparison."""

    by: Annotated[
        By,
        Meta(
            description="What a row is: one of the broker's accounts, a label through all its"
            " accounts, a tier, a strategy (book), or the whole fleet."
        ),
    ] = "account"
    since: Annotated[
        Moment | None,
        Meta(description="The first trading day, in New York; 31 days before `to` by default."),
    ] = field(default=None, name="from")
    until: Annotated[
        Moment | None,
        Meta(description="The last trading day; the last one that is over by default."),
    ] = field(default=None, name="to")
    benchmark: Annotated[
        str,
        Meta(
            max_length=16,
            pattern="^[A-Za-z0-9.]*$",
            description="The symbol of a control row, held over the window; `none`: no such row.",
        ),
    ] = "SPY"
    account_id: Names = ()
    rows: Annotated[
        Keys, Meta(max_length=1000, description="Only the curves of these rows, by key.")
    ] = ()
    pairs_of: Annotated[
        Keys,
        Meta(max_length=6, description="Of more than 40 rows: only pairs with one of these."),
    ] = ()
    format: Format = "json"


def reads_benchmark(query: CompareQuery) -> bool:
    """Whether a comparison may cost a request for market data."""
    return query.benchmark.lower() not in ("", "none")


async def get_comparison(request: RequestContext[CompareQuery]) -> HistoryRequest:
    """The table: figures with intervals, pairs, control rows."""
    return await _request(request, "compare", request.query.format)


async def get_comparison_csv(request: RequestContext[CompareQuery]) -> HistoryRequest:
    """The same table as CSV."""
    return await _request(request, "compare", "csv")


async def get_comparison_series(request: RequestContext[CompareQuery]) -> HistoryRequest:
    """The curves: one list of days for all rows."""
    return await _request(request, "compare_series", "json")


async def get_returns(request: RequestContext[CompareQuery]) -> HistoryRequest:
    """Daily returns as CSV: a date, and a column for each row."""
    return await _request(request, "compare_returns", "csv")


async def _request(
    request: RequestContext[CompareQuery], kind: Kind, format_: Literal["json", "csv"]
) -> HistoryRequest:
    query, context = request.query, request.context
    labels = query.account_id or tuple(record.profile.label for record in context.store)
    records = [context.record(label) for label in labels]
    compare = CompareRequest(
        by=query.by,
        accounts=[make_profile(record) for record in records],
        since=_day("from", query.since),
        until=_day("to", query.until),
        books=dict(context.books),
        pairs_of=list(query.pairs_of),
        rows=list(query.rows),
        has_removed=context.labels is None and not query.account_id,
        format=format_,
        now_us=epoch_us(context.clock()),
    )
    if compare.since is not None and compare.until is not None and compare.since > compare.until:
        raise Problem(
            "bad_parameter",
            f"from={compare.since} is after to={compare.until}",
            remedy="from: the first trading day, to: the last",
        )
    if compare.since is not None:
        until = compare.until or trading_day_at(context.clock()).isoformat()
        if _number(until) - _number(compare.since) > MAX_DAYS:
            raise Problem(
                "bad_parameter",
                f"from={compare.since} is more than {MAX_DAYS} days before {until}",
                remedy="from: a later trading day",
            )
    if reads_benchmark(query):
        prices = await _benchmark(request, query.benchmark.upper())
        compare = structs.replace(compare, benchmark=prices)
    # `at_us`: what was executed until now is waited for, so that it explains the positions of now.
    call = HistoryCall(kind=kind, labels=list(labels), at_us=compare.now_us, compare=compare)
    return HistoryRequest(call=call)


async def _benchmark(request: RequestContext[CompareQuery], symbol: str) -> BenchmarkPrices:
    read = request.context.read_benchmark
    if read is None:
        return BenchmarkPrices(symbol=symbol, reason="no market data is configured")
    # Paper accounts get no dividends: against them a benchmark with dividends would be unfair.
    with_dividends = all(not record.profile.paper for record in request.context.store)
    return await read(symbol, with_dividends)


def get_books(request: RequestContext[NoQuery]) -> HistoryRequest:
    """The books of an account as it is now."""
    record, context = request.context.record(request.account_id), request.context
    call = make_books_call(record, dict(context.books), epoch_us(context.clock()))
    return HistoryRequest(call=call)


def make_books_call(record: Record, books: dict[str, str], now_us: int) -> HistoryCall:
    """The query for the books of an account. `books`: book → prefix."""
    state = record.state
    request = BooksRequest(
        label=record.profile.label,
        books=books,
        positions={
            str(symbol): BrokerPosition(
                qty=position.qty,
                price=position.current_price,
                lastday_price=position.lastday_price,
            )
            for symbol, position in state.positions.items()
        }
        if record.has_data
        else None,
        open_orders=[
            OpenOrder(
                id=order.id,
                client_order_id=order.client_order_id,
                parent=state.parents.get(order.id),
                replaces=order.replaces,
            )
            for order in state.orders.values()
            if not order.is_closed
        ],
        equity=None if state.account is None else state.account.equity,
        is_provisional=record.link.is_stale or bool(state.provisional),
        now_us=now_us,
    )
    # `at_us`: the executions of the last moment are waited for.
    return HistoryCall(kind="books", labels=[record.profile.label], at_us=now_us, books=request)


def make_profile(record: Record) -> AccountProfile:
    """What the comparison needs to know of an account as it is now."""
    profile, flows = record.profile, record.net_flows
    positions = None
    if record.has_data:
        positions = {str(s): position.qty for s, position in record.state.positions.items()}
    return AccountProfile(
        label=profile.label,
        name=profile.name,
        tier=profile.tier,
        paper=profile.paper,
        initial_balance=profile.initial_balance,
        later_flows=None if flows is None else flows.net,
        positions=positions,
    )


def _number(day: str) -> int:
    return to_number(date.fromisoformat(day))


def _day(name: str, text: str | None) -> str | None:
    """The trading day of a parameter: a date is meant in New York."""
    if text is None:
        return None
    at = parse_moment(name, text) / US
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return trading_day_at(at).isoformat()
