"""Bars: built from trades as they happen, and combined to longer ones."""

from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

import msgspec

from realtime.simulator.market.elements import Fields
from realtime.simulator.market.timeframes import Timeframe, bar_start

_DECIMALS = 6


class Bar(msgspec.Struct):
    """Prices and volume of one period; `turnover` is the sum of price times size."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    turnover: float

    def add(self, price: float, size: float) -> None:
        """Count a trade."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self._count(size, price * size, 1)

    def add_late(self, price: float, size: float) -> None:
        """Count a trade that was reported after the period: it does not move the close."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self._count(size, price * size, 1)

    def merge(self, later: "Bar") -> None:
        """Extend the bar with a later one."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self._count(later.volume, later.turnover, later.trades)

    def scaled(self, factor: float) -> "Bar":
        """Return the bar with prices times `factor` and volume divided by it."""
        return Bar(
            self.start,
            round(self.open * factor, 4),
            round(self.high * factor, 4),
            round(self.low * factor, 4),
            round(self.close * factor, 4),
            round(self.volume / factor),
            self.trades,
            self.turnover,
        )

    def fields(self, *, whole: bool = True) -> Fields:
        """Return the members of the bar on the wire; `whole` writes the volume as an integer."""
        vwap = self.turnover / self.volume if self.volume else self.close
        return {
            "o": self.open,
            "h": self.high,
            "l": self.low,
            "c": self.close,
            "v": round(self.volume) if whole else round(self.volume, 9),
            "n": self.trades,
            "vw": round(vwap, _DECIMALS),
            "t": self.start,
        }

    def _count(self, volume: float, turnover: float, trades: int) -> None:
        self.volume += volume
        self.turnover += turnover
        self.trades += trades


def new_bar(start: int, price: float, size: float) -> Bar:
    """Return a bar of one trade."""
    return Bar(start, price, price, price, price, size, 1, price * size)


def combine(bars: Iterable[Bar], timeframe: Timeframe, zone: ZoneInfo) -> Iterator[Bar]:
    """Yield longer bars of bars in time order."""
    current: Bar | None = None
    for bar in bars:
        start = bar_start(bar.start, timeframe, zone)
        if current is not None and current.start == start:
            current.merge(bar)
            continue
        if current is not None:
            yield current
        current = msgspec.structs.replace(bar, start=start)
    if current is not None:
        yield current
