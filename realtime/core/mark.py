"""Marks as values: what clients see of one account, or of several together."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from msgspec import Struct

from realtime.core.mark_error import ErrorSummary
from realtime.core.mark_prices import PriceSource
from realtime.core.model import AccountLabel, Symbol

CENT = Decimal("0.01")

EquitySource = Literal["broker", "mark"]

Session = Literal["pre", "regular", "post", "overnight", "closed"]
"""A trading session of New York; `overnight` belongs to the trading day that follows."""


class PriceCounts(Struct, frozen=True, kw_only=True):
    """Positions by the age of their price."""

    fresh: int
    old: int
    """Older than is normal for the kind of asset in this session."""
    unpriced: tuple[str, ...] = ()
    """Symbols without any price: equity is unknown then."""
    halted: tuple[str, ...] = ()
    """Symbols whose trading is halted; they keep their price."""
    held: tuple[str, ...] = ()
    """Symbols whose price or quantity jumped: the one before is kept until a read shows it too."""


class BookMark(Struct, frozen=True, kw_only=True, gc=False):
    """A book's part of one account's positions, at the account's average entry prices. In cents,
    so that the books add up to what is shown of the account. Positions without a price are not in
    it."""

    name: str
    market_value: Decimal
    """Long minus short."""
    unrealized_pl: Decimal
    unrealized_intraday_pl: Decimal


class PositionMark(Struct, frozen=True, kw_only=True, gc=False):
    """One position at its marked price."""

    symbol: Symbol
    qty: Decimal
    price: Decimal | None
    market_value: Decimal | None
    unrealized_pl: Decimal | None
    unrealized_intraday_pl: Decimal | None
    price_at: float | None
    """Of the trade or the read, epoch seconds."""
    source: PriceSource | None
    is_old: bool
    is_halted: bool
    held_price: Decimal | None
    """A price that jumped, and waits for a read."""
    is_held: bool


class AccountMark(Struct, frozen=True, kw_only=True):
    """One account marked to market. Amounts are in the account's currency; `None` is unknown."""

    label: AccountLabel
    seq: int
    """Grows with every mark of any account in this run."""
    at: float
    """When it was computed, epoch seconds."""
    equity: Decimal | None
    cash: Decimal
    long_market_value: Decimal
    short_market_value: Decimal
    unrealized_pl: Decimal
    unrealized_intraday_pl: Decimal
    last_equity: Decimal | None
    last_equity_source: EquitySource
    """`mark`: rolled over at the close by us; the broker has not shown a new one yet."""
    prices: PriceCounts
    price_at: float | None
    """The broker's time of the oldest price, epoch seconds."""
    feed: str
    """The stock feed: with `iex`, which carries a few per cent of all trades, marks are indicative.
    """
    session: Session | None
    """None: the calendar is not known."""
    is_provisional: bool
    """Whether a fill is not confirmed by a read yet: fees are missing, and costs are computed."""
    is_stale: bool
    """Whether the account's own state may be behind the broker."""
    equity_rest: Decimal | None
    equity_rest_at: float | None
    """When the read began, epoch seconds."""
    error: ErrorSummary | None
    books: tuple[BookMark, ...] = ()
    """In the order of the configuration, `other` last; empty without `[books]`."""

    @property
    def day_pl(self) -> Decimal | None:
        """Equity minus that of the last close, deposits included."""
        if self.equity is None or self.last_equity is None:
            return None
        return self.equity - self.last_equity


def to_cents(amount: Decimal) -> Decimal:
    """Round as money is shown."""
    return amount.quantize(CENT, ROUND_HALF_EVEN)
