"""The fleet in a few figures, flat: for small clients that show a number or two."""

from collections.abc import Container, Iterable, Sequence

from msgspec import UNSET, Struct, UnsetType

from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.health import Condition
from realtime.api.documents.mark_totals import BookMarks
from realtime.core.decimals import sum_amounts
from realtime.core.model import AccountLabel


class TierSummary(Struct, frozen=True, kw_only=True):
    """Counts and sums of the accounts of one tier; money is that of the accounts that were read."""

    accounts: int
    """Enabled ones."""
    synced: int
    stale: int
    equity: str
    day_pl: str
    cash: str
    total_pl: str | None
    """Of the accounts whose total profit is known; None if it is of none."""
    total_pl_accounts: int
    """How many these are."""
    positions: int
    open_orders: int
    equity_mark: str | UnsetType | None = UNSET
    """Of all accounts marked to market; None if one of them is unknown; absent without market data.
    """
    day_pl_mark: str | UnsetType | None = UNSET
    """The same of the profit of the day."""


class SummaryDocument(Struct, frozen=True, kw_only=True):
    """Counts and sums. Money is summed over the accounts that were read."""

    as_of: str
    status: Condition
    accounts: int
    """Enabled ones."""
    synced: int
    stale: int
    unread: int
    """Enabled accounts that were never read."""
    equity: str
    last_equity: str
    day_pl: str
    cash: str
    positions: int
    open_orders: int
    total_pl: str | None
    """Of the accounts whose total profit is known; None if it is of none."""
    total_pl_accounts: int
    """How many these are."""
    by_tier: dict[str, TierSummary]
    """Tier → its accounts; accounts without a tier are under the empty name."""
    equity_mark: str | UnsetType | None = UNSET
    """Of all accounts marked to market; None if one of them is unknown; absent without market data.
    """
    day_pl_mark: str | UnsetType | None = UNSET
    """The same of the profit of the day."""
    marks_by_book: list[BookMarks] | UnsetType = UNSET
    """Positions marked to market by book; absent without books, or without market data."""


def make_summary(
    rows: Iterable[AccountRow],
    disabled: Container[AccountLabel],
    *,
    as_of: str,
    status: Condition,
    accounts: int,
    synced: int,
    stale: int,
    by_book: list[BookMarks] | None = None,
) -> SummaryDocument:
    """The document of all rows; the counts are those of the health document."""
    rows = list(rows)
    read = [row for row in rows if row.equity is not None]
    return SummaryDocument(
        as_of=as_of,
        status=status,
        accounts=accounts,
        synced=synced,
        stale=stale,
        unread=accounts - len(read),
        equity=_add(row.equity for row in read),
        last_equity=_add(row.last_equity for row in read),
        day_pl=_add(row.day_pl for row in read),
        cash=_add(row.cash for row in read),
        positions=sum(row.positions or 0 for row in read),
        open_orders=sum(row.open_orders or 0 for row in read),
        total_pl=sum_amounts(row.total_pl for row in rows),
        total_pl_accounts=sum(row.total_pl is not None for row in rows),
        by_tier=_group_by_tier(rows, disabled),
        equity_mark=sum_marks(row.equity_mark for row in rows),
        day_pl_mark=sum_marks(row.day_pl_mark for row in rows),
        marks_by_book=by_book or UNSET,
    )


def _group_by_tier(
    rows: Iterable[AccountRow], disabled: Container[AccountLabel]
) -> dict[str, TierSummary]:
    tiers: dict[str, list[AccountRow]] = {}
    for row in rows:
        tiers.setdefault(row.tier or "", []).append(row)
    return {tier: _sum_tier(tiers[tier], disabled) for tier in sorted(tiers)}


def _sum_tier(rows: Sequence[AccountRow], disabled: Container[AccountLabel]) -> TierSummary:
    enabled = [row for row in rows if row.account_id not in disabled]
    return TierSummary(
        accounts=len(enabled),
        synced=sum(1 for row in enabled if row.connected),
        stale=sum(1 for row in enabled if row.stale),
        equity=_add(row.equity for row in rows),
        day_pl=_add(row.day_pl for row in rows),
        cash=_add(row.cash for row in rows),
        total_pl=sum_amounts(row.total_pl for row in rows),
        total_pl_accounts=sum(row.total_pl is not None for row in rows),
        positions=sum(row.positions or 0 for row in rows),
        open_orders=sum(row.open_orders or 0 for row in rows),
        equity_mark=sum_marks(row.equity_mark for row in rows),
        day_pl_mark=sum_marks(row.day_pl_mark for row in rows),
    )


def sum_marks(amounts: Iterable[str | UnsetType | None]) -> str | UnsetType | None:
    """The sum of the accounts that are marked; unknown if that of one of them is."""
    marks = [amount for amount in amounts if amount is not UNSET]
    if not marks:
        return UNSET
    return None if None in marks else sum_amounts(mark for mark in marks if mark)


def _add(texts: Iterable[str | None]) -> str:
    return sum_amounts(texts) or "0"
