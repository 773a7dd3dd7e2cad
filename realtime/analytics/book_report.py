"""The books of one account now: positions, profit and orders by strategy.

Rebuilt from the ledger at each request, so a restart or another configuration changes nothing. The
quantities of the books add up to the broker's position, always: a difference is put into `other`,
with its reason.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from realtime.analytics.account_history import AccountHistory
from realtime.analytics.activity_types import CORPORATE, EXPIRY, OPTION_TRADES, SECURITIES_FLOWS
from realtime.analytics.books import Book, BookOfOrder, Books, OrderKey, Origin, make_books
from realtime.analytics.compare.members import coins_with_fee, is_coin_fee
from realtime.analytics.compare.row_data import sum_known
from realtime.analytics.estimates import Estimate, Span
from realtime.analytics.figure_types import Money, money
from realtime.analytics.ledger_inputs import read_origins, read_prices
from realtime.analytics.recent import read_accounts
from realtime.analytics.round_trips import Fill, Holding
from realtime.core.trading_days import previous_trading_day, to_date, to_number, trading_day_at
from realtime.history.exact import (
    MONEY_SCALE,
    QTY_SCALE,
    US,
    instant,
    pack_id,
    plain,
    quantity,
)
from realtime.history.exact import money as to_units
from realtime.history.reading import HistoryReader
from realtime.history.realized import PRICE_TO_MONEY, shares_of

UNKNOWN_ENTRY = "the entry price is not known"


class BrokerPosition(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A position as the broker has it now."""

    qty: str
    price: str | None = None
    lastday_price: str | None = None


class OpenOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order that works at the broker."""

    id: str
    client_order_id: str | None = None
    parent: str | None = None
    replaces: str | None = None


class BooksRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account as the daemon knows it now."""

    label: str
    books: dict[str, str] = {}
    """Book → prefix, in the order of the configuration."""
    positions: dict[str, BrokerPosition] | None = None
    """None: not known."""
    open_orders: list[OpenOrder] = []
    equity: str | None = None
    is_provisional: bool = False
    now_us: int = 0


class BookPosition(Struct, frozen=True, kw_only=True):
    """A book's part of a position."""

    symbol: str
    qty: str
    avg_entry_price: str | None
    market_value: str | None
    unrealized_pl: Money


class BookRow(Struct, frozen=True, kw_only=True):
    """One book."""

    name: str
    prefix: str | None
    day_pl: Money
    realized_pl: Money
    """Of all executions that are known."""
    unrealized_pl: Money
    exposure_pct: Estimate
    """Market value, long and short together, over the account's equity."""
    open_orders: int
    fills: int
    round_trips: int
    win_rate_pct: Estimate
    positions: list[BookPosition]


class BookDifference(Struct, frozen=True, kw_only=True):
    """A quantity that no execution explains: it is in `other`."""

    symbol: str
    qty: str
    reason: str


class OpposedBooks(Struct, frozen=True, kw_only=True):
    """Books with opposite positions in one symbol: the broker holds the difference."""

    symbol: str
    books: dict[str, str]
    broker: str


class BooksDocument(Struct, frozen=True, kw_only=True):
    """The books of an account, in the order of the configuration, `other` last."""

    account_id: str
    as_of: str
    since: str | None
    """The first execution that is known; what was held before is in `other`."""
    provisional: bool
    """Whether positions may change without an order: a read has not confirmed them yet."""
    balanced: bool
    """Whether executions alone explain every position."""
    books: list[BookRow]
    differences: list[BookDifference]
    opposed: list[OpposedBooks]


def make_book_report(reader: HistoryReader, request: BooksRequest) -> BooksDocument:
    """The books of an account."""
    today = trading_day_at(request.now_us / US)
    before = to_number(previous_trading_day(today))
    histories = read_accounts(reader, [request.label], to_number(today), request.now_us)
    history = histories.get(request.label)
    fills = [] if history is None else history.fills
    origins = _origins(read_origins(reader, request.label), request.open_orders)
    orders = BookOfOrder(request.books, origins)
    positions = request.positions
    coins = frozenset[str]()
    if history is not None and positions is not None:
        coins = coins_with_fee({symbol: p.qty for symbol, p in positions.items()}, history.sums)
    books = make_books(fills, orders, request.books, coins_with_fee=coins)
    differences: list[tuple[str, int]] = []
    if positions is not None:
        held = {symbol: quantity(p.qty) or 0 for symbol, p in positions.items()}
        differences = books.reconcile(held, request.now_us)
    closes = read_prices(reader, {fill.symbol for fill in fills}, before, before)
    marks = _Marks(positions or {}, closes, before, to_number(today), to_units(request.equity))
    counts: dict[str, int] = {}
    for order in request.open_orders:
        name = orders.get(pack_id(order.id))
        counts[name] = counts.get(name, 0) + 1
    since = to_date(fills[0].day).isoformat() if fills else None
    span = Span(since, today.isoformat(), len({fill.day for fill in fills}))
    return BooksDocument(
        account_id=request.label,
        as_of=instant(request.now_us),
        since=since,
        provisional=request.is_provisional or positions is None,
        balanced=not differences,
        books=[
            _row(book, request.books.get(name), marks, counts.get(name, 0), span)
            for name, book in books.books.items()
        ],
        differences=[
            BookDifference(
                symbol=symbol,
                qty=plain(qty, QTY_SCALE) or "0",
                reason=_reason(history, symbol, qty, since),
            )
            for symbol, qty in differences
        ],
        opposed=_opposed(books),
    )


