"""Synthetic prices before the simulator started: a function of symbol and time, nothing is stored.

A price is the previous close times smooth noise on several time scales (value noise: hashed values
at the points of a grid, interpolated). It reaches the previous close at that day's close and the
first price at the start, so that history, positions and the live prices fit together.
"""

from collections.abc import Callable
from zlib import crc32

from realtime.simulator.exchange.timestamps import DAY, HOUR, MINUTE

_MASK = (1 << 64) - 1
# (period, amplitude): together about 25 % a year and 1 % a day.
_SCALES = (
    (60 * DAY, 0.18),
    (7 * DAY, 0.04),
    (DAY, 0.012),
    (HOUR, 0.004),
    (7 * MINUTE, 0.0012),
    (MINUTE, 0.0005),
)
_MIN_FACTOR = 0.05


class PastPrices:
    """Prices of one symbol before `start`."""

    def __init__(
        self, symbol: str, *, closed_at: int, close: float, start: int, first: float
    ) -> None:
        self._seed = crc32(symbol.encode())
        self._closed_at = closed_at
        self._close = close
        self._start = max(start, closed_at + 1)
        self._first = first
        # Per scale the grid interval of the last call: (index, value at its start, at its end).
        self._intervals = [(-1, 0, 0)] * len(_SCALES)
        self._offset = self._noise(closed_at)

    def at(self, time: int) -> float:
        """Return the price at a time, unrounded."""
        noise = self._noise(time) - self._offset
        if time <= self._closed_at:
            return self._close * max(1 + noise, _MIN_FACTOR)
        # Since the close a bridge: from the close to the first price, noise only in between.
        share = min((time - self._closed_at) / (self._start - self._closed_at), 1.0)
        line = self._close + (self._first - self._close) * share
        return line * (1 + noise * 4 * share * (1 - share))

    def volume(self, minute: int) -> int:
        """Return a constant pseudo-random volume of a minute."""
        return 100 + _hash(self._seed ^ 0x5EED, minute // MINUTE) % 40_000

    def _noise(self, time: int) -> float:
        """Return smooth noise: hashed values at grid points, interpolated, over all scales."""
        total = 0.0
        for number, (period, amplitude) in enumerate(_SCALES):
            index, rest = divmod(time, period)
            known, low, high = self._intervals[number]
            if known != index:
                seed = self._seed + number
                low, high = _hash(seed, index), _hash(seed, index + 1)
                self._intervals[number] = (index, low, high)
            total += amplitude * ((low + (high - low) * (rest / period)) / 2**63 - 1)
        return total


class DerivedPrices:
    """Prices of an option, from those of its underlying."""

    def __init__(self, underlying: PastPrices, price: Callable[[float], float]) -> None:
        self._underlying = underlying
        self._price = price

    def at(self, time: int) -> float:
        """Return the option's price at a time."""
        return self._price(self._underlying.at(time))

    def volume(self, minute: int) -> int:
        """Return a constant pseudo-random volume of a minute, in contracts."""
        return 1 + self._underlying.volume(minute) % 50


def _hash(seed: int, index: int) -> int:
    """Return 64 well mixed bits (splitmix64)."""
    value = (index * 0x9E3779B97F4A7C15 + seed * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & _MASK
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & _MASK
    return value ^ value >> 31
