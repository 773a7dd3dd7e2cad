"""One account marked to market: the broker's last read, the fills since, and prices as they move.

Exact: every amount is a `Decimal`, a price change moves each sum by quantity times multiplier times
change, and `total` adds everything up again, so that both ways can be compared.

The broker's own sums are the base: equity is cash plus the value of long and of short positions
(PROTOCOL: account), and a read that is confirmed replaces what was computed since. A fill moves
cash at once by quantity times price times multiplier; fees are known with the next read.
"""

from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct, structs

from realtime.core.decimals import ZERO, number
from realtime.core.mark_prices import MAX_CHANGE, MAX_OPTION_CHANGE
from realtime.core.model import Account, Position, Symbol
from realtime.core.positions import OPTION_MULTIPLIER


class Holding(Struct, kw_only=True, gc=False):
    """A position as marks need it. `price` is None where no price was ever known, and is the only
    field that changes in place: prices change far more often than anything else."""

    symbol: Symbol
    size: Decimal
    """Signed quantity times multiplier."""
    cost: Decimal
    """Signed; zero if the broker does not know it."""
    intraday_base: Decimal
    """Value against which the broker computes today's gain: yesterday's close, or today's cost."""
    price: Decimal | None
    held_at: Decimal | None = None
    """The broker's price when its quantity changed without a trade: the quantity before is kept
    until the broker shows another price. None: nothing is held back."""

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


class MarkedAccount:
    """The sums of one account, moved by prices and fills. One writer."""

    def __init__(self) -> None:
        self.is_known = False
        """Whether the account was ever read."""
        self.cash = ZERO
        self.last_equity: Decimal | None = None
        """Equity at the last close."""
        self.sums = NOTHING
        self._holdings: dict[Symbol, Holding] = {}
        self._positions: Mapping[Symbol, Position] = {}
        """From which the holdings were made: the same object needs no second look."""
        self._traded: set[Symbol] = set()

    @property
    def holdings(self) -> Mapping[Symbol, Holding]:
        """By the key of the position (`core.position_keys`)."""
        return self._holdings

    @property
    def traded(self) -> Set[Symbol]:
        """Keys of positions with a fill since the last confirmed read."""
        return self._traded

    @property
    def equity(self) -> Decimal | None:
        """None while the account was not read, or a position has no price."""
        if not self.is_known or any(h.price is None for h in self._holdings.values()):
            return None
        return self.cash + self.sums.long_value + self.sums.short_value

    def rebase(self, account: Account, positions: Mapping[Symbol, Position]) -> frozenset[Symbol]:
        """Start from a read that is confirmed: its cash and its positions. See `set_positions`."""
        self.cash = number(account.cash)
        self.last_equity = None if account.last_equity is None else number(account.last_equity)
        self.is_known = True
        repriced = self._take(positions, is_confirmed=True)
        self._traded.clear()
        return repriced

    def set_positions(self, positions: Mapping[Symbol, Position]) -> frozenset[Symbol]:
        """Take quantities and costs over. Prices stay as they were set, where there are any.

        A quantity that changes without a trade makes the value jump, unless its price changes the
        other way. After a split the two are not booked at the same moment: the quantity before is
        kept until the broker shows another price. Returns the keys whose price was taken over from
        the broker together with such a quantity.
        """
        return self._take(positions, is_confirmed=False)

    def add_execution(self, key: Symbol, size: Decimal, price: Decimal) -> None:
        """Move cash for a fill. `size` is signed quantity times multiplier, positive if bought."""
        self.cash -= size * price
        self._traded.add(key)

    def move(self, key: Symbol, price: Decimal) -> bool:
        """Mark a position at another price; whether a sum has changed."""
        holding = self._holdings.get(key)
        if holding is None or holding.price == price:
            return False
        long_value, short_value, cost, base = self.sums
        if holding.price is None:
            cost, base = cost + holding.cost, base + holding.intraday_base
            step = holding.size * price
        else:
            step = holding.size * (price - holding.price)
        holding.price = price
        if holding.size > 0:
            long_value += step
        else:
            short_value += step
        self.sums = Sums(long_value, short_value, cost, base)
        return True

    def total(self) -> Sums:
        """The sums, added up from all positions: equal to `sums`, or something is wrong."""
        priced = [h for h in self._holdings.values() if h.price is not None]
        return Sums(
            sum((h.value for h in priced if h.size > 0), ZERO),
            sum((h.value for h in priced if h.size <= 0), ZERO),
            sum((h.cost for h in priced), ZERO),
            sum((h.intraday_base for h in priced), ZERO),
        )

    def _take(
        self, positions: Mapping[Symbol, Position], *, is_confirmed: bool
    ) -> frozenset[Symbol]:
        new, repriced = {}, set()
        for key, position in positions.items():
            old, is_traded = self._holdings.get(key), key in self._traded
            is_same = not is_confirmed and position is self._positions.get(key)
            if is_same and old is not None and not old.held_at:
                new[key] = old
                continue
            base = _intraday_base(position, old if is_traded and not is_confirmed else None)
            new[key] = holding = _next_holding(old, position, base, is_traded=is_traded)
            if old is not None and holding.price != old.price:
                repriced.add(key)
        self._holdings, self._positions = new, positions
        self.sums = self.total()
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


def _next_holding(
    old: Holding | None, position: Position, intraday_base: Decimal, *, is_traded: bool
) -> Holding:
    size = number(position.qty) * multiplier(position)
    shown = None if position.current_price is None else number(position.current_price)
    new = Holding(
        symbol=position.symbol,
        size=size,
        cost=number(position.cost_basis),
        intraday_base=intraday_base,
        price=shown if old is None or old.price is None else old.price,
    )
    # 1. New, or as the last fill left it, or not priced before: nothing can jump.
    if old is None or old.price is None or is_traded or (size == old.size and not old.held_at):
        return new
    # 2. The value is what it was, more or less: at our price, or at the one the broker shows.
    ratio = max_change(position.asset_class)
    if is_plausible(old.value, new.value, ratio):
        return new
    if shown is None:
        return structs.replace(old, held_at=old.held_at or old.price)
    if is_plausible(old.value, size * shown, ratio):
        return structs.replace(new, price=shown)
    # 3. The value jumps: only a price that has moved since shows that the quantity is right.
    if old.held_at is not None and shown != old.held_at:
        return structs.replace(new, price=shown)
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
