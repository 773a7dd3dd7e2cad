"""One account marked to market: the broker's last read, the fills since, and prices as they move.

Exact: every amount is a `Decimal`, a price change moves each sum by quantity times multiplier times
change, and `total` adds everything up again, so that both ways can be compared.

The broker's own sums are the base: equity is cash plus the value of long and of short positions
(PROTOCOL: account), and a read that is confirmed replaces what was computed since. A fill moves
cash at once by quantity times price times multiplier; fees are known with the next read.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct, structs

from realtime.core.decimals import ZERO, number
from realtime.core.mark_prices import MAX_CHANGE, MAX_OPTION_CHANGE, SymbolPrice, is_near
from realtime.core.model import Account, Position, Symbol
from realtime.core.positions import OPTION_MULTIPLIER


class Part(NamedTuple):
    """A book's part of a position."""

    book: str
    size: Decimal
    cost: Decimal
    intraday_base: Decimal


ONE = Decimal(1)

NANO = Decimal("1E-9")
"""To which a book's part of a cost is rounded."""

MAX_FEE = Decimal("0.01")
"""Part of a filled quantity that fees paid in coins may be: at most 0.25 %, twice in a round trip
(Alpaca: crypto fees)."""


class Holding(Struct, kw_only=True, gc=False):
    """A position as marks need it. `price` is None where no price was ever known; it and
    the last two fields change in place: prices change far more often than anything
    else."""

    symbol: Symbol
    size: Decimal
    """Signed quantity times multiplier."""
    cost: Decimal
    """Signed; zero if the broker does not know it."""
    intraday_base: Decimal
    """Value against which the broker computes today's gain: yesterday's close, or today's cost."""
    price: Decimal | None
    multiplier: Decimal = ONE
    held_at: Decimal | None = None
    """The broker's price when its quantity changed without a trade: the quantity before is kept
    until the broker shows another price. None: nothing is held back."""
    shown: Decimal | None = None
    """The price beside this quantity in the broker's own positions."""
    max_change: Decimal = MAX_CHANGE
    """The largest ratio of two prices in a row that is believed without a read of the account."""
    parts: tuple[Part, ...] = ()
    """By book; they add up to the position. Empty without books."""
    is_behind: bool = False
    """Whether the market's price is too far from the position's. Other accounts' reads may show a
    split before this account's do: its quantity and its price change together."""

    @property
    def is_held(self) -> bool:
        """Whether a price or a quantity waits for a read."""
        return self.is_behind or self.held_at is not None

    @property
    def qty(self) -> Decimal:
        """Signed quantity."""
        return self.size / self.multiplier

    @property
    def value(self) -> Decimal:
        """Market value; zero without a price."""
        return ZERO if self.price is None else self.size * self.price


class Sums(NamedTuple):
    """What an account's positions add up to, without those that have no price."""

    long_value: Decimal
    short_value: Decimal
    cost: Decimal
    intraday_base: Decimal


NOTHING = Sums(ZERO, ZERO, ZERO, ZERO)


class BookSums(NamedTuple):
    """What a book's parts of positions add up to, at the account's entry prices."""

    value: Decimal
    cost: Decimal
    intraday_base: Decimal


NO_BOOK = BookSums(ZERO, ZERO, ZERO)

Split = Callable[[Symbol, Decimal], Iterable[tuple[str, Decimal]]]
"""Splits a quantity of a symbol by book; the parts add up to it."""


