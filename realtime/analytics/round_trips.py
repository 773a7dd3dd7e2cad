"""Round trips: from flat to flat in one symbol, at average cost as the broker computes entries.

Sums are exact: cost is an integer of 10⁻¹⁸, and what is left over by a division is in the last
part that is closed, so realized and unrealized profit add up to the change of equity.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from realtime.history.realized import PRICE_TO_MONEY, shares_of

MIN_FEE_DIVISOR = 200
"""A fee that is kept in coins is at most 0.25 % of a purchase; twice that, to be sure."""


class Fill(Struct, frozen=True, kw_only=True, gc=False):
    """One execution. `qty` is signed, of 10⁻⁹; `price` of 10⁻⁹."""

    at_us: int
    day: int
    """The trading day that it counts in."""
    symbol: str
    qty: int
    price: int
    order_id: bytes | str | None = None
    realized: int | None = None
    """What the recorder has of it, money of 10⁻⁴; None: not known."""
    is_split: bool = False
    """Whether `qty` is what a split added to the position, or removed: no trade."""

    @property
    def shares(self) -> int:
        """How many shares one unit is about."""
        return shares_of(self.symbol)

    @property
    def value(self) -> int:
        """What it was worth, money of 10⁻⁴."""
        return abs(self.qty) * self.price * self.shares // PRICE_TO_MONEY


class RoundTrip(Struct, frozen=True, kw_only=True, gc=False):
    """A position from flat to flat."""

    symbol: str
    opened_us: int
    closed_us: int
    day: int
    realized: int | None
    """Money of 10⁻⁴; None where the entry is not known."""
    largest: int
    """The largest quantity, of 10⁻⁹, not signed."""
    cost: int
    """What was paid or received to open it, money of 10⁻⁴."""
    is_short: bool = False


class Holding(Struct, kw_only=True, gc=False):
    """One symbol while fills are applied. Not shared."""

    symbol: str
    qty: int = 0
    cost: int = 0
    """Signed as the quantity, of 10⁻¹⁸, by the share."""
    is_known: bool = True
    """Whether the cost is known."""
    realized: int = 0
    """Of 10⁻¹⁸, of the trip that is under way."""
    is_realized_known: bool = True
    opened_us: int = 0
    largest: int = 0
    opening_cost: int = 0
    has_coin_fee: bool = False
    """Whether the broker keeps its fee in coins, so that less can be sold than was bought."""
    bought: int = 0
    """Since it was flat."""

    def apply(self, fill: Fill, qty: int | None = None) -> tuple[int | None, list[RoundTrip]]:
        """Apply a fill, or a part of it; returns what it realized (money of 10⁻⁴, None where not
        known) and the trip that it ended."""
        left = fill.qty if qty is None else qty
        trips: list[RoundTrip] = []
        gain: int | None = 0
        if fill.is_split:
            self._split(left)
            return gain, trips
        if self.qty and (self.qty > 0) != (left > 0):
            closed = min(abs(left), abs(self.qty)) * (1 if self.qty > 0 else -1)
            gain = self._close(fill, closed, is_whole=left == fill.qty)
            left += closed
            if self._is_fee_only():
                gain = self._add_fee(gain)
            if not self.qty:
                trips.append(self._trip(fill))
        if left:
            self._open(fill, left)
        return gain, trips

    def _close(self, fill: Fill, closed: int, *, is_whole: bool) -> int | None:
        part = self.cost if closed == self.qty else self.cost * closed // self.qty
        self.cost -= part
        self.qty -= closed
        if self.is_known:
            gain = (closed * fill.price - part) * fill.shares
            self.realized += gain
            return _money(gain)
        if fill.realized is not None and is_whole:
            self.realized += fill.realized * PRICE_TO_MONEY
            return fill.realized
        self.is_realized_known = False
        return None

    def _is_fee_only(self) -> bool:
        """Whether what is left is what the broker kept of the purchases: the trip is over."""
        return self.has_coin_fee and 0 < self.qty * MIN_FEE_DIVISOR <= self.bought

    def _add_fee(self, gain: int | None) -> int | None:
        """Close the trip: the coins of the fee were paid for, and are gone."""
        cost, self.qty, self.cost = self.cost, 0, 0
        if not self.is_known or gain is None:
            return None
        self.realized -= cost
        return gain + _money(-cost)

    def _split(self, qty: int) -> None:
        """Another quantity at the same cost."""
        if not self.qty or (self.qty > 0) != (self.qty + qty > 0):
            return  # it was not held, as far as is known: the position of now says what was
        self.qty += qty
        self.largest = max(self.largest, abs(self.qty))

    def _open(self, fill: Fill, qty: int) -> None:
        if not self.qty:
            self.bought = 0
            self.opened_us, self.largest, self.realized, self.opening_cost = fill.at_us, 0, 0, 0
            self.cost, self.is_known, self.is_realized_known = 0, True, True
        self.qty += qty
        self.bought += max(qty, 0)
        self.cost += qty * fill.price
        self.opening_cost += abs(qty) * fill.price * fill.shares
        self.largest = max(self.largest, abs(self.qty))

    def _trip(self, fill: Fill) -> RoundTrip:
        return RoundTrip(
            symbol=self.symbol,
            opened_us=self.opened_us,
            closed_us=fill.at_us,
            day=fill.day,
            realized=_money(self.realized) if self.is_realized_known else None,
            largest=self.largest,
            cost=self.opening_cost // PRICE_TO_MONEY,
            is_short=fill.qty > 0,
        )


class Trading(Struct, frozen=True, kw_only=True):
    """What fills made. Realized profit by trading day, None where not known on that day."""

    trips: Sequence[RoundTrip]
    realized: dict[int, int | None]
    open_trips: int


def round_trips(
    fills: Iterable[Fill],
    opening: Mapping[str, int] | None = None,
    coins_with_fee: Collection[str] = (),
) -> Trading:
    """The round trips of fills in their order. `opening`: symbol → quantity held before them, at
    a cost that is not known. `coins_with_fee`: symbols whose fee the broker keeps in coins."""
    holdings = {
        symbol: Holding(symbol=symbol, qty=qty, is_known=False, largest=abs(qty))
        for symbol, qty in (opening or {}).items()
        if qty
    }
    trips: list[RoundTrip] = []
    realized: dict[int, int | None] = {}
    for fill in fills:
        holding = holdings.get(fill.symbol)
        if holding is None:
            holding = holdings[fill.symbol] = Holding(
                symbol=fill.symbol, has_coin_fee=fill.symbol in coins_with_fee
            )
        gain, ended = holding.apply(fill)
        trips += ended
        add_known(realized, fill.day, gain)
    count = sum(1 for holding in holdings.values() if holding.qty)
    return Trading(trips=trips, realized=realized, open_trips=count)


def add_known(sums: dict[int, int | None], key: int, amount: int | None) -> None:
    """Add an amount; a sum with an unknown part is unknown."""
    known = sums.get(key, 0)
    sums[key] = None if known is None or amount is None else known + amount


def _money(value: int) -> int:
    """Money of 10⁻⁴ from 10⁻¹⁸, rounded half away from zero."""
    half = PRICE_TO_MONEY // 2
    return (value + half) // PRICE_TO_MONEY if value >= 0 else -((-value + half) // PRICE_TO_MONEY)
