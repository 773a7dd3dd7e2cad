"""Generates trading at a rate of events per second that can be changed at any time.

The rate counts events, whatever causes them, not orders.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random

from realtime.simulator.exchange.engine import AccountSpec, ApiError, Exchange, TradeUpdate
from realtime.simulator.traffic.order_generator import Tradable
from realtime.simulator.traffic.trader import Market, Trader

# Overdue events are still generated if they were due within this time …
MAX_BACKLOG_S = 1.0
# (at least this many: one order alone makes three or four)
MIN_BACKLOG = 10.0
# … but at most this much per step: more would block the loop.
MAX_STEP_S = 0.06
# A trader may have nothing to do or be refused; then another one acts, at most this often.
TRIES_PER_EVENT = 4
# Initial positions and orders per account, before events are counted.
INITIAL_POSITIONS = (3, 6)
INITIAL_ORDERS = (4, 7)


class TrafficScheduler:
    """All traders, and the rate of events."""

    def __init__(
        self, exchange: Exchange, specs: Sequence[AccountSpec], *, seed: int, activity: float
    ) -> None:
        self.activity = activity
        self.refused = 0
        self._exchange = exchange
        self._rng = Random(f"{seed}:traffic")
        self._traders = {
            spec.label: Trader(
                spec.label,
                spec.cash,
                may_short=spec.shorting_enabled,
                rng=Random(f"{seed}:traffic:{spec.label}"),
            )
            for spec in specs
        }
        self._trader_list = list(self._traders.values())
        self._tradable = _tradable(exchange)
        # Events due and not yet generated; negative: too many were.
        self._events_due = 0.0
        self._stepped_at: float | None = None

    def handle_event(self, update: TradeUpdate) -> None:
        """Handle an event of the exchange."""
        self._events_due -= 1
        self._traders[update.label].handle_event(update.data)

    def add_initial_orders(self, advance: Callable[[], None]) -> None:
        """Create positions and orders for every account, if there is any traffic."""
        if not self.activity:
            return
        for do_next, (low, high) in (
            (Trader.open_position, INITIAL_POSITIONS),
            (Trader.add_resting_order, INITIAL_ORDERS),
        ):
            market = self._market()
            for trader in self._trader_list:
                for _ in range(self._rng.randint(low, high)):
                    self._try(do_next, trader, market)
            for _ in range(5):
                advance()
        self._events_due = 0.0

    def step(self, now: float) -> None:
        """Generate the events that are due by `now`, in seconds of a monotonic clock."""
        passed = 0.0 if self._stepped_at is None else now - self._stepped_at
        self._stepped_at = now
        if not self.activity:
            self._events_due = 0.0
            return
        limit = max(MIN_BACKLOG, self.activity * MAX_BACKLOG_S)
        self._events_due = max(-limit, min(limit, self._events_due + self.activity * passed))
        if self._events_due >= 1 and self._trader_list:
            self._make_events(min(self._events_due, max(1.0, self.activity * MAX_STEP_S)))

    def _make_events(self, events: float) -> None:
        """Let traders act until `events` events were generated."""
        market = self._market()
        goal = self._events_due - events
        for _ in range(int(events) * TRIES_PER_EVENT):
            trader = self._trader_list[int(self._rng.random() * len(self._trader_list))]
            self._try(Trader.do_next, trader, market)
            if self._events_due <= goal:
                break

    def _try(
        self, do_next: Callable[[Trader, Exchange, Market], None], trader: Trader, market: Market
    ) -> None:
        try:
            do_next(trader, self._exchange, market)
        except ApiError:
            self.refused += 1

    def _market(self) -> Market:
        prices = {symbol: Decimal(price) for symbol, price in self._exchange.prices().items()}
        is_open = self._exchange.clock()["is_open"]
        now = {name: each for name, each in self._tradable.items() if is_open or each.is_crypto}
        return Market(prices, now)


def _tradable(exchange: Exchange) -> dict[str, Tradable]:
    """Return what can be traded by symbol: everything active with a price."""
    assets = map(exchange.asset, exchange.prices())
    return {
        str(asset["symbol"]): Tradable(
            symbol=str(asset["symbol"]),
            asset_class=str(asset["class"]),
            shortable=bool(asset["shortable"]),
            fractionable=bool(asset["fractionable"]),
        )
        for asset in assets
        if asset["tradable"]
    }
