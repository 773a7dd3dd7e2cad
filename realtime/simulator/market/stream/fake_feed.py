"""The feed of the `/v2/test` stream: one invented symbol, at all hours."""

from collections.abc import Callable
from random import Random

from realtime.simulator.exchange.timestamps import MINUTE
from realtime.simulator.market.bars import Bar, new_bar
from realtime.simulator.market.elements import Element

TEST_SYMBOL = "FAKEPACA"


class FakeFeed:
    """Makes its trades, quotes and bars."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._rng = Random("test-feed")
        self._price = 134.56
        self._bar: Bar | None = None
        self._number = 0

    def step(self) -> list[Element]:
        """Return a quote and a trade, and the bar of a minute that has ended."""
        now = self._clock()
        self._number += 1
        self._price = round(self._price + self._rng.choice((-0.01, 0, 0.01)), 2)
        base = {"S": TEST_SYMBOL}
        quote = {"T": "q", **base, "ax": "V", "ap": round(self._price + 0.01, 2), "as": 1}
        quote |= {"bx": "V", "bp": round(self._price - 0.01, 2), "bs": 1}
        trade = {"T": "t", **base, "i": self._number, "x": "V", "p": self._price, "s": 1}
        last = {"c": ["R"], "t": now, "z": "C"}
        elements = [Element({**quote, **last}), Element({**trade, **last, "c": ["@"]})]
        minute = now // MINUTE * MINUTE
        if self._bar is not None and self._bar.start == minute:
            self._bar.add(self._price, 1)
        else:
            if self._bar is not None:
                elements.append(Element({"T": "b", **base, **self._bar.fields()}))
            self._bar = new_bar(minute, self._price, 1)
        return elements