class MarkedAccount:
    """The sums of one account, moved by prices and fills. One writer."""

    def __init__(self, split: Split | None = None) -> None:
        self.is_known = False
        """Whether the account was ever read."""
        self.cash = ZERO
        self.last_equity: Decimal | None = None
        """Equity at the last close."""
        self.sums = NOTHING
        self.books: dict[str, BookSums] = {}
        """By book; those that hold nothing may be absent."""
        self._split = split
        self._holdings: dict[Symbol, Holding] = {}
        self._positions: Mapping[Symbol, Position] = {}
        """From which the holdings were made: the same object needs no second look."""
        self._base: dict[Symbol, Decimal] = {}
        """Sizes of the last confirmed read."""
        self._lagging: dict[Symbol, tuple[Decimal, Decimal]] = {}
        """Size of a position that did not change with its last fill, and the size that all fills
        explained when it was looked at last."""
        self._fill_prices: dict[Symbol, tuple[Decimal, Decimal]] = {}
        """Price and multiplier of the last fill."""
        self._reduced: set[Symbol] = set()
        """Keys whose last fill made the position smaller."""
        self._traded: dict[Symbol, Decimal] = {}
        """Key of a position with a fill since the last confirmed read → its size, as the fills
        explain it."""

    @property
    def holdings(self) -> Mapping[Symbol, Holding]:
        """By the key of the position (`core.position_keys`)."""
        return self._holdings

    @property
    def traded(self) -> Set[Symbol]:
        """Keys of positions with a fill since the last confirmed read."""
        return self._traded.keys()

    @property
    def equity(self) -> Decimal | None:
        """None while the account was not read, or a position has no price."""
        if not self.is_known or any(h.price is None for h in self._holdings.values()):
            return None
        return self.cash + self.sums.long_value + self.sums.short_value

    def rebase(self, account: Account, positions: Mapping[Symbol, Position]) -> frozenset[Symbol]:
        """Start from a read that is confirmed: its cash and its positions. See `set_positions`."""
        cash = number(account.cash)
        is_paid = self.is_known and self._is_paid(positions, cash - self.cash)
        self.cash = cash
        self.last_equity = None if account.last_equity is None else number(account.last_equity)
        repriced = self._take(positions, is_confirmed=True, is_paid=is_paid)
        self.is_known = True
        self._base = {key: holding.size for key, holding in self._holdings.items()}
        self._traded.clear()
        self._reduced.clear()
        self._fill_prices.clear()
        self._lagging.clear()
        return repriced

    def set_positions(self, positions: Mapping[Symbol, Position]) -> frozenset[Symbol]:
        """Take quantities and costs over. Prices stay as they were set, where there are any.

        A quantity that changes without a trade makes the value jump, unless its price changes the
        other way. After a split the two are not booked at the same moment: the quantity before is
        kept until the broker shows another price. Returns the keys whose price was taken over from
        the broker together with such a quantity.
        """
        return self._take(positions, is_confirmed=False)

    def add_execution(
        self, key: Symbol, size: Decimal, price: Decimal, multiplier: Decimal = ONE
    ) -> None:
        """Move cash for a fill. `size` is signed quantity times multiplier, positive if bought."""
        if not size:
            return
        self._fill_prices[key] = (price, multiplier)
        self.cash -= size * price
        known, holding = self._traded.get(key), self._holdings.get(key)
        if holding is not None and holding.size * size < 0:
            self._reduced.add(key)
        else:
            self._reduced.discard(key)
        self._traded[key] = (self._base.get(key, ZERO) if known is None else known) + size

    def move(self, key: Symbol, price: Decimal) -> bool:
        """Mark a position at another price; whether a sum or a warning has changed."""
        holding = self._holdings.get(key)
        if holding is None:
            return False
        was_behind = holding.is_behind
        step = self._step(holding, price)
        if step is None:
            return holding.is_behind != was_behind
        long_value, short_value, cost, base = self.sums
        if holding.size > 0:
            long_value += step
        else:
            short_value += step
        self.sums = Sums(long_value, short_value, cost, base)
        return True

    def move_all(self, prices: Mapping[Symbol, SymbolPrice]) -> None:
        """Mark every position at the price of its symbol, where there is one."""
        long_step = short_step = ZERO
        for key, holding in self._holdings.items():
            known = prices.get(key)
            if known is None or known.current is None:
                continue
            if known.current.price is holding.price and not holding.is_behind:
                continue
            step = self._step(holding, known.current.price)
            if step is None:
                continue
            if holding.size > 0:
                long_step += step
            else:
                short_step += step
        long_value, short_value, cost, base = self.sums
        self.sums = Sums(long_value + long_step, short_value + short_step, cost, base)

    def _step(self, holding: Holding, price: Decimal) -> Decimal | None:
        """Set a position's price; what its value has changed by, None if it keeps its price."""
        old = holding.price
        if old is None:
            return self._set_first_price(holding, price)
        if (price > old * holding.max_change or price * holding.max_change < old) and not (
            holding.shown is not None and is_near(price, holding.shown, holding.max_change)
        ):
            holding.is_behind = True
            return None
        holding.is_behind = False
        if price == old:
            return None
        change = price - old
        for part in holding.parts:
            value, book_cost, book_base = self.books.get(part.book, NO_BOOK)
            self.books[part.book] = BookSums(value + part.size * change, book_cost, book_base)
        holding.price = price
        return holding.size * change

    def _set_first_price(self, holding: Holding, price: Decimal) -> Decimal:
        """Count a position that had no price."""
        holding.price = price
        long_value, short_value, cost, base = self.sums
        self.sums = Sums(long_value, short_value, cost + holding.cost, base + holding.intraday_base)
        for part in holding.parts:
            value, book_cost, book_base = self.books.get(part.book, NO_BOOK)
            self.books[part.book] = BookSums(
                value + part.size * price,
                book_cost + part.cost,
                book_base + part.intraday_base,
            )
        return holding.size * price

    def split_again(self) -> None:
        """Split all positions by book: what the books hold has changed."""
        if self._split is not None:
            for holding in self._holdings.values():
                holding.parts = _split_holding(holding, self._split)
            self.books = self.total_books()

    def total_books(self) -> dict[str, BookSums]:
        """The sums of each book, added up from all positions."""
        books: dict[str, BookSums] = {}
        for holding in self._holdings.values():
            if holding.price is not None:
                for part in holding.parts:
                    value, cost, base = books.get(part.book, NO_BOOK)
                    books[part.book] = BookSums(
                        value + part.size * holding.price,
                        cost + part.cost,
                        base + part.intraday_base,
                    )
        return books

    def total(self) -> Sums:
        """The sums, added up from all positions: equal to `sums`, or something is wrong."""
        priced = [h for h in self._holdings.values() if h.price is not None]
        return Sums(
            sum((h.value for h in priced if h.size > 0), ZERO),
            sum((h.value for h in priced if h.size <= 0), ZERO),
            sum((h.cost for h in priced), ZERO),
            sum((h.intraday_base for h in priced), ZERO),
        )

    def _opened_by_fill(self, key: Symbol) -> Holding:
        """A position of which only the fill is known yet."""
        price, each = self._fill_prices[key]
        cost = self._traded[key] * price
        return Holding(
            symbol=key,
            size=self._traded[key],
            cost=cost,
            intraday_base=cost,
            price=price,
            multiplier=each,
        )

    def _lags(self, key: Symbol, position: Position, traded: Decimal, *, is_same: bool) -> bool:
        """Whether a position is still as before its fills, of which cash knows: a bust is reported
        without the position after it."""
        size, base = number(position.qty) * multiplier(position), self._base.get(key)
        lagging, explained = self._lagging.get(key, (base, base or ZERO))
        if is_same and traded != explained:
            lagging = size
        self._lagging[key] = (base or ZERO) if lagging is None else lagging, traded
        return size in (base, lagging) and abs(size - traded) > MAX_FEE * abs(size)

    def _is_paid(self, positions: Mapping[Symbol, Position], cash_change: Decimal) -> bool:
        """Whether cash has moved for quantities that no known fill explains: a fill or a bust that
        was missed. After a split it does not move."""
        total = ZERO
        for key in positions.keys() | self._holdings.keys():
            old, position = self._holdings.get(key), positions.get(key)
            expected = self._traded.get(key, ZERO if old is None else old.size)
            size, shown = ZERO, None if old is None else old.price
            if position is not None:
                size = number(position.qty) * multiplier(position)
                shown = number(position.current_price) if position.current_price else shown
            total += (size - expected) * (shown or ZERO)
        return total != 0 and abs(total + cash_change) <= abs(total) / 10

    def _take(
        self, positions: Mapping[Symbol, Position], *, is_confirmed: bool, is_paid: bool = False
    ) -> frozenset[Symbol]:
        new: dict[Symbol, Holding] = {}
        repriced = set()
        for key, position in positions.items():
            old, traded = self._holdings.get(key), self._traded.get(key)
            is_same = not is_confirmed and position is self._positions.get(key)
            if is_same and old is not None and traded is None and not old.is_held:
                new[key] = old
                continue
            if old is not None and not old.size:
                old = None
            if old is None and traded is None and self.is_known and not is_confirmed:
                new[key] = _unexplained(position)
                continue
            if (
                traded is not None
                and not is_confirmed
                and self._lags(key, position, traded, is_same=is_same)
            ):
                if old is not None and traded:
                    new[key] = _resize(old, traded)
                continue
            base = _intraday_base(position, None if traded is None or is_confirmed else old)
            new[key] = holding = _next_holding(
                old, position, base, traded, is_confirmed=is_confirmed, is_paid=is_paid
            )
            if old is not None and holding.price != old.price:
                repriced.add(key)
        if not is_confirmed:
            for key in self._holdings.keys() - positions.keys():
                old = self._holdings[key]
                if key in self._reduced or key not in self._base:
                    continue  # sold, or only its fill is known
                new[key] = structs.replace(old, held_at=old.held_at or old.price or ZERO)
            for key in self._traded.keys() - positions.keys() - self._base.keys() - new.keys():
                if self._traded[key] and key not in self._reduced:
                    new[key] = self._opened_by_fill(key)
        self._holdings, self._positions = new, positions
        self.sums = self.total()
        self.split_again()
        return frozenset(repriced)


