"""Queries over the history files: equity, trades, events, gaps."""

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from realtime.history.directory import DayPath
from realtime.history.exact import (
    DAY_US,
    MINUTE_US,
    MONEY_SCALE,
    QTY_SCALE,
    QUARTER_US,
    US,
    instant,
    plain,
    unpack_id,
)
from realtime.history.reading import HistoryReader, days, read_day

Step = Literal["1Min", "15Min", "1D"]
STEP_US: dict[Step, int] = {"1Min": MINUTE_US, "15Min": QUARTER_US, "1D": DAY_US}
MAX_POINTS = 2_000
"""A chart shows no more, and a response stays below 100 KB."""

MAX_ROWS = 5_000
MAX_GAPS = 1_000


class EquityPoint(Struct, frozen=True, kw_only=True):
    """One point of a curve. Money as decimal strings."""

    at: int
    """Epoch seconds of the end of the step."""
    equity: str
    is_stale: bool = False


class EquityCurve(Struct, frozen=True, kw_only=True):
    """Equity of one account."""

    account_id: str
    step: Step
    points: list[EquityPoint]
    gaps: list[tuple[int, int, str]]
    """From, to (epoch seconds) and reason."""


class Gap(Struct, frozen=True, kw_only=True):
    """A time of which something is missing."""

    label: str | None
    """None: of every account."""
    from_us: int
    to_us: int
    reason: str


class Trade(Struct, frozen=True, kw_only=True):
    """One execution."""

    account_id: str
    account_number: str | None
    """The broker's: a label may have been another account's."""
    execution_id: str | None
    order_id: str | None
    client_order_id: str | None
    at: str | None
    symbol: str | None
    side: str | None
    qty: str | None
    price: str | None
    realized_pl: str | None
    """At average cost; null where the position before it is not known."""
    source: str
    busted: bool = False


class PastEvent(Struct, frozen=True, kw_only=True):
    """One event of an account, as it was recorded."""

    at: str
    broker_at: str | None
    kind: str
    order_id: str | None
    execution_id: str | None
    symbol: str | None
    side: str | None
    qty: str | None
    price: str | None
    status: str | None
    source: str
    version: int


def step_for(from_us: int, to_us: int, now_us: int) -> Step:
    """The finest step that is kept for this time and fits in `MAX_POINTS`."""
    span, age = to_us - from_us, now_us - from_us
    if span <= MAX_POINTS * MINUTE_US and age <= 14 * DAY_US:
        return "1Min"
    return "15Min" if span <= MAX_POINTS * QUARTER_US and age <= 400 * DAY_US else "1D"


def identity_starts(reader: HistoryReader, labels: Sequence[str]) -> dict[str, int]:
    """label → since when it is the broker's account that it is now, in µs, if it was another one
    before."""
    marks = ",".join("?" * len(labels))
    return dict(
        reader.read_ledger(
            "SELECT label, max(from_us) FROM identity JOIN account ON account.n = acc"
            f" WHERE label IN ({marks}) GROUP BY label HAVING count(*) > 1",
            labels,
        )
    )


