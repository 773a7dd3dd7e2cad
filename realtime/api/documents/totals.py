"""Sums over many accounts, paper and real money apart: they are never added up."""

from collections.abc import Iterable, Sequence

from msgspec import UNSET, Struct, UnsetType

from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.timestamps import format_millis
from realtime.core.decimals import plain, sum_amounts
from realtime.core.mark import AccountMark
from realtime.core.mark_totals import TierTotals
from realtime.store.records import Record


class MarkedMoney(Struct, frozen=True, kw_only=True):
    """The marked accounts of one kind of money."""

    paper: bool
    accounts: int
    unknown: int
    """Accounts whose marked equity is unknown; the sum is unknown then."""
    equity: str | None
    day_pl: str | None
    price_at: str | None
    """The broker's time of the oldest price; None without positions."""
    indicative: bool
    """Whether the feed carries only a part of all trades."""


class MoneyTotals(Struct, frozen=True, kw_only=True):
    """Sums of the accounts of one kind of money. A sum is `None` while no account is known."""

    paper: bool
    accounts: int
    """Enabled ones."""
    read: int
    """Those that were read: the sums are theirs."""
    stale: int
    """Of those read: figures that may be behind the broker."""
    equity: str | None
    last_equity: str | None
    day_pl: str | None
    flows_today: str | None
    """Deposits minus withdrawals since the last close, where known; `day_pl` contains them."""
    flows_unknown: int
    """Accounts that were read and whose flows are not known."""
    cash: str | None
    buying_power: str | None
    positions: int | None
    open_orders: int | None
    confirmed_at: str | None
    """When the broker last confirmed the money that was confirmed longest ago."""
    marks: MarkedMoney | UnsetType = UNSET
    """Marked to market; absent without market data."""


def add_up(accounts: Iterable[tuple[Record, AccountRow]]) -> list[MoneyTotals]:
    """The totals of each kind of money that there is, paper first."""
    by_kind: dict[bool, list[tuple[Record, AccountRow]]] = {}
    for record, row in accounts:
        by_kind.setdefault(row.paper, []).append((record, row))
    return [_totals(paper, by_kind[paper]) for paper in (True, False) if paper in by_kind]


def _totals(paper: bool, accounts: list[tuple[Record, AccountRow]]) -> MoneyTotals:
    enabled = [(r, row) for r, row in accounts if r.link.state != "disabled"]
    read = [(r, row) for r, row in accounts if row.equity is not None]
    rows = [row for _, row in read]
    confirmed = [r.confirmed_at for r, _ in read if r.confirmed_at is not None]
    return MoneyTotals(
        paper=paper,
        accounts=len(enabled),
        read=len(read),
        stale=sum(1 for r, row in read if row.stale and r.link.state != "disabled"),
        equity=sum_amounts(row.equity for row in rows),
        last_equity=sum_amounts(row.last_equity for row in rows if row.day_pl is not None),
        day_pl=sum_amounts(row.day_pl for row in rows),
        flows_today=sum_amounts(row.flows_today for row in rows),
        flows_unknown=sum(1 for row in rows if row.flows_today is None),
        cash=sum_amounts(row.cash for row in rows),
        buying_power=sum_amounts(row.buying_power for row in rows),
        positions=sum(row.positions or 0 for row in rows) if rows else None,
        open_orders=sum(row.open_orders or 0 for row in rows) if rows else None,
        confirmed_at=format_millis(min(confirmed)) if confirmed else None,
        marks=add_up_money(paper, [r.mark for r, _ in accounts if r.mark is not None]),
    )


def add_up_money(paper: bool, marks: Sequence[AccountMark]) -> MarkedMoney | UnsetType:
    """The sums of accounts of one kind of money; absent without any."""
    if not marks:
        return UNSET
    sums = TierTotals()
    for mark in marks:
        sums.add(mark)
    times = [mark.price_at for mark in marks if mark.price_at is not None]
    return MarkedMoney(
        paper=paper,
        accounts=sums.accounts,
        unknown=sums.unknown,
        equity=None if sums.equity is None else plain(sums.equity),
        day_pl=None if sums.day_pl is None else plain(sums.day_pl),
        price_at=format_millis(min(times)) if times else None,
        indicative=marks[0].feed == "iex",
    )