def multiplier(position: Position) -> Decimal:
    """Units of a contract. From the broker's own value, since an adjusted contract has another."""
    each = number(position.qty) * number(position.current_price)
    if position.asset_class != "us_option":
        return Decimal(1)
    if position.market_value is None or not each:
        return Decimal(OPTION_MULTIPLIER)
    return (number(position.market_value) / each).to_integral_value() or Decimal(OPTION_MULTIPLIER)


def max_change(asset_class: str | None) -> Decimal:
    """The ratio of two prices in a row that is believed without a read."""
    return MAX_OPTION_CHANGE if asset_class == "us_option" else MAX_CHANGE


def is_plausible(old: Decimal, new: Decimal, ratio: Decimal) -> bool:
    """Whether one value may follow the other without a trade: the same sign, and near."""
    low, high = sorted((abs(old), abs(new)))
    return old * new > 0 and high <= low * ratio


def unpriced(holdings: Iterable[Holding]) -> list[Symbol]:
    """Symbols of positions without a price."""
    return sorted(h.symbol for h in holdings if h.price is None)


def _split_holding(holding: Holding, split: Split) -> tuple[Part, ...]:
    """The parts of a position by book. The last has what rounding leaves over, so that they add up
    exactly."""
    if not holding.size:
        return ()
    sizes = [(book, qty * holding.multiplier) for book, qty in split(holding.symbol, holding.qty)]
    parts, cost, base = [], holding.cost, holding.intraday_base
    for book, size in sizes[:-1]:
        share = size / holding.size
        part = Part(
            book,
            size,
            (holding.cost * share).quantize(NANO),
            (holding.intraday_base * share).quantize(NANO),
        )
        cost, base = cost - part.cost, base - part.intraday_base
        parts.append(part)
    return (*parts, *(Part(book, size, cost, base) for book, size in sizes[-1:]))