def equity(reader: HistoryReader, label: str, from_us: int, to_us: int, step: Step) -> EquityCurve:
    """Equity of an account between two times: of the broker's account that the label is now."""
    begin_us = max(from_us, identity_starts(reader, [label]).get(label, 0))
    points = list(
        _minutes(reader, label, begin_us, to_us)
        if step == "1Min"
        else _rollup(reader, label, begin_us, to_us, step)
    )
    return EquityCurve(
        account_id=label,
        step=step,
        points=points[-MAX_POINTS:],
        gaps=[
            (gap.from_us // US, gap.to_us // US, gap.reason)
            for gap in gaps(reader, [label], from_us, to_us)
        ],
    )


def trades(
    reader: HistoryReader,
    labels: list[str],
    from_us: int,
    to_us: int,
    *,
    symbol: str | None = None,
    limit: int = MAX_ROWS,
) -> list[Trade]:
    """Executions between two times by the broker's time, newest first."""
    if not labels:
        return []
    marks = ",".join("?" * len(labels))
    rows = reader.read_ledger(
        "SELECT label, coalesce((SELECT identity.number FROM identity WHERE identity.acc = fill.acc"
        " AND identity.from_us <= fill.at_us ORDER BY identity.from_us DESC LIMIT 1),"
        " account.number), exe, fill.ord, client_order_id, fill.at_us, symbol.name, fill.side,"
        " fill.qty, fill.px, realized, source, removed_us FROM fill"
        " JOIN account ON account.n = fill.acc LEFT JOIN symbol ON symbol.n = fill.sym"
        " LEFT JOIN final ON final.acc = fill.acc AND final.ord = fill.ord"
        f" WHERE label IN ({marks}) AND fill.at_us >= ? AND fill.at_us < ?"
        " AND (? IS NULL OR symbol.name = ?) ORDER BY fill.at_us DESC, exe DESC"
        " LIMIT ?",
        (*labels, from_us, to_us, symbol, symbol, min(limit, MAX_ROWS)),
    )
    return [
        Trade(
            account_id=row[0],
            account_number=row[1],
            execution_id=unpack_id(row[2]),
            order_id=unpack_id(row[3]),
            client_order_id=row[4],
            at=None if row[5] is None else instant(row[5]),
            symbol=row[6],
            side=row[7],
            qty=plain(row[8], QTY_SCALE),
            price=plain(row[9], QTY_SCALE),
            realized_pl=plain(row[10], MONEY_SCALE),
            source=row[11],
            busted=row[12] is not None,
        )
        for row in rows
    ]


def events(
    reader: HistoryReader, label: str, from_us: int, to_us: int, limit: int = MAX_ROWS
) -> list[PastEvent]:
    """What happened in an account between two times, newest first."""
    found: list[PastEvent] = []
    for file in reversed(days(reader, from_us, to_us)):
        if len(found) >= limit:
            break
        found += _events_of_day(reader, file, label, from_us, to_us, limit - len(found))
    return found


def gaps(
    reader: HistoryReader, labels: list[str], from_us: int, to_us: int, limit: int = MAX_GAPS
) -> list[Gap]:
    """What is missing between two times, of some accounts or of all, oldest first."""
    if not labels:
        return []
    marks = ",".join("?" * len(labels))
    rows = reader.read_ledger(
        "SELECT label, from_us, coalesce(to_us, ?), reason FROM gap"
        " LEFT JOIN account ON account.n = gap.acc"
        f" WHERE (acc IS NULL OR label IN ({marks})) AND from_us < ? AND coalesce(to_us, ?) > ?"
        " ORDER BY from_us, gap.n LIMIT ?",
        (to_us, *labels, to_us, to_us, from_us, limit),
    )
    return [Gap(label=row[0], from_us=row[1], to_us=row[2], reason=row[3]) for row in rows]


def _minutes(reader: HistoryReader, label: str, from_us: int, to_us: int) -> Iterator[EquityPoint]:
    for file in days(reader, from_us, to_us):
        for minute, value, stale in read_day(
            reader,
            file,
            "SELECT minute, equity, stale FROM equity JOIN account ON account.n = acc"
            " WHERE label = ? AND minute BETWEEN ? AND ? AND equity IS NOT NULL ORDER BY minute",
            (label, from_us // MINUTE_US, to_us // MINUTE_US),
        ):
            yield EquityPoint(
                at=minute * 60, equity=plain(value, MONEY_SCALE) or "0", is_stale=bool(stale)
            )


def _rollup(
    reader: HistoryReader, label: str, from_us: int, to_us: int, step: Step
) -> Iterator[EquityPoint]:
    table, column = ("equity15", "slot") if step == "15Min" else ("day", "day")
    length = STEP_US[step]
    for at, value, stale_s in reader.read_ledger(
        f"SELECT {column}, close, stale_s FROM {table} JOIN account ON account.n = acc"
        f" WHERE label = ? AND {column} BETWEEN ? AND ? AND close IS NOT NULL ORDER BY {column}",
        (label, from_us // length, to_us // length),
    ):
        yield EquityPoint(
            at=(at + 1) * length // US,
            equity=plain(value, MONEY_SCALE) or "0",
            is_stale=bool(stale_s),
        )


def _events_of_day(
    reader: HistoryReader, file: DayPath, label: str, from_us: int, to_us: int, limit: int
) -> list[PastEvent]:
    rows = read_day(
        reader,
        file,
        "SELECT at_us, broker_us, kind, ord, exe, symbol.name, side, qty, px, status, source,"
        " version FROM event JOIN account ON account.n = acc"
        " LEFT JOIN symbol ON symbol.n = sym"
        " WHERE label = ? AND at_us >= ? AND at_us < ? ORDER BY event.n DESC LIMIT ?",
        (label, from_us, to_us, limit),
    )
    return [
        PastEvent(
            at=instant(row[0]),
            broker_at=None if row[1] is None else instant(row[1]),
            kind=row[2],
            order_id=unpack_id(row[3]),
            execution_id=unpack_id(row[4]),
            symbol=row[5],
            side=row[6],
            qty=plain(row[7], QTY_SCALE),
            price=plain(row[8], QTY_SCALE),
            status=row[9],
            source=row[10],
            version=row[11],
        )
        for row in rows
    ]
