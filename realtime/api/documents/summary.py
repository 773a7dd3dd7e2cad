"""The fleet in a few figures, flat: for small clients that show a number or two."""

from collections.abc import Iterable

from msgspec import Struct

from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.health import Condition
from realtime.core.decimals import number, plain


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


def make_summary(
    rows: Iterable[AccountRow],
    *,
    as_of: str,
    status: Condition,
    accounts: int,
    synced: int,
    stale: int,
) -> SummaryDocument:
    """The document of all rows; the counts are those of the health document."""
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
    )


def _add(texts: Iterable[str | None]) -> str:
    return plain(sum((number(text) for text in texts), number(None)))
