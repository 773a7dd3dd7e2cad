"""One account that trades by itself: what it holds, what it has working, and what it does next.

It knows its account from the events it is told, as any client would, and keeps about 3 to 8 positions and 5 to 15
open orders. All amounts are shares of the account's first cash, so that no account trades itself out of money.
"""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from random import Random
from typing import NamedTuple, Protocol

CLOSED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
MIN_POSITIONS, MAX_POSITIONS = 3, 7
MIN_ORDERS, MAX_ORDERS = 5, 13

CENT = Decimal("0.01")
Body = dict[str, object]


class Desk(Protocol):
    """Where orders go."""

    def submit(self, label: str, body: object) -> dict[str, object]:
        """Place an order."""

    def replace(self, label: str, order_id: str, body: object) -> dict[str, object]:
        """Replace an order."""

    def cancel(self, label: str, order_id: str) -> None:
        """Cancel an order."""


class Tradable(NamedTuple):
    """A symbol and what may be done with it."""

    symbol: str
    asset_class: str
    shortable: bool

    @property
    def is_crypto(self) -> bool:
        """Coins trade day and night and are never shorted."""
        return self.asset_class == "crypto"

    @property
    def is_option(self) -> bool:
        """Contracts are for 100 shares."""
        return self.asset_class == "us_option"


class Market(NamedTuple):
    """What a trader looks at: prices by symbol, and whether the stock market is open."""

    prices: dict[str, Decimal]
    tradable: dict[str, Tradable]
    is_open: bool

    def choices(self) -> list[Tradable]:
        """What can be traded now."""
        every = self.tradable.values()
        return [each for each in every if self.is_open or each.is_crypto]


class Working(NamedTuple):
    """An open order of ours."""

    symbol: str
    side: str
    kind: str
    status: str
    is_simple: bool


