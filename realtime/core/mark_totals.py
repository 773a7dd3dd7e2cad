"""Marks of several accounts added up: by tier and by book, moved by each new mark.

A new mark replaces the account's old one in every sum, so a sum costs the same however many
accounts it has. What is added up are the cents that clients see, so that they can check a sum;
paper and real money are never added up.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from realtime.core.decimals import ZERO
from realtime.core.mark import AccountMark, BookMark, to_cents
from realtime.core.model import AccountLabel


class Group(NamedTuple):
    """What marks are added up by."""

    paper: bool
    name: str
    """A tier, empty for accounts without one; or a book."""


class TierTotals(Struct, kw_only=True, gc=False):
    """The sums of one tier. `unknown` accounts have no marked equity: nor has the tier then."""

    accounts: int = 0
    unknown: int = 0
    day_unknown: int = 0
    """Accounts whose profit of the day is unknown."""
    known_equity: Decimal = ZERO
    known_day_pl: Decimal = ZERO
    cash: Decimal = ZERO
    long_market_value: Decimal = ZERO
    short_market_value: Decimal = ZERO
    unrealized_pl: Decimal = ZERO
    unrealized_intraday_pl: Decimal = ZERO

    @property
    def equity(self) -> Decimal | None:
        """None if that of one account is unknown."""
        return None if self.unknown else self.known_equity

    @property
    def day_pl(self) -> Decimal | None:
        """None if that of one account is unknown."""
        return None if self.day_unknown else self.known_day_pl

    def add(self, mark: AccountMark, sign: int = 1) -> None:
        """Add a mark, or remove it again with `sign` -1."""
        self.accounts += sign
        self.unknown += sign * (mark.equity is None)
        self.day_unknown += sign * (mark.day_pl is None)
        self.known_equity += sign * to_cents(mark.equity or ZERO)
        self.known_day_pl += sign * to_cents(mark.day_pl or ZERO)
        self.cash += sign * to_cents(mark.cash)
        self.long_market_value += sign * to_cents(mark.long_market_value)
        self.short_market_value += sign * to_cents(mark.short_market_value)
        self.unrealized_pl += sign * to_cents(mark.unrealized_pl)
        self.unrealized_intraday_pl += sign * to_cents(mark.unrealized_intraday_pl)


class BookTotals(Struct, kw_only=True, gc=False):
    """The sums of one book over accounts; positions without a price are not in them."""

    accounts: int = 0
    unpriced: int = 0
    """Accounts in which a position has no price."""
    market_value: Decimal = ZERO
    unrealized_pl: Decimal = ZERO
    unrealized_intraday_pl: Decimal = ZERO

    def add(self, book: BookMark, *, is_priced: bool, sign: int = 1) -> None:
        """Add a book of one account, or remove it again with `sign` -1."""
        self.accounts += sign
        self.unpriced += sign * (not is_priced)
        self.market_value += sign * book.market_value
        self.unrealized_pl += sign * book.unrealized_pl
        self.unrealized_intraday_pl += sign * book.unrealized_intraday_pl


class _Counted(NamedTuple):
    tier: Group
    mark: AccountMark


class MarkTotals:
    """All sums. One writer."""

    def __init__(self) -> None:
        self._tiers: dict[Group, TierTotals] = {}
        self._books: dict[Group, BookTotals] = {}
        self._counted: dict[AccountLabel, _Counted] = {}

    @property
    def tiers(self) -> Mapping[Group, TierTotals]:
        """By tier; a tier without a marked account is absent."""
        return self._tiers

    @property
    def books(self) -> Mapping[Group, BookTotals]:
        """By book; empty where none are configured."""
        return self._books

    def update(
        self, label: AccountLabel, mark: AccountMark | None, *, paper: bool, tier: str | None
    ) -> None:
        """Replace an account's mark; None: it has none, or is removed."""
        old = self._counted.pop(label, None)
        if old is not None:
            self._add(old, -1)
        if mark is not None:
            new = self._counted[label] = _Counted(Group(paper, tier or ""), mark)
            self._add(new, 1)

    def _add(self, counted: _Counted, sign: int) -> None:
        group, mark = counted
        totals = self._tiers.setdefault(group, TierTotals())
        totals.add(mark, sign)
        if not totals.accounts:
            del self._tiers[group]
        for book in mark.books:
            key = Group(group.paper, book.name)
            sums = self._books.setdefault(key, BookTotals())
            sums.add(book, is_priced=not mark.prices.unpriced, sign=sign)
            if not sums.accounts:
                del self._books[key]
