"""Books inside an account: positions and profit by strategy. The sum of the books is the account.

The book of an order is that of the longest prefix of its `client_order_id`; of a leg its parent's,
of a replacement that of the order it replaces. All else is `other`. What `other` sells it may not
own: an order by hand, a panic close, an expiry. Then it closes the other books' positions, each in
proportion, and only what is left is its own.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, structs

from realtime.analytics.round_trips import Fill, Holding, RoundTrip, add_known

OTHER = "other"
MAX_CHAIN = 100
"""Replacements of replacements; more is a mistake of the data."""

OrderKey = bytes | str


class Origin(Struct, frozen=True, gc=False):
    """What an order comes from."""

    client_order_id: str | None
    parent: OrderKey | None = None
    replaces: OrderKey | None = None


class BookOfOrder:
    """The book of each order of one account. `prefixes`: book → prefix of `client_order_id`."""

    def __init__(self, prefixes: Mapping[str, str], origins: Mapping[OrderKey, Origin]) -> None:
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[1]))
        self._origins = origins
        self._known: dict[OrderKey, str] = {}

    def get(self, order_id: OrderKey | None) -> str:
        """The book of an order; `other` where nothing names one."""
        if order_id is None:
            return OTHER
        known = self._known.get(order_id)
        if known is None:
            known = self._known[order_id] = self._find(order_id)
        return known

    def _find(self, order_id: OrderKey) -> str:
        chain: OrderKey | None = order_id
        for _ in range(MAX_CHAIN):
            origin = None if chain is None else self._origins.get(chain)
            if origin is None:
                return OTHER
            client_order_id = origin.client_order_id or ""
            for book, prefix in self._prefixes:
                if client_order_id.startswith(prefix):
                    return book
            chain = origin.parent or origin.replaces
        return OTHER


class Book:
    """One book while fills are applied."""

    def __init__(self, name: str, coins_with_fee: Collection[str] = ()) -> None:
        self.name = name
        self._coins_with_fee = coins_with_fee
        self.holdings: dict[str, Holding] = {}
        self.trips: list[RoundTrip] = []
        self.fills: list[Fill] = []
        """With the quantity that is this book's."""
        self.realized: dict[int, int | None] = {}

    def holding(self, symbol: str) -> Holding:
        """The book's position in a symbol."""
        found = self.holdings.get(symbol)
        if found is None:
            found = self.holdings[symbol] = Holding(
                symbol=symbol, has_coin_fee=symbol in self._coins_with_fee
            )
        return found

    def apply(self, fill: Fill, qty: int) -> None:
        """Apply a fill, or the part of it that is this book's."""
        gain, trips = self.holding(fill.symbol).apply(fill, qty)
        self.fills.append(fill if qty == fill.qty else structs.replace(fill, qty=qty))
        self.trips += trips
        add_known(self.realized, fill.day, gain)


class Books:
    """The books of one account. Names in the order of the configuration, `other` last."""

    def __init__(
        self,
        names: Iterable[str],
        opening: Mapping[str, int] | None = None,
        coins_with_fee: Collection[str] = (),
    ) -> None:
        self.books = {name: Book(name, coins_with_fee) for name in (*names, OTHER)}
        for symbol, qty in (opening or {}).items():
            if qty:
                holding = self.books[OTHER].holding(symbol)
                holding.qty, holding.largest, holding.is_known = qty, abs(qty), False

    def apply(self, fill: Fill, book: str) -> None:
        """Apply an execution that an order of this book made, or a split."""
        if fill.is_split:
            for name, qty in self._split_parts(fill).items():
                self.books[name].apply(fill, qty)
            return
        if book != OTHER:
            self.books[book].apply(fill, fill.qty)
            return
        for name, qty in split_unnamed(self.quantities(fill.symbol), fill.qty):
            self.books[name].apply(fill, qty)

    def quantities(self, symbol: str) -> dict[str, int]:
        """Book → quantity, of those that hold the symbol."""
        return {
            name: holding.qty
            for name, book in self.books.items()
            if (holding := book.holdings.get(symbol)) is not None and holding.qty
        }

    def reconcile(self, positions: Mapping[str, int], at_us: int) -> list[tuple[str, int]]:
        """Put differences to the broker's positions into `other`; returns symbol and difference."""
        found = []
        symbols = {symbol for book in self.books.values() for symbol in book.holdings}
        for symbol in sorted(symbols | positions.keys()):
            difference = positions.get(symbol, 0) - sum(self.quantities(symbol).values())
            if difference:
                holding = self.books[OTHER].holding(symbol)
                holding.qty += difference
                holding.is_known = False
                holding.opened_us = holding.opened_us or at_us
                found.append((symbol, difference))
        return found

    def _split_parts(self, fill: Fill) -> dict[str, int]:
        """Book → its part of what a split added or removed, in proportion to what it holds."""
        held = self.quantities(fill.symbol)
        total = sum(held.values())
        if not total:
            return {}
        parts = {name: fill.qty * qty // total for name, qty in held.items()}
        last = next(reversed(parts))
        parts[last] += fill.qty - sum(parts.values())
        return parts


def split_unnamed(held: Mapping[str, int], qty: int) -> list[tuple[str, int]]:
    """The parts of a fill without a book, by book. `held`: what each holds of the symbol.

    Its own position first, then the others' that it closes, in proportion; the rest opens a
    position of `other`.
    """
    sign = 1 if qty > 0 else -1
    own = max(-sign * held.get(OTHER, 0), 0)
    left = abs(qty) - min(own, abs(qty))
    against = {n: -sign * have for n, have in held.items() if n != OTHER and -sign * have > 0}
    total = sum(against.values())
    taken = min(left, total)
    parts = {name: have * taken // total for name, have in against.items()} if total else {}
    rest = taken - sum(parts.values())
    for name in sorted(parts, key=lambda name: (-(against[name] * taken % total), name)):
        if not rest:
            break
        parts[name] += 1
        rest -= 1
    result = [(name, sign * part) for name, part in parts.items() if part]
    others = abs(qty) - taken
    return ([(OTHER, sign * others)] if others else []) + result


def make_books(
    fills: Sequence[Fill],
    orders: BookOfOrder,
    names: Iterable[str],
    opening: Mapping[str, int] | None = None,
    coins_with_fee: Collection[str] = (),
) -> Books:
    """The books of an account after these fills, in their order."""
    books = Books(names, opening, coins_with_fee)
    for fill in fills:
        books.apply(fill, orders.get(fill.order_id))
    return books
