"""The newest element of each kind and symbol of one stream: pure.

Corrections and cancels arrive with trades and change the last one (MARKET 3.2): a corrected trade
is replaced, a canceled one falls back to the trade before it.
"""

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from realtime.broker.market_codec import Element, raw_fields, replace_fields

KEPT = frozenset("qbudsloin")
"""Kinds of which the newest is kept, beside trades."""

TRADES_KEPT = 8
"""Trades of a symbol; a cancel concerns one of the last few."""

CORRECTED = {"i": "ci", "p": "cp", "s": "cs", "c": "cc"}
"""Field of a trade → field of a correction with its new value."""


class LastValue(Struct, frozen=True):
    """An element and when it was received, epoch seconds."""

    element: Element
    received_at: float


class LastValues:
    """Kind and symbol → newest element."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], LastValue] = {}
        self._trades: dict[str, deque[LastValue]] = {}

    def update(self, elements: Iterable[Element], now: float) -> None:
        """Apply elements in their order."""
        for element in elements:
            kind = element.kind
            if kind == "t":
                trades = self._trades.get(element.symbol)
                if trades is None:
                    trades = self._trades[element.symbol] = deque(maxlen=TRADES_KEPT)
                trades.append(LastValue(element, now))
            elif kind in KEPT:
                for symbol in element.symbols:
                    self._values[kind, symbol] = LastValue(element, now)
            elif kind == "c":
                self._correct(element, now)
            elif kind == "x":
                self._cancel(element)

    def get(self, kind: str, symbol: str) -> LastValue | None:
        """Return the newest element of a kind, such as `t` or `q`; None if there is none."""
        if kind == "t":
            trades = self._trades.get(symbol)
            return trades[-1] if trades else None
        return self._values.get((kind, symbol))

    def symbols(self) -> list[str]:
        """Return every symbol with a trade or a quote."""
        return list({*self._trades, *(s for kind, s in self._values if kind == "q")})

    def _correct(self, element: Element, now: float) -> None:
        fields = raw_fields(element)
        trades = self._trades.get(element.symbol, deque())
        for index, value in enumerate(trades):
            if raw_fields(value.element).get("i") == fields.get("oi"):
                new = {name: fields[of] for name, of in CORRECTED.items() if of in fields}
                trades[index] = LastValue(replace_fields(value.element, new), now)
                return

    def _cancel(self, element: Element) -> None:
        trades = self._trades.get(element.symbol, deque())
        canceled = raw_fields(element).get("i")
        for value in list(trades):
            if raw_fields(value.element).get("i") == canceled:
                trades.remove(value)
