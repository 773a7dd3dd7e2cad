"""The order books of one stream, kept from their updates: pure, for clients that join later.

The broker sends a whole book first (`r: true`), then changed levels; size 0 removes one. A client
that subscribes while others have the symbol needs the whole book, too. Source: MARKET 3.2.
"""

from collections.abc import Iterable

from msgspec import Raw

from realtime.broker.market_codec import Element, make_element, raw_fields, read_levels


class OrderBooks:
    """Symbol → bids and asks."""

    def __init__(self) -> None:
        self._books: dict[str, tuple[dict[float, float], dict[float, float]]] = {}
        self._times: dict[str, Raw] = {}

    def update(self, elements: Iterable[Element]) -> None:
        """Apply the updates among elements."""
        for element in elements:
            if element.kind == "o":
                self._apply(element)

    def get(self, symbol: str) -> Element | None:
        """Return the whole book as an element with `r: true`; None if it is not known."""
        book = self._books.get(symbol)
        if book is None:
            return None
        bids, asks = (
            [{"p": price, "s": size} for price, size in sorted(side.items(), reverse=is_bids)]
            for side, is_bids in zip(book, (True, False), strict=True)
        )
        at = self._times[symbol]
        return make_element({"T": "o", "S": symbol, "t": at, "b": bids, "a": asks, "r": True})

    def symbols(self) -> list[str]:
        """Return every symbol with a book."""
        return list(self._books)

    def clear(self) -> None:
        """Forget all books: updates were missed."""
        self._books.clear()

    def _apply(self, element: Element) -> None:
        fields = raw_fields(element)
        book = self._books.get(element.symbol)
        if book is None or fields.get("r") == Raw(b"\xc3"):
            book = self._books[element.symbol] = ({}, {})
        for side, name in zip(book, ("b", "a"), strict=True):
            for price, size in read_levels(fields.get(name)):
                if size:
                    side[price] = size
                else:
                    side.pop(price, None)
        self._times[element.symbol] = fields["t"]
