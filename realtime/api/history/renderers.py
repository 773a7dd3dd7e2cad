"""Responses about the past, rendered in the history process with the documents of the present."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from realtime.api.documents.accounts import (
    MARK_COLUMNS,
    AccountRow,
    AccountsDocument,
    AccountsQuery,
    sort_rows,
)
from realtime.api.documents.dashboard import DashboardQuery
from realtime.api.documents.document_cache import ENCODER, RenderedDocument
from realtime.api.documents.documents import Documents
from realtime.api.documents.history import HistoryQuery
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.documents.timestamps import format_millis
from realtime.api.history.compare_renderers import (
    render_books,
    render_compare,
    render_report,
    render_returns,
    render_series,
)
from realtime.api.history.curves import curve_response, recorded_curve
from realtime.api.history.messages import PARTIAL, HistoryCall, HistoryReply
from realtime.core.decimals import number, plain, sum_amounts
from realtime.core.model import AccountLabel
from realtime.history.exact import instant
from realtime.history.fleet_at import AccountAt, fleet_at
from realtime.history.performance import performance, symbol_results
from realtime.history.queries import equity, events, gaps, trades
from realtime.history.reading import HistoryReader, NoHistory, QueryTimeout
from realtime.history.state_at import StateAt, state_at
from realtime.store.records import Profile, Record

JSON = "application/json; charset=utf-8"
IMMUTABLE = "private, max-age=31536000, immutable"
"""A sealed day does not change any more (RFC 8246)."""

Query = TypeVar("Query", bound=Struct)


class PastSummary(Struct, frozen=True, kw_only=True):
    """The fleet in a few figures, as of a moment."""

    as_of: str
    accounts: int
    stale: int
    equity: str
    last_equity: str
    day_pl: str
    cash: str
    positions: int
    open_orders: int


def render(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    """The reply to a call. Never raises for what a client can cause."""
    try:
        return RENDERERS[call.kind](reader, call)
    except NoHistory as error:
        earliest = "" if error.earliest_us is None else f"; earliest: {instant(error.earliest_us)}"
        return HistoryReply(problem="no_history", detail=f"{error}{earliest}")
    except QueryTimeout as error:
        return HistoryReply(problem="history_timeout", detail=str(error))


def _state(
    draw: Callable[[Documents, Record, HistoryCall], RenderedDocument],
) -> Callable[[HistoryReader, HistoryCall], HistoryReply]:
    def render_state(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
        past = state_at(reader, call.labels[0], call.at_us)
        rendered = draw(Documents(), _record(past), call)
        headers = _headers(past)
        if rendered.total is not None:
            headers["X-Total-Count"] = str(rendered.total)
        return HistoryReply(body=rendered.body, headers=headers)

    return render_state


def _record(past: StateAt) -> Record:
    profile = Profile(label=AccountLabel(past.label), tier=past.tier, paper=past.paper)
    return Record(
        profile=profile,
        state=past.state,
        link=past.link,
        version=past.version,
        as_of=past.at_us / 1e6,
    )


def _headers(past: StateAt) -> dict[str, str]:
    headers = {
        "Content-Type": JSON,
        "Cache-Control": IMMUTABLE if past.is_sealed else "no-cache",
        "X-Realtime-As-Of": instant(past.at_us),
        "X-Realtime-Stale": "true" if past.link.is_stale else "false",
        "X-Realtime-Provisional": ", ".join(sorted(past.state.provisional)),
    }
    if past.valued_at_us is not None:
        headers["X-Realtime-Valued-At"] = instant(past.valued_at_us)
    if past.gap is not None:
        headers[PARTIAL] = partial(past.gap)
    return headers


def partial(reason: str) -> str:
    """The value of the header `PARTIAL`."""
    return f"partial; reason={reason.replace(' ', '-')}"


def _query(call: HistoryCall, kind: type[Query]) -> Query:
    return msgspec.convert(call.query, kind, strict=False)


def _row(past: AccountAt) -> AccountRow:
    day_pl: str | None = None
    if past.equity is not None and past.last_equity is not None:
        day_pl = plain(number(past.equity) - number(past.last_equity))
    values: dict[str, Any] = dict.fromkeys(set(AccountRow.__struct_fields__) - MARK_COLUMNS)
    values |= {
        "account_id": AccountLabel(past.label),
        "tier": past.tier,
        "paper": past.paper,
        "equity": past.equity,
        "last_equity": past.last_equity,
        "cash": past.cash,
        "buying_power": past.buying_power,
        "day_pl": day_pl,
        "positions": past.positions,
        "open_orders": past.open_orders,
        "connected": not past.is_stale,
        "stale": past.is_stale,
        "as_of": format_millis(past.valued_at_us / 1e6),
    }
    return AccountRow(**values)


def _rows(reader: HistoryReader, call: HistoryCall) -> tuple[list[AccountRow], dict[str, str]]:
    found = fleet_at(reader, call.at_us)
    rows = [_row(found[label]) for label in call.labels if label in found]
    if not rows:
        raise NoHistory("nothing is recorded of these accounts at that time")
    valued_us = max(found[row.account_id].valued_at_us for row in rows)
    headers = {
        "Content-Type": JSON,
        "Cache-Control": "no-cache",
        "X-Realtime-As-Of": instant(valued_us),
        "X-Realtime-Valued-At": instant(valued_us),
    }
    missing = gaps(reader, call.labels, call.at_us, call.at_us + 1, limit=1)
    if missing:
        headers[PARTIAL] = partial(missing[0].reason)
    return rows, headers


def _accounts(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    query = _query(call, AccountsQuery)
    rows, headers = _rows(reader, call)
    rows = [
        row
        for row in rows
        if (not query.tier or row.tier in query.tier)
        and (not query.account_id or row.account_id in query.account_id)
    ]
    page = sort_rows(rows, query)[query.offset : query.offset + query.limit]
    as_of = max((row.as_of for row in rows), default="")
    document = AccountsDocument(as_of=as_of, total=len(rows), accounts=page)
    return HistoryReply(
        body=ENCODER.encode(document), headers={**headers, "X-Total-Count": str(len(rows))}
    )


def _summary(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    rows, headers = _rows(reader, call)

    def total(name: str) -> str:
        return sum_amounts(getattr(row, name) for row in rows) or "0"

    document = PastSummary(
        as_of=max(row.as_of for row in rows),
        accounts=len(rows),
        stale=sum(row.stale for row in rows),
        equity=total("equity"),
        last_equity=total("last_equity"),
        day_pl=total("day_pl"),
        cash=total("cash"),
        positions=sum(row.positions or 0 for row in rows),
        open_orders=sum(row.open_orders or 0 for row in rows),
    )
    return HistoryReply(body=ENCODER.encode(document), headers=headers)


def _list(reader: HistoryReader, call: HistoryCall, value: object) -> HistoryReply:
    headers = {"Content-Type": JSON, "Cache-Control": "no-cache"}
    missing = gaps(reader, call.labels, call.from_us, call.to_us, limit=1)
    if missing:
        headers[PARTIAL] = partial(missing[0].reason)
    return HistoryReply(body=ENCODER.encode(value), headers=headers)


def _equity(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    assert call.step is not None
    curve = equity(reader, call.labels[0], call.from_us, call.to_us, call.step)
    return _list(reader, call, curve)


def _curve(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    older = recorded_curve(reader, call.labels, call.from_us, call.to_us)
    response = curve_response([*older, *call.points], _query(call, HistoryQuery), call.name)
    return HistoryReply(body=response.body, headers=dict(response.headers))


def _trades(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    return _list(
        reader,
        call,
        trades(
            reader,
            call.labels,
            call.from_us,
            call.to_us,
            symbol=call.symbol,
            limit=call.limit,
        ),
    )


def _events(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    return _list(reader, call, events(reader, call.labels[0], call.from_us, call.to_us, call.limit))


def _performance(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    return _list(
        reader,
        call,
        performance(reader, call.labels, call.from_us, call.to_us, by_tier=call.by_tier),
    )


def _symbols(reader: HistoryReader, call: HistoryCall) -> HistoryReply:
    return _list(reader, call, symbol_results(reader, call.labels, call.from_us, call.to_us))


RENDERERS: dict[str, Callable[[HistoryReader, HistoryCall], HistoryReply]] = {
    "dashboard": _state(
        lambda documents, record, call: documents.render_dashboard(
            record, _query(call, DashboardQuery)
        )
    ),
    "account": _state(lambda documents, record, _: documents.render_account(record)),
    "positions": _state(
        lambda documents, record, call: documents.render_positions(
            record, _query(call, PositionsQuery)
        )
    ),
    "orders": _state(
        lambda documents, record, call: documents.render_orders(record, _query(call, OrdersQuery))
    ),
    "accounts": _accounts,
    "summary": _summary,
    "curve": _curve,
    "equity": _equity,
    "trades": _trades,
    "events": _events,
    "performance": _performance,
    "symbols": _symbols,
    "compare": render_compare,
    "compare_series": render_series,
    "compare_returns": render_returns,
    "books": render_books,
    "report": render_report,
}
