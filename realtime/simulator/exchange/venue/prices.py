"""Prices: a seeded random walk per symbol, in whole basis points, without floats.

The walk depends only on the seed and the number of steps: no order moves a price. Beyond 20 % from
the initial price the walk reverts, so that a long run stays realistic.
"""

from collections import deque
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from realtime.simulator.exchange.decimals import CENT, ONE
from realtime.simulator.exchange.timestamps import MINUTE
from realtime.simulator.exchange.venue.assets import Contract, Listing

_BASIS_POINT = Decimal("0.0001")
_MAX_STEP_BP = 3  # basis points
_MAX_GAP_BP = 120  # basis points between the day before and the first price
_MAX_DRIFT = Decimal("0.2")
_SUB_PENNY = Decimal("0.0001")
_EXACT = Decimal("0.000001")
_KEPT_MINUTES = 3_000  # a little over two days of one-minute samples
_KEPT_DAYS = 400
_TIME_VALUE_AT_THE_MONEY = Decimal("0.035")  # of the underlying's price
_TIME_VALUE_GONE_AT = Decimal("0.25")  # moneyness where no time value is left


class PriceProcess:
    """Last prices, previous closes, and a bounded history of both."""

    def __init__(self, listing: Listing, rng: Random) -> None:
        self._rng = rng
        walkers = [a for a in listing.by_symbol.values() if a.contract is None]
        self._options = [a for a in listing.by_symbol.values() if a.contract is not None]
        self._anchor = {asset.symbol: asset.start_price for asset in walkers}
        self._exact = dict(self._anchor)
        self._always_open = {asset.symbol for asset in walkers if asset.is_crypto}
        self._pinned: set[str] = set()
        # symbol → last price
        self.last: dict[str, Decimal] = {}
        # symbol → close of the day before
        self.lastday: dict[str, Decimal] = {}
        # (epoch ns, symbol → price), oldest first
        self.minutes: deque[tuple[int, dict[str, Decimal]]] = deque(maxlen=_KEPT_MINUTES)
        self.closes: deque[tuple[int, dict[str, Decimal]]] = deque(maxlen=_KEPT_DAYS)
        for symbol in self._exact:
            self._set_exact(symbol, self._gap(self._anchor[symbol]))
        self._price_options(lambda _: True)
        self.lastday = dict(self.last)
        for symbol in self._exact:
            self._set_exact(symbol, self._anchor[symbol])
        self._price_options(lambda _: True)

    def step(self, *, stocks_trade: bool) -> None:
        """Move every price once; stocks and options only while they trade."""
        rng = self._rng
        for symbol, exact in self._exact.items():
            # Drawn even if unused: pinning one symbol must not change another's prices.
            points = rng.randint(-_MAX_STEP_BP, _MAX_STEP_BP)
            if symbol in self._pinned or not (stocks_trade or symbol in self._always_open):
                continue
            if points:
                self._set_exact(
                    symbol, exact + exact * self._revert_to_anchor(symbol, points) * _BASIS_POINT
                )
        if stocks_trade:
            self._price_options(lambda symbol: symbol not in self._pinned)

    def pin(self, symbol: str, price: Decimal) -> None:
        """Set a price and keep it there; options follow a pinned underlying unless pinned too."""
        self._pinned.add(symbol)
        if symbol in self._exact:
            self._exact[symbol] = price
        self.last[symbol] = price
        self._price_options(lambda option: option not in self._pinned)

    def release(self, symbol: str) -> None:
        """Release a pinned price."""
        self._pinned.discard(symbol)

    def split(self, symbol: str, ratio: Decimal) -> None:
        """Divide a symbol's prices, yesterday's close included."""
        self._anchor[symbol] /= ratio
        self.lastday[symbol] = _to_tick(self.lastday[symbol] / ratio)
        self._set_exact(symbol, self._exact[symbol] / ratio)
        self._price_options(lambda option: option not in self._pinned)

    def rename(self, old: str, new: str) -> None:
        """Copy a symbol's prices to a new symbol; the old ones stay for the history."""
        for prices in (self._anchor, self._exact, self.last, self.lastday):
            prices[new] = prices[old]

    def remember_minute(self, at: int) -> None:
        """Sample all prices if a new minute has begun."""
        minute = at // MINUTE * MINUTE
        if not self.minutes or self.minutes[-1][0] < minute:
            self.minutes.append((minute, dict(self.last)))

    def end_day(self, at: int) -> None:
        """Make today's prices yesterday's closes."""
        self.lastday = dict(self.last)
        self.closes.append((at, self.lastday))

    def _gap(self, price: Decimal) -> Decimal:
        points = self._rng.randint(-_MAX_GAP_BP, _MAX_GAP_BP)
        return price + price * points * _BASIS_POINT

    def _revert_to_anchor(self, symbol: str, points: int) -> int:
        drift = self._exact[symbol] / self._anchor[symbol] - ONE
        if drift > _MAX_DRIFT:
            return -abs(points)
        return abs(points) if drift < -_MAX_DRIFT else points

    def _set_exact(self, symbol: str, exact: Decimal) -> None:
        self._exact[symbol] = max(exact.quantize(_EXACT), _SUB_PENNY)
        self.last[symbol] = _to_tick(self._exact[symbol])

    def _price_options(self, may_move: Callable[[str], bool]) -> None:
        for asset in self._options:
            if asset.contract is not None and may_move(asset.symbol):
                self.last[asset.symbol] = option_price(
                    asset.contract, self.last[asset.contract.underlying]
                )


def _to_tick(price: Decimal) -> Decimal:
    return price.quantize(CENT if price >= ONE else _SUB_PENNY, ROUND_HALF_UP)


def option_price(contract: Contract, spot: Decimal) -> Decimal:
    """Return an option's price: intrinsic value plus time value that falls with the distance."""
    distance = spot - contract.strike
    intrinsic = max(distance if contract.is_call else -distance, Decimal(0))
    nearness = max(ONE - abs(distance) / (spot * _TIME_VALUE_GONE_AT), Decimal(0))
    price = intrinsic + spot * _TIME_VALUE_AT_THE_MONEY * nearness
    return max(price.quantize(CENT, ROUND_HALF_UP), CENT)
