"""Account activities, newest first by default, paged by id.

An id is the New York time of creation, `::`, and a UUID; of a FILL the execution's.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from decimal import Decimal

import msgspec

from realtime.simulator.exchange.decimals import format_decimal
from realtime.simulator.exchange.errors import Document, malformed
from realtime.simulator.exchange.orders.order import Execution
from realtime.simulator.exchange.query_params import parse_choice, parse_count, parse_time
from realtime.simulator.exchange.timestamps import (
    format_activity_time,
    format_rfc3339_micros,
    new_york_date,
    to_micros,
)

FILL = "FILL"
MAX_PAGE_SIZE = 100

_GROUPS = {
    "TRANS": frozenset({"CSD", "CSW"}),
    "DIV": frozenset(
        {
            "DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX",
        }
    ),
}  # fmt: skip
_SINGLE = frozenset(
    {
        "FILL", "ACATC", "ACATS", "CFEE", "CGD", "CSD", "CSW", "FEE", "INT", "INTNRA", "INTTW",
        "JNL", "JNLC", "JNLS", "MA", "NC", "OPASN", "OPCA", "OPCSH", "OPEXC", "OPEXP", "OPTRD",
        "PTC", "PTR", "REORG", "SPIN", "SPLIT", "FOPT",
    }
)  # fmt: skip
_MISC = _SINGLE - {"FILL", "CSD", "CSW"}


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One activity. A FILL has its execution and the order's state after it."""

    id: str
    at: int
    type: str
    facts: Mapping[str, str] = {}
    execution: Execution | None = None
    leaves_qty: Decimal = Decimal(0)
    cum_qty: Decimal = Decimal(0)
    order_status: str = ""


class ActivityLog:
    """The activities of one account, oldest first."""

    def __init__(self) -> None:
        self.entries: list[Activity] = []
        # activity id → time of creation, also of removed entries: a page may start at one
        self._created: dict[str, int] = {}

    def add(self, entry: Activity) -> None:
        """Append an entry; entries must be in time order."""
        self.entries.append(entry)
        self._created[entry.id] = to_micros(entry.at)

    def record_fill(self, execution: Execution) -> None:
        """Append the FILL of an execution that has just been booked."""
        order = execution.order
        self.add(
            Activity(
                id=activity_id(execution.at, execution.id),
                at=execution.at,
                type=FILL,
                execution=execution,
                leaves_qty=max(order.remaining(execution.price), Decimal(0)),
                cum_qty=order.filled_qty,
                order_status=order.status,
            )
        )

    def record(self, kind: str, at: int, uuid: str, **facts: str) -> None:
        """Append a non-trade entry; `net_amount` is in dollars, signed."""
        self.add(Activity(id=activity_id(at, uuid), at=at, type=kind, facts=facts))

    def remove_fill(self, execution: Execution) -> None:
        """Remove the FILL of a busted execution."""
        self.entries = [e for e in self.entries if e.execution is not execution]

    def page(self, query: Mapping[str, str], activity_type: str | None) -> list[Document]:
        """Answer GET /v2/account/activities and /v2/account/activities/{type}."""
        requested = _wanted_types(query, activity_type)
        size = parse_count(query, "page_size", default=MAX_PAGE_SIZE, largest=MAX_PAGE_SIZE)
        descending = parse_choice(query, "direction", ("desc", "asc")) == "desc"
        entries = self._between(query, descending=descending)
        page: list[Document] = []
        for entry in entries:
            if entry.type in requested:
                page.append(_document(entry))
                if len(page) == size:
                    break
        return page

    def _between(self, query: Mapping[str, str], *, descending: bool) -> Iterator[Activity]:
        after, until = parse_time(query, "after"), parse_time(query, "until")
        day = parse_time(query, "date")
        if day is not None and (after is not None or until is not None):
            raise malformed("date cannot be used with after or until")
        entries = self.entries
        low = 0 if after is None else bisect_right(entries, after, key=_created_at)
        high = len(entries) if until is None else bisect_left(entries, until, key=_created_at)
        low, high = self._from_token(query.get("page_token", ""), low, high, descending)
        numbers = range(high - 1, low - 1, -1) if descending else range(low, high)
        for number in numbers:
            if day is None or _is_on(entries[number].at, query["date"]):
                yield entries[number]

    def _from_token(self, token: str, low: int, high: int, descending: bool) -> tuple[int, int]:
        if not token:
            return low, high
        at = self._created.get(token)
        if at is None:
            raise malformed("invalid page_token")
        if descending:
            edge = bisect_left(self.entries, at, key=_created_at)
            return low, min(high, edge + self._same_time_before(token, edge, at))
        edge = bisect_right(self.entries, at, key=_created_at)
        return max(low, edge - self._same_time_after(token, edge, at)), high

    def _same_time_before(self, token: str, edge: int, at: int) -> int:
        count = 0
        for entry in self.entries[edge:]:
            if _created_at(entry) != at or entry.id == token:
                break
            count += 1
        return count

    def _same_time_after(self, token: str, edge: int, at: int) -> int:
        count = 0
        for entry in reversed(self.entries[:edge]):
            if _created_at(entry) != at or entry.id == token:
                break
            count += 1
        return count


def activity_id(at: int, uuid: str) -> str:
    """Return the id of an activity created at this time."""
    return f"{format_activity_time(at)}::{uuid}"


def _created_at(entry: Activity) -> int:
    return to_micros(entry.at)


def _is_on(at: int, requested: str) -> bool:
    return new_york_date(at).isoformat() == requested[:10]


def _wanted_types(query: Mapping[str, str], activity_type: str | None) -> frozenset[str]:
    names = activity_type or query.get("activity_types", "")
    category = query.get("category", "")
    if names and category:
        raise malformed("category cannot be used with activity_types")
    if category:
        parse_choice(query, "category", ("trade_activity", "non_trade_activity"))
        is_trade = category == "trade_activity"
        return frozenset({FILL}) if is_trade else (_SINGLE | _GROUPS["DIV"]) - {FILL}
    if not names:
        return _SINGLE | _GROUPS["DIV"]
    return frozenset().union(*(_expand(name.strip().upper()) for name in names.split(",")))


def _expand(name: str) -> frozenset[str]:
    if name == "MISC":
        return _MISC
    if name in _GROUPS:
        return _GROUPS[name]
    if name in _SINGLE or name in _GROUPS["DIV"]:
        return frozenset({name})
    raise malformed(f"invalid activity type: {name[:40]}")


def _document(entry: Activity) -> Document:
    return _fill_document(entry, entry.execution) if entry.execution else _other_document(entry)


def _fill_document(entry: Activity, execution: Execution) -> Document:
    return {
        "id": entry.id,
        "activity_type": FILL,
        "transaction_time": format_rfc3339_micros(execution.at),
        "type": "fill" if entry.order_status == "filled" else "partial_fill",
        "price": format_decimal(execution.price),
        "qty": format_decimal(execution.qty),
        "side": execution.order.side,
        "symbol": execution.asset.symbol,
        "leaves_qty": format_decimal(entry.leaves_qty),
        "order_id": execution.order.id,
        "cum_qty": format_decimal(entry.cum_qty),
        "order_status": entry.order_status,
    }


def _other_document(entry: Activity) -> Document:
    return {
        "id": entry.id,
        "activity_type": entry.type,
        "date": new_york_date(entry.at).isoformat(),
        "created_at": format_rfc3339_micros(entry.at),
        **entry.facts,
        "status": "executed",
        "currency": "USD",
    }
