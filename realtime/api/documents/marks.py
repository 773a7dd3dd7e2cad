"""An account marked to market: amounts as decimal strings to the cent, `None` while unknown."""

from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from realtime.api.documents.timestamps import format_millis
from realtime.core.decimals import number, plain
from realtime.core.mark import AccountMark, EquitySource, PositionMark, Session
from realtime.core.mark_error import ErrorSummary
from realtime.core.mark_prices import PriceSource
from realtime.core.model import Account
from realtime.store.records import Record

CENT = Decimal("0.01")
PERCENT_PLACES = Decimal("0.0001")
POINT_PLACES = Decimal("0.01")


class MarkAccuracy(Struct, frozen=True, kw_only=True):
    """How far marks were from the broker's equity at the last reads: percentiles without sign, in
    the account's currency and in hundredths of a per cent."""

    reads: int
    p50: str
    p95: str
    max: str
    p50_bps: str
    p95_bps: str
    max_bps: str
    last: str
    """The last one: ours minus the broker's."""


class MarkPrices(Struct, frozen=True, kw_only=True):
    """Positions by the age of their price; symbols of those that need attention."""

    fresh: int
    old: int
    unpriced: tuple[str, ...]
    halted: tuple[str, ...]
    held: tuple[str, ...]


class BuyingPower(Struct, frozen=True, kw_only=True):
    """The broker's figure of the last read: its formula is not published."""

    value: str | None
    source: Literal["rest"] = "rest"
    at: str | None


class MarkedBook(Struct, frozen=True, kw_only=True):
    """A book's part of the positions, at the account's average entry prices."""

    book: str
    market_value: str
    unrealized_pl: str
    unrealized_intraday_pl: str


class MarkDocument(Struct, frozen=True, kw_only=True):
    """One mark. `equity` is ours, `equity_rest` the broker's."""

    as_of: str
    seq: int
    equity: str | None
    reason: str | None
    """Why `equity` is unknown; None if it is known."""
    equity_rest: str | None
    equity_rest_at: str | None
    error: MarkAccuracy | None
    cash: str
    long_market_value: str
    short_market_value: str
    unrealized_pl: str
    unrealized_intraday_pl: str
    last_equity: str | None
    last_equity_source: EquitySource
    day_pl: str | None
    day_pl_pct: str | None
    buying_power: BuyingPower
    maintenance_cushion: str | None
    """Equity minus the broker's maintenance margin: below zero is a margin call."""
    prices: MarkPrices
    price_at: str | None
    """The broker's time of the oldest price."""
    feed: str
    indicative: bool
    """Whether the feed carries only a part of all trades."""
    session: Session | None
    provisional: bool
    stale: bool
    books: list[MarkedBook] | UnsetType = UNSET
    """Parts of the positions by book, which add up to them; absent without books."""


class PositionMarkRow(Struct, frozen=True, kw_only=True):
    """One position at its marked price."""

    symbol: str
    qty: str
    price: str | None
    market_value: str | None
    unrealized_pl: str | None
    unrealized_intraday_pl: str | None
    price_at: str | None
    """The broker's time of the price."""
    source: PriceSource | None
    """`trade` or `quote` of the feed, or `broker`: the price in its last read."""
    feed: str | None
    """Of a trade or a quote: `sip`, `iex`, `opra`, `indicative` or `us` (coins)."""
    old: bool
    """Older than is normal for the kind of asset in this session."""
    halted: bool
    held: bool
    """A price or a quantity jumped, and waits for a read."""
    held_price: str | None
    """The price that waits."""


