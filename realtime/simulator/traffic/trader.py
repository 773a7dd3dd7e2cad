"""Generates the trading of one account.

It learns the account's state from events, as any client would, and keeps about 3 to 8 positions
and 5 to 15 open orders.
"""

from decimal import Decimal
from random import Random
from typing import NamedTuple, Protocol

from realtime.simulator.traffic.order_generator import OrderGenerator, Tradable, format_tick

CLOSED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
CANCELABLE = frozenset({"new", "accepted"})
MIN_POSITIONS, MAX_POSITIONS = 3, 7
MIN_ORDERS, MAX_ORDERS = 5, 13


class OrderApi(Protocol):
    """Order calls of the exchange."""

    def submit(self, label: str, body: object) -> dict[str, object]:
        """Place an order."""

    def replace(self, label: str, order_id: str, body: object) -> dict[str, object]:
        """Replace an order."""

    def cancel(self, label: str, order_id: str) -> None:
        """Cancel an order."""


class Market(NamedTuple):
    """Prices by symbol, and what can be traded now."""

    prices: dict[str, Decimal]
    tradable: dict[str, Tradable]


class OpenOrder(NamedTuple):
    """An open order of the account."""

    symbol: str
    side: str
    kind: str
    status: str
    is_simple: bool


class Trader:
    """Trades for one account; `do_next` does one thing."""

    def __init__(self, label: str, cash: Decimal, *, may_short: bool, rng: Random) -> None:
        self.label = label
        self._rng = rng
        self._generator = OrderGenerator(cash, may_short=may_short, rng=rng)
        # symbol as in orders → signed quantity, never zero
        self._positions: dict[str, Decimal] = {}
        # order id → what it is
        self._orders: dict[str, OpenOrder] = {}

    def handle_event(self, data: dict[str, object]) -> None:
        """Handle an event of the account."""
        order = data.get("order")
        if not isinstance(order, dict):
            return
        symbol, status = order["symbol"], order["status"]
        if status in CLOSED:
            self._orders.pop(order["id"], None)
        else:
            is_simple = order["order_class"] in {"", "simple"}
            open_order = OpenOrder(symbol, order["side"], order["type"], status, is_simple)
            self._orders[order["id"]] = open_order
        after = data.get("position_qty")
        if isinstance(after, str):
            self._set_position(symbol, Decimal(after))

    def do_next(self, api: OrderApi, market: Market) -> None:
        """Do one thing that fits the account's state; raises what the API raises."""
        positions, orders = len(self._positions), len(self._orders)
        roll = self._rng.random()
        if orders > MAX_ORDERS or (orders > MIN_ORDERS and roll < 0.15):
            self._cancel_order(api)
        elif orders < MIN_ORDERS:
            self.add_resting_order(api, market)
        elif positions < MIN_POSITIONS or (positions < MAX_POSITIONS and roll < 0.35):
            self.open_position(api, market)
        elif positions > MAX_POSITIONS or roll < 0.55:
            self._close_position(api, market)
        elif roll < 0.75:
            self._replace_order(api, market)
        else:
            self.add_resting_order(api, market)

    def open_position(self, api: OrderApi, market: Market) -> None:
        """Open a position in a symbol without position and order."""
        busy = self._symbols_with_orders() | self._positions.keys()
        choices = [asset for symbol, asset in market.tradable.items() if symbol not in busy]
        if choices:
            asset = self._rng.choice(choices)
            api.submit(
                self.label, self._generator.opening_order(asset, market.prices[asset.symbol])
            )
        else:
            self._cancel_order(api)

    def add_resting_order(self, api: OrderApi, market: Market) -> None:
        """Add a resting order: an exit for a position that has none, or a buy."""
        ordered = self._symbols_with_orders()
        bare = [s for s in self._positions if s not in ordered and s in market.tradable]
        if bare and self._rng.random() < 0.5:
            symbol = self._rng.choice(bare)
            asset, held = market.tradable[symbol], self._positions[symbol]
            api.submit(self.label, self._generator.exit_order(asset, market.prices[symbol], held))
            return
        # A resting buy must not cross an own sell order nor add to a position.
        blocked = self._positions.keys() | {
            o.symbol for o in self._orders.values() if o.side != "buy"
        }
        choices = [a for s, a in market.tradable.items() if s not in blocked and not a.is_option]
        if choices:
            asset = self._rng.choice(choices)
            api.submit(self.label, self._generator.resting_buy(asset, market.prices[asset.symbol]))

    def _close_position(self, api: OrderApi, market: Market) -> None:
        """Close a position, or cancel an order that prevents closing it."""
        symbols = [symbol for symbol in self._positions if symbol in market.tradable]
        if not symbols:
            self.add_resting_order(api, market)
            return
        symbol = self._rng.choice(symbols)
        in_the_way = [i for i, order in self._orders.items() if order.symbol == symbol]
        if in_the_way:
            api.cancel(self.label, self._rng.choice(in_the_way))
            return
        asset, held = market.tradable[symbol], self._positions[symbol]
        api.submit(self.label, self._generator.closing_order(asset, market.prices[symbol], held))

    def _replace_order(self, api: OrderApi, market: Market) -> None:
        """Replace a working limit order with one at another price."""
        movable = [i for i, order in self._orders.items() if _is_movable(order, market)]
        if not movable:
            self.add_resting_order(api, market)
            return
        order_id = self._rng.choice(movable)
        order, far = self._orders[order_id], self._generator.price_below_factor()
        price = market.prices[order.symbol] * (far if order.side == "buy" else 2 - far)
        api.replace(self.label, order_id, {"limit_price": format_tick(price)})

    def _cancel_order(self, api: OrderApi) -> None:
        """Cancel a cancelable order."""
        settled = [i for i, order in self._orders.items() if order.status in CANCELABLE]
        if settled:
            api.cancel(self.label, self._rng.choice(settled))

    def _symbols_with_orders(self) -> set[str]:
        return {order.symbol for order in self._orders.values()}

    def _set_position(self, symbol: str, qty: Decimal) -> None:
        if qty:
            self._positions[symbol] = qty
        else:
            self._positions.pop(symbol, None)


def _is_movable(order: OpenOrder, market: Market) -> bool:
    is_plain = order.kind == "limit" and order.status == "new" and order.is_simple
    return is_plain and order.symbol in market.tradable
