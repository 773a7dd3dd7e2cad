"""Generates order requests (bodies of POST /v2/orders) with a seeded generator.

Amounts are fractions of the account's initial cash, small enough that no account runs out of
money.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from random import Random
from typing import NamedTuple

CENT = Decimal("0.01")
Body = dict[str, object]


class Tradable(NamedTuple):
    """A symbol and how it may be traded."""

    symbol: str
    asset_class: str
    shortable: bool
    fractionable: bool

    @property
    def is_crypto(self) -> bool:
        """Return whether it is a coin: trades at all hours, never shorted."""
        return self.asset_class == "crypto"

    @property
    def is_option(self) -> bool:
        """Return whether it is an option contract (100 shares)."""
        return self.asset_class == "us_option"


class OrderGenerator:
    """Generates orders for one account."""

    def __init__(self, cash: Decimal, *, may_short: bool, rng: Random) -> None:
        self._cash = cash
        self._may_short = may_short
        self._rng = rng

    def opening_order(self, asset: Tradable, price: Decimal) -> Body:
        """Return an opening order: market, marketable limit, bracket, notional or short."""
        roll = self._rng.random()
        qty = self._qty(asset, price)
        if asset.is_option:
            return _order(asset, "buy", Decimal(1), limit=price * Decimal("1.03"))
        if asset.is_crypto:
            return _order(asset, "buy", qty, limit=price * Decimal("1.002") if roll < 0.4 else None)
        if roll < 0.12 and self._may_short and asset.shortable:
            return _order(asset, "sell", qty)
        if roll < 0.24:
            return self._bracket(asset, qty, price)
        if roll < 0.34 and asset.fractionable:
            body = _order(asset, "buy", qty)
            del body["qty"]
            return body | {"notional": format_decimal((qty * price).quantize(CENT))}
        return _order(asset, "buy", qty, limit=price * Decimal("1.004") if roll < 0.6 else None)

    def resting_buy(self, asset: Tradable, price: Decimal) -> Body:
        """Return a limit buy below the price."""
        limit = price * self.price_below_factor()
        body = _order(asset, "buy", self._qty(asset, price), limit=limit)
        is_gtc = asset.is_crypto or self._rng.random() < 0.3
        return body | {"time_in_force": "gtc" if is_gtc else "day"}

    def exit_order(self, asset: Tradable, price: Decimal, held: Decimal) -> Body:
        """Return a resting closing order: limit, stop, stop-limit or trailing stop."""
        side, sign = ("sell", 1) if held > 0 else ("buy", -1)
        price_below_factor = sign * self._between("0.01", "0.06")
        body = _order(asset, side, abs(held), limit=price * (1 + price_below_factor))
        is_whole = held == held.to_integral_value()
        roll = self._rng.random()
        if asset.asset_class != "us_equity" or not is_whole or roll < 0.55:
            return body
        del body["limit_price"]
        stop = format_tick(price * (1 - price_below_factor))
        if roll < 0.7:
            return body | {"type": "stop", "stop_price": stop, "time_in_force": "gtc"}
        if roll < 0.85:
            limit = format_tick(price * (1 - price_below_factor * Decimal("1.1")))
            return body | {"type": "stop_limit", "stop_price": stop, "limit_price": limit}
        percent = format_decimal(self._between("1", "5").quantize(Decimal("0.1")))
        return body | {"type": "trailing_stop", "trail_percent": percent, "time_in_force": "gtc"}

    def closing_order(self, asset: Tradable, price: Decimal, held: Decimal) -> Body:
        """Return an order that closes a position now."""
        side = "sell" if held > 0 else "buy"
        limit = price * Decimal("0.97") if asset.is_option else None
        return _order(asset, side, abs(held), limit=limit)

    def price_below_factor(self) -> Decimal:
        """Return a random factor below one for a price."""
        return self._between("0.90", "0.985")

    def _bracket(self, asset: Tradable, qty: Decimal, price: Decimal) -> Body:
        return _order(asset, "buy", qty) | {
            "order_class": "bracket",
            "time_in_force": "gtc",
            "take_profit": {"limit_price": format_tick(price * self._between("1.01", "1.05"))},
            "stop_loss": {"stop_price": format_tick(price * self._between("0.95", "0.985"))},
        }

    def _qty(self, asset: Tradable, price: Decimal) -> Decimal:
        """Return a quantity worth 0.3 to 1.5 % of the account."""
        worth = self._cash * self._between("0.003", "0.015")
        if asset.is_crypto:
            return (worth / price).quantize(Decimal("0.0001"), ROUND_DOWN) + Decimal("0.001")
        return max(Decimal(1), (worth / price).to_integral_value(ROUND_DOWN))

    def _between(self, low: str, high: str) -> Decimal:
        """Return a random number with four decimals between two."""
        first, last = (int(Decimal(end) * 10_000) for end in (low, high))
        return Decimal(self._rng.randint(first, last)) / 10_000


def format_tick(price: Decimal) -> str:
    """Format a price in whole ticks: cents from a dollar up, else a hundredth of a cent."""
    step = CENT if price >= 1 else Decimal("0.0001")
    return format_decimal(max(step, price.quantize(step, ROUND_HALF_UP)))


def format_decimal(number: Decimal) -> str:
    """Format a number without an exponent."""
    return format(number, "f")


def _order(asset: Tradable, side: str, qty: Decimal, limit: Decimal | None = None) -> Body:
    body: Body = {
        "symbol": asset.symbol,
        "qty": format_decimal(qty),
        "side": side,
        "type": "market" if limit is None else "limit",
        "time_in_force": "gtc" if asset.is_crypto else "day",
    }
    return body if limit is None else body | {"limit_price": format_tick(limit)}