def make_position_mark(mark: PositionMark, feed: str | None) -> PositionMarkRow:
    """The row of a position whose prices are from a feed."""
    return PositionMarkRow(
        symbol=mark.symbol,
        qty=plain(mark.qty),
        price=_plain(mark.price),
        market_value=format_cents(mark.market_value),
        unrealized_pl=format_cents(mark.unrealized_pl),
        unrealized_intraday_pl=format_cents(mark.unrealized_intraday_pl),
        price_at=_format_time(mark.price_at),
        source=mark.source,
        feed=None if mark.source in (None, "broker") else feed,
        old=mark.is_old,
        halted=mark.is_halted,
        held=mark.is_held,
        held_price=_plain(mark.held_price),
    )


def make_mark(record: Record) -> MarkDocument | None:
    """The mark of a record; None if it has none."""
    mark, account = record.mark, record.state.account
    if mark is None or account is None:
        return None
    return MarkDocument(
        as_of=format_millis(mark.at),
        seq=mark.seq,
        equity=format_cents(mark.equity),
        reason=_reason(mark),
        equity_rest=format_cents(mark.equity_rest),
        equity_rest_at=_format_time(mark.equity_rest_at),
        error=None if mark.error is None else make_accuracy(mark.error),
        cash=to_cents(mark.cash),
        long_market_value=to_cents(mark.long_market_value),
        short_market_value=to_cents(mark.short_market_value),
        unrealized_pl=to_cents(mark.unrealized_pl),
        unrealized_intraday_pl=to_cents(mark.unrealized_intraday_pl),
        last_equity=format_cents(mark.last_equity),
        last_equity_source=mark.last_equity_source,
        day_pl=format_cents(mark.day_pl),
        day_pl_pct=_percent(mark.day_pl, mark.last_equity),
        buying_power=BuyingPower(value=account.buying_power, at=_format_time(mark.equity_rest_at)),
        maintenance_cushion=_cushion(mark, account),
        prices=MarkPrices(
            fresh=mark.prices.fresh,
            old=mark.prices.old,
            unpriced=mark.prices.unpriced,
            halted=mark.prices.halted,
            held=mark.prices.held,
        ),
        price_at=_format_time(mark.price_at),
        feed=mark.feed,
        indicative=mark.feed == "iex",
        session=mark.session,
        provisional=mark.is_provisional,
        stale=mark.is_stale,
        books=UNSET
        if not mark.books
        else [
            MarkedBook(
                book=book.name,
                market_value=to_cents(book.market_value),
                unrealized_pl=to_cents(book.unrealized_pl),
                unrealized_intraday_pl=to_cents(book.unrealized_intraday_pl),
            )
            for book in mark.books
        ],
    )


def make_accuracy(error: ErrorSummary) -> MarkAccuracy:
    """The errors of marks as clients see them."""
    return MarkAccuracy(
        reads=error.reads,
        p50=to_cents(error.p50),
        p95=to_cents(error.p95),
        max=to_cents(error.max),
        p50_bps=plain(error.p50_bps.quantize(POINT_PLACES)),
        p95_bps=plain(error.p95_bps.quantize(POINT_PLACES)),
        max_bps=plain(error.max_bps.quantize(POINT_PLACES)),
        last=to_cents(error.last),
    )


def to_cents(amount: Decimal) -> str:
    """An amount rounded to cents, without trailing zeros, as the broker writes it."""
    return plain(amount.quantize(CENT))


def format_cents(amount: Decimal | None) -> str | None:
    """The same of an amount that may be unknown."""
    return None if amount is None else to_cents(amount)


def _cushion(mark: AccountMark, account: Account) -> str | None:
    margin = account.maintenance_margin
    if mark.equity is None or margin is UNSET or margin is None:
        return None
    return to_cents(mark.equity - number(margin))


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)


def _reason(mark: AccountMark) -> str | None:
    if mark.equity is not None:
        return None
    return f"no price of {', '.join(mark.prices.unpriced)}"


def _percent(part: Decimal | None, whole: Decimal | None) -> str | None:
    if part is None or not whole:
        return None
    return plain((part / whole * 100).quantize(PERCENT_PLACES))


def _format_time(at: float | None) -> str | None:
    return None if at is None else format_millis(at)
