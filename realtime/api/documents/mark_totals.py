"""Marks of several accounts added up, as clients see them: by tier and by book."""

from collections.abc import Iterable
from decimal import Decimal

from msgspec import Struct

from realtime.core.decimals import plain
from realtime.core.mark_totals import MarkTotals
from realtime.store.records import Record


class TierMarks(Struct, frozen=True, kw_only=True):
    """The marked accounts of one tier. Amounts are sums of the cents that accounts show."""

    tier: str
    """Empty for accounts without one."""
    paper: bool
    accounts: int
    unknown: int
    """Accounts whose marked equity is unknown; the tier's is unknown then."""
    equity_mark: str | None
    day_pl_mark: str | None
    cash: str
    long_market_value: str
    short_market_value: str
    unrealized_pl: str
    unrealized_intraday_pl: str


class BookMarks(Struct, frozen=True, kw_only=True):
    """One book over the marked accounts, at the accounts' average entry prices."""

    book: str
    paper: bool
    accounts: int
    unpriced: int
    """Accounts with a position that has no price: it is in no sum."""
    market_value: str
    unrealized_pl: str
    unrealized_intraday_pl: str


class MarkTotalsDocument(Struct, frozen=True, kw_only=True):
    """Sums by tier, and by book where books are configured. Paper and real money are apart."""

    by_tier: list[TierMarks]
    by_book: list[BookMarks]


def make_mark_totals(totals: MarkTotals) -> MarkTotalsDocument:
    """The document of these sums: paper first, tiers by name, books as the accounts list them."""
    tiers = sorted(totals.tiers.items(), key=lambda item: (not item[0].paper, item[0].name))
    books = sorted(totals.books.items(), key=lambda item: not item[0].paper)
    return MarkTotalsDocument(
        by_tier=[
            TierMarks(
                tier=group.name,
                paper=group.paper,
                accounts=sums.accounts,
                unknown=sums.unknown,
                equity_mark=_plain(sums.equity),
                day_pl_mark=_plain(sums.day_pl),
                cash=plain(sums.cash),
                long_market_value=plain(sums.long_market_value),
                short_market_value=plain(sums.short_market_value),
                unrealized_pl=plain(sums.unrealized_pl),
                unrealized_intraday_pl=plain(sums.unrealized_intraday_pl),
            )
            for group, sums in tiers
        ],
        by_book=[
            BookMarks(
                book=group.name,
                paper=group.paper,
                accounts=sums.accounts,
                unpriced=sums.unpriced,
                market_value=plain(sums.market_value),
                unrealized_pl=plain(sums.unrealized_pl),
                unrealized_intraday_pl=plain(sums.unrealized_intraday_pl),
            )
            for group, sums in books
        ],
    )


def add_up_marks(records: Iterable[Record]) -> MarkTotals:
    """The sums of some accounts, for a client that may not see all."""
    totals = MarkTotals()
    for record in records:
        profile = record.profile
        totals.update(profile.label, record.mark, paper=profile.paper, tier=profile.tier)
    return totals


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