def _resize(old: Holding, size: Decimal) -> Holding:
    """A position after fills that it does not show yet, at the same average entry price."""
    share = size / old.size
    return structs.replace(
        old, size=size, cost=old.cost * share, intraday_base=old.intraday_base * share
    )


def _unexplained(position: Position) -> Holding:
    """A position that no trade explains: not counted until a read confirms it."""
    shown = None if position.current_price is None else number(position.current_price)
    return Holding(
        symbol=position.symbol,
        size=ZERO,
        cost=ZERO,
        intraday_base=ZERO,
        price=shown or ZERO,
        held_at=shown or ZERO,
        shown=shown,
        max_change=max_change(position.asset_class),
    )


def _next_holding(
    old: Holding | None,
    position: Position,
    intraday_base: Decimal,
    traded: Decimal | None,
    *,
    is_confirmed: bool,
    is_paid: bool,
) -> Holding:
    """`traded`: the size as fills explain it; None without a fill. `is_paid`: cash explains it."""
    each = multiplier(position)
    size = number(position.qty) * each
    shown = None if position.current_price is None else number(position.current_price)
    new = Holding(
        symbol=position.symbol,
        size=size,
        cost=number(position.cost_basis),
        intraday_base=intraday_base,
        price=shown if old is None or old.price is None else old.price,
        multiplier=each,
        shown=shown,
        max_change=max_change(position.asset_class),
        is_behind=old is not None and old.is_behind,
    )
    # 1. New, or not priced before, or unchanged, or as the fills left it: nothing can jump.
    if old is None or old.price is None or (size == old.size and old.held_at is None):
        return new
    if is_paid or (traded is not None and abs(size - traded) <= MAX_FEE * abs(traded)):
        return new
    # 2. The value is what it was, more or less: at our price, or at the one the broker shows.
    value = old.price * (old.size if traded is None else traded)
    if is_plausible(value, new.value, new.max_change):
        return new
    if shown is None:
        return structs.replace(old, held_at=old.held_at or old.price)
    if is_plausible(value, size * shown, new.max_change):
        return structs.replace(new, price=shown, is_behind=False)
    is_inverse = (abs(size) > abs(old.size)) == (shown < old.price)
    if is_confirmed and is_inverse and not is_near(shown, old.price, new.max_change):
        # Price and quantity changed in one read, so both are booked.
        return structs.replace(new, price=shown, is_behind=False)
    # 3. The value jumps: only a price that has moved since shows that the quantity is right.
    if is_confirmed and old.held_at is not None and shown != old.held_at:
        return structs.replace(new, price=shown, is_behind=False)
    return structs.replace(old, held_at=old.held_at or shown)


def _intraday_base(position: Position, before_fill: Holding | None) -> Decimal:
    """The broker's, as of the read; after a fill, changed by what the fill added or removed."""
    cost, old = number(position.cost_basis), before_fill
    size = number(position.qty) * multiplier(position)
    if old is None:
        if position.unrealized_intraday_pl is None or position.market_value is None:
            return cost
        return number(position.market_value) - number(position.unrealized_intraday_pl)
    if not old.size or old.size * size <= 0:
        return cost
    if abs(size) > abs(old.size):
        return old.intraday_base + cost - old.cost
    return old.intraday_base * size / old.size