class Trader:
    """An account's hand. `act` does one thing."""

    def __init__(self, label: str, cash: Decimal, *, may_short: bool, rng: Random) -> None:
        self.label = label
        self._cash = cash
        self._may_short = may_short
        self._rng = rng
        # symbol as in orders → signed quantity, never zero
        self._positions: dict[str, Decimal] = {}
        # order id → what is open of it
        self._orders: dict[str, Working] = {}

    def note(self, data: dict[str, object]) -> None:
        """Take an event of the account."""
        order = data.get("order")
        if not isinstance(order, dict):
            return
        symbol, status = str(order["symbol"]), str(order["status"])
        if status in CLOSED:
            self._orders.pop(str(order["id"]), None)
        else:
            is_simple = order["order_class"] in {"", "simple"}
            self._orders[str(order["id"])] = Working(
                symbol, str(order["side"]), str(order["type"]), status, is_simple
            )
        after = data.get("position_qty")
        if isinstance(after, str):
            self._hold(symbol, Decimal(after))

    def act(self, desk: Desk, market: Market) -> None:
        """Do one thing that suits the account's state; raises what the desk raises."""
        positions, orders = len(self._positions), len(self._orders)
        dice = self._rng.random()
        if orders > MAX_ORDERS or (orders > MIN_ORDERS and dice < 0.15):
            self._cancel(desk)
        elif orders < MIN_ORDERS:
            self.rest(desk, market)
        elif positions < MIN_POSITIONS or (positions < MAX_POSITIONS and dice < 0.35):
            self.enter(desk, market)
        elif positions > MAX_POSITIONS or dice < 0.55:
            self._leave(desk, market)
        elif dice < 0.75:
            self._move(desk, market)
        else:
            self.rest(desk, market)

    def enter(self, desk: Desk, market: Market) -> None:
        """Open a position in something not held, by one of the usual ways."""
        choices = [each for each in market.choices() if not self._is_busy(each.symbol)]
        if not choices:
            self._cancel(desk)
            return
        asset = self._rng.choice(choices)
        desk.submit(self.label, self._entry(asset, market.prices[asset.symbol]))

    def rest(self, desk: Desk, market: Market) -> None:
        """Leave an order working: an exit for a position that has none, or a bid below the price."""
        free = [s for s in self._positions if self._free(s) and self._may_trade(s, market)]
        if free and self._rng.random() < 0.5:
            symbol = self._rng.choice(free)
            desk.submit(self.label, self._exit(market, symbol))
            return
        bids = [a for a in market.choices() if self._may_bid(a.symbol) and not a.is_option]
        if bids:
            asset = self._rng.choice(bids)
            price = market.prices[asset.symbol] * self._between("0.90", "0.985")
            body = self._order(asset, "buy", self._qty(asset, price), limit=price)
            desk.submit(self.label, body | {"time_in_force": self._tif(asset)})

    def _leave(self, desk: Desk, market: Market) -> None:
        """Close a position, or clear the way for closing it."""
        symbols = [s for s in self._positions if self._may_trade(s, market)]
        if not symbols:
            self.rest(desk, market)
            return
        symbol = self._rng.choice(symbols)
        if in_the_way := [i for i, o in self._orders.items() if o.symbol == symbol]:
            desk.cancel(self.label, self._rng.choice(in_the_way))
            return
        qty = self._positions[symbol]
        asset = market.tradable[symbol]
        side = "sell" if qty > 0 else "buy"
        limit = market.prices[symbol] * Decimal("0.97") if asset.is_option else None
        desk.submit(self.label, self._order(asset, side, abs(qty), limit=limit))

    def _move(self, desk: Desk, market: Market) -> None:
        """Replace a working limit order with one at a slightly other price."""
        limits = [
            (order_id, order)
            for order_id, order in self._orders.items()
            if order.kind == "limit" and order.status == "new" and order.is_simple
            and self._may_trade(order.symbol, market)
        ]  # fmt: skip
        if not limits:
            self.rest(desk, market)
            return
        order_id, order = self._rng.choice(limits)
        far = self._between("0.90", "0.985")
        price = market.prices[order.symbol] * (far if order.side == "buy" else 2 - far)
        desk.replace(self.label, order_id, {"limit_price": _tick(price)})

    def _cancel(self, desk: Desk) -> None:
        """Cancel something that can be."""
        settled = [i for i, o in self._orders.items() if o.status in {"new", "accepted"}]
        if settled:
            desk.cancel(self.label, self._rng.choice(settled))

    def _entry(self, asset: Tradable, price: Decimal) -> Body:
        dice = self._rng.random()
        qty = self._qty(asset, price)
        if asset.is_option:
            return self._order(asset, "buy", Decimal(1), limit=price * Decimal("1.03"))
        if asset.is_crypto:
            limit = price * Decimal("1.002") if dice < 0.4 else None
            return self._order(asset, "buy", qty, limit=limit)
        if dice < 0.12 and self._may_short and asset.shortable and self._shorts() < 2:
            return self._order(asset, "sell", qty)
        if dice < 0.24:
            return self._order(asset, "buy", qty) | {
                "order_class": "bracket",
                "time_in_force": "gtc",
                "take_profit": {"limit_price": _tick(price * self._between("1.01", "1.05"))},
                "stop_loss": {"stop_price": _tick(price * self._between("0.95", "0.985"))},
            }
        if dice < 0.34:
            body = self._order(asset, "buy", qty)
            del body["qty"]
            return body | {"notional": _plain((qty * price).quantize(CENT))}
        return self._order(
            asset, "buy", qty, limit=price * Decimal("1.004") if dice < 0.6 else None
        )

    def _exit(self, market: Market, symbol: str) -> Body:
        """An order that would close what is free of a position, some way from the price."""
        asset, price, qty = market.tradable[symbol], market.prices[symbol], self._free(symbol)
        side, sign = ("sell", 1) if qty > 0 else ("buy", -1)
        away = sign * self._between("0.01", "0.06")
        body = self._order(asset, side, abs(qty), limit=price * (1 + away))
        whole = qty == qty.to_integral_value()
        dice = self._rng.random()
        if asset.is_option or not whole or dice < 0.55:
            return body
        if asset.is_crypto:
            return body
        del body["limit_price"]
        stop = _tick(price * (1 - away))
        if dice < 0.7:
            return body | {"type": "stop", "stop_price": stop, "time_in_force": "gtc"}
        if dice < 0.85:
            limit = _tick(price * (1 - away * Decimal("1.1")))
            return body | {"type": "stop_limit", "stop_price": stop, "limit_price": limit}
        percent = _plain(self._between("1", "5").quantize(Decimal("0.1")))
        return body | {"type": "trailing_stop", "trail_percent": percent, "time_in_force": "gtc"}

    def _order(
        self, asset: Tradable, side: str, qty: Decimal, limit: Decimal | None = None
    ) -> Body:
        body: Body = {
            "symbol": asset.symbol,
            "qty": _plain(qty),
            "side": side,
            "type": "market" if limit is None else "limit",
            "time_in_force": "gtc" if asset.is_crypto else "day",
        }
        return body if limit is None else body | {"limit_price": _tick(limit)}

    def _qty(self, asset: Tradable, price: Decimal) -> Decimal:
        """A quantity worth between 0.3 and 1.5 % of the account."""
        worth = self._cash * self._between("0.003", "0.015")
        if asset.is_crypto:
            return (worth / price).quantize(Decimal("0.0001"), ROUND_DOWN) + Decimal("0.0001")
        return max(Decimal(1), (worth / price).to_integral_value(ROUND_DOWN))

    def _tif(self, asset: Tradable) -> str:
        return "gtc" if asset.is_crypto or self._rng.random() < 0.3 else "day"

    def _between(self, low: str, high: str) -> Decimal:
        """A number of four decimals between two."""
        first, last = (int(Decimal(end) * 10_000) for end in (low, high))
        return Decimal(self._rng.randint(first, last)) / 10_000

    def _hold(self, symbol: str, qty: Decimal) -> None:
        if qty:
            self._positions[symbol] = qty
        else:
            self._positions.pop(symbol, None)

    def _is_busy(self, symbol: str) -> bool:
        return symbol in self._positions or any(o.symbol == symbol for o in self._orders.values())

    def _may_bid(self, symbol: str) -> bool:
        """A bid must not meet an order of ours on the other side, nor build up a position."""
        others = [order for order in self._orders.values() if order.symbol == symbol]
        return (
            symbol not in self._positions
            and len(others) < 3
            and all(order.side == "buy" for order in others)
        )

    def _may_trade(self, symbol: str, market: Market) -> bool:
        asset = market.tradable.get(symbol)
        return asset is not None and (market.is_open or asset.is_crypto)

    def _free(self, symbol: str) -> Decimal:
        """The position, signed, if no order of its symbol is open; else 0."""
        is_worked = any(order.symbol == symbol for order in self._orders.values())
        return Decimal(0) if is_worked else self._positions[symbol]

    def _shorts(self) -> int:
        return sum(qty < 0 for qty in self._positions.values())


def _tick(price: Decimal) -> str:
    step = CENT if price >= 1 else Decimal("0.0001")
    return _plain(max(step, price.quantize(step, ROUND_HALF_UP)))


def _plain(number: Decimal) -> str:
    return format(number, "f")