class _Marks(Struct, frozen=True):
    """Prices now and at the close before, and the account's equity."""

    positions: Mapping[str, BrokerPosition]
    closes: Mapping[str, Mapping[int, int]]
    before: int
    today: int
    equity: int | None

    def price(self, symbol: str) -> int | None:
        position = self.positions.get(symbol)
        return None if position is None else quantity(position.price)

    def last_close(self, symbol: str) -> int | None:
        position = self.positions.get(symbol)
        known = None if position is None else quantity(position.lastday_price)
        return self.closes.get(symbol, {}).get(self.before) if known is None else known


def _origins(
    origins: dict[OrderKey, Origin], open_orders: Sequence[OpenOrder]
) -> dict[OrderKey, Origin]:
    """Also orders of the last moment, which the ledger does not have yet."""
    for order in open_orders:
        key = pack_id(order.id)
        if key is not None and key not in origins:
            origins[key] = Origin(
                order.client_order_id, pack_id(order.parent), pack_id(order.replaces)
            )
    return origins


def _row(book: Book, prefix: str | None, marks: _Marks, open_orders: int, span: Span) -> BookRow:
    held = [holding for holding in book.holdings.values() if holding.qty]
    positions = [_position(holding, marks) for holding in held]
    values = [to_units(position.market_value) for position in positions]
    open_pl = [to_units(position.unrealized_pl.amount) for position in positions]
    known = [trip.realized for trip in book.trips if trip.realized is not None]
    if marks.equity is None or marks.equity <= 0 or None in values:
        exposure = span.unknown("the account's equity or a price is not known")
    else:
        total = sum(abs(value) for value in values if value is not None)
        exposure = span.measure(total / marks.equity * 100)
    return BookRow(
        name=book.name,
        prefix=prefix,
        day_pl=_day_pl(book, marks),
        realized_pl=money(sum_known(list(book.realized.values())), UNKNOWN_ENTRY),
        unrealized_pl=money(sum_known(open_pl), UNKNOWN_ENTRY),
        exposure_pct=exposure,
        open_orders=open_orders,
        fills=len(book.fills),
        round_trips=len(book.trips),
        win_rate_pct=span.share(sum(gain > 0 for gain in known), len(known), "no closed trade yet"),
        positions=positions,
    )


def _position(holding: Holding, marks: _Marks) -> BookPosition:
    price = marks.price(holding.symbol)
    shares = shares_of(holding.symbol)
    value = None if price is None else holding.qty * price * shares // PRICE_TO_MONEY
    gain = None
    if price is not None and holding.is_known:
        gain = (holding.qty * price - holding.cost) * shares // PRICE_TO_MONEY
    return BookPosition(
        symbol=holding.symbol,
        qty=plain(holding.qty, QTY_SCALE) or "0",
        avg_entry_price=plain(holding.cost // holding.qty, QTY_SCALE) if holding.is_known else None,
        market_value=plain(value, MONEY_SCALE),
        unrealized_pl=money(gain, "no price" if price is None else UNKNOWN_ENTRY),
    )


def _day_pl(book: Book, marks: _Marks) -> Money:
    """What the book made since the close before, at the prices of now."""
    traded: dict[str, list[Fill]] = {}
    for fill in book.fills:
        if fill.day == marks.today:
            traded.setdefault(fill.symbol, []).append(fill)
    total = 0
    for symbol in traded.keys() | {s for s, h in book.holdings.items() if h.qty}:
        holding = book.holdings[symbol]
        fills = traded.get(symbol, [])
        before = holding.qty - sum(fill.qty for fill in fills)
        price = marks.price(symbol) if holding.qty else 0
        close = marks.last_close(symbol) if before else 0
        if price is None or close is None:
            return Money(amount=None, reason=f"no price of {symbol}")
        paid = sum(fill.qty * fill.price for fill in fills)
        total += (holding.qty * price - before * close - paid) * shares_of(symbol)
    return money(total // PRICE_TO_MONEY)


def _reason(history: AccountHistory | None, symbol: str, difference: int, since: str | None) -> str:
    """Why executions do not explain a quantity."""
    kinds = {
        **dict.fromkeys(CORPORATE, "a split or another corporate action"),
        **dict.fromkeys(SECURITIES_FLOWS, "a transfer of securities"),
        **dict.fromkeys(EXPIRY | OPTION_TRADES, "an expiry, exercise or assignment"),
    }
    for type_ in () if history is None else history.symbol_activities.get(symbol, ()):
        if type_ in kinds:
            return kinds[type_]
    if since is None:
        return "held before anything was recorded"
    traded = 0 if history is None else sum(abs(f.qty) for f in history.fills if f.symbol == symbol)
    if is_coin_fee(difference, traded):
        return "fees that were kept in coins"
    return f"held before {since}, or changed without an order that is known"


def _opposed(books: Books) -> list[OpposedBooks]:
    symbols = sorted({symbol for book in books.books.values() for symbol in book.holdings})
    found = []
    for symbol in symbols:
        held = books.quantities(symbol)
        if min(held.values(), default=0) < 0 < max(held.values(), default=0):
            found.append(
                OpposedBooks(
                    symbol=symbol,
                    books={name: plain(qty, QTY_SCALE) or "0" for name, qty in held.items()},
                    broker=plain(sum(held.values()), QTY_SCALE) or "0",
                )
            )
    return found
