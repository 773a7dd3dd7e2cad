"""The tape: trades and quotes of every symbol, made from the prices that also fill orders.

It starts with the first use of market data; before, it costs nothing. After each step of the
exchange every tradable symbol gets a quote around its last price, and a trade if the price has
changed. Executions of the simulated accounts are printed too, so that fills and data agree.
"""

from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

from realtime.simulator.exchange.engine import Exchange
from realtime.simulator.exchange.timestamps import MINUTE, SECOND
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.exchange.venue.market_hours import REGULAR
from realtime.simulator.market.bars import Bar, new_bar
from realtime.simulator.market.elements import Element, Fields
from realtime.simulator.market.settings import MarketDataSettings
from realtime.simulator.market.ticks import (
    EXCHANGES,
    IEX,
    TickFactory,
    feeds_of,
    main_feed,
    tape_letter,
)

# Trades and quotes kept per symbol and feed; older ones are not in history any more.
MAX_TICKS = 20_000
# Minute bars kept per symbol and feed: three days.
MAX_MINUTES = 4_320
# An updated bar follows this long after its minute.
UPDATE_DELAY_NS = 30 * SECOND

# Messages of a feed that is late; of more, the oldest are lost.
MAX_LATE = 1_000_000

_TRADE_SHARE = 0.3  # of steps without a price change that print a trade
_IEX_SHARE = 0.4

# feed → elements of one symbol
Listener = Callable[[str, list[Element]], None]


class FeedTape:
    """What one feed has of one symbol, oldest first."""

    def __init__(self) -> None:
        self.trades: deque[Fields] = deque(maxlen=MAX_TICKS)
        self.quotes: deque[Fields] = deque(maxlen=MAX_TICKS)
        self.minutes: deque[Bar] = deque(maxlen=MAX_MINUTES)
        self.updates_due: dict[int, int] = {}  # minute → when its updated bar is due

    def add_trade(self, trade: Fields) -> None:
        """Append a trade and count it in its minute's bar."""
        self.trades.append(trade)
        minute = trade["t"] // MINUTE * MINUTE
        if self.minutes and self.minutes[-1].start == minute:
            self.minutes[-1].add(trade["p"], trade["s"])
        else:
            self.minutes.append(new_bar(minute, trade["p"], trade["s"]))


class Tape:
    """All symbols' trades and quotes since the tape started."""

    def __init__(
        self,
        exchange: Exchange,
        settings: MarketDataSettings,
        *,
        seed: int,
        clock: Callable[[], int],
    ) -> None:
        self._exchange = exchange
        self._settings = settings
        self._clock = clock
        self._rng = Random(f"{seed}:tape")
        self._ticks = TickFactory(self._rng, clock)
        self.opened_at = clock()  # when the simulator was created
        self.started_at: int | None = None
        self.listeners: list[Listener] = []
        # symbol → feed → tape
        self._feeds: dict[str, dict[str, FeedTape]] = {}
        self._minute = 0
        # due, feed, elements: of a feed that is late
        self._late: deque[tuple[int, str, list[Element]]] = deque(maxlen=MAX_LATE)

    def start(self) -> None:
        """Start the tape at the first use of market data."""
        if self.started_at is None:
            self.started_at = self._clock()
            self._minute = self.started_at // MINUTE
            self.step()

    def feed(self, symbol: str, feed: str) -> FeedTape | None:
        """Return what a feed has of a symbol, None if nothing."""
        return self._feeds.get(symbol, {}).get(feed)

    def step(self) -> None:
        """Make quotes and trades of every tradable symbol, and bars of an ended minute."""
        if self.started_at is None:
            return
        while self._late and self._late[0][0] <= self._clock():
            _, feed, elements = self._late.popleft()
            self._send_now(feed, elements)
        self._end_minutes()
        is_open = self._exchange.session_phase() == REGULAR
        for asset in list(self._exchange.listing.by_symbol.values()):
            if asset.active and (is_open or asset.is_crypto):
                self._tick(asset)

    def refresh(self, symbol: str) -> None:
        """Print a trade if the price has changed since the symbol's last one (REST reads)."""
        asset = self._exchange.listing.find(symbol)
        if asset is None or asset.symbol not in self._exchange.price_process.last:
            return
        tape = self._feeds.get(asset.symbol, {}).get(main_feed(asset))
        price = self._last_price(asset)
        if tape is None or not tape.trades or tape.trades[-1]["p"] != price:
            self._tick(asset, always_trade=True)

    def print_execution(self, symbol: str, price: Decimal, qty: Decimal) -> None:
        """Print an execution of a simulated account."""
        asset = self._exchange.listing.find(symbol)
        if self.started_at is not None and asset is not None:
            size = float(qty) if asset.is_crypto else max(int(qty), 1)
            self._print(asset, self._ticks.trade(asset, float(price), size, IEX))

    def print_late(self, symbol: str, price: float, size: int, age_ns: int) -> None:
        """Print a trade with an earlier time: its minute's bar is sent again as `u`."""
        asset = self._exchange.listing.get_tradable(symbol)
        trade = self._ticks.trade(asset, price, size, IEX)
        trade["t"] -= age_ns
        minute = trade["t"] // MINUTE * MINUTE
        for feed, tape in self._feeds.get(asset.symbol, {}).items():
            for bar in tape.minutes:
                if bar.start == minute:
                    bar.add_late(price, size)
                    tape.updates_due[minute] = minute + MINUTE + UPDATE_DELAY_NS
            tape.trades.append(trade)
            self._send(feed, [Element(trade)])

    def amend(self, symbol: str, *, price: float | None) -> Fields:
        """Correct the price of a symbol's last trade, or cancel it (None); return the message."""
        asset = self._exchange.listing.get_tradable(symbol)
        feeds = self._feeds.get(asset.symbol, {})
        trades = [tape.trades for tape in feeds.values() if tape.trades]
        if not trades:
            raise ValueError(f"{symbol} has no trade yet")
        old = max((each[-1] for each in trades), key=lambda trade: trade["i"])
        new = None if price is None else self._ticks.corrected(old, price)
        message = self._ticks.cancellation(old)
        if new is not None:
            message = self._ticks.correction(old, new)
        for feed, tape in feeds.items():
            if old in tape.trades:
                index = tape.trades.index(old)
                if new is None:
                    del tape.trades[index]
                else:
                    tape.trades[index] = new
                self._send(feed, [Element(message)])
        return message

    def send(self, symbol: str, message: Fields) -> None:
        """Send a message about a stock (status, LULD, imbalance) on its feeds."""
        asset = self._exchange.listing.get_tradable(symbol)
        last = {"t": self._ticks.next_time(), "z": tape_letter(asset)}
        fields = {"T": message["T"], "S": asset.symbol, **message, **last}
        for feed in ("sip", "iex"):
            self._send(feed, [Element(fields)])

    def _tick(self, asset: Asset, *, always_trade: bool = False) -> None:
        price = self._last_price(asset)
        exchange = IEX if self._rng.random() < _IEX_SHARE else self._rng.choice(EXCHANGES)
        self._add_quote(
            asset,
            self._ticks.quote(asset, price, exchange, self._settings.quotes.get(asset.symbol)),
        )
        tape = self._feeds[asset.symbol][main_feed(asset)]
        changed = not tape.trades or tape.trades[-1]["p"] != price
        trades = always_trade or changed or self._rng.random() < _TRADE_SHARE
        stopped = self._settings.halted_symbols + self._settings.no_trades
        if trades and asset.symbol not in stopped:
            self._print(asset, self._ticks.trade(asset, price, self._size(asset), exchange))

    def _print(self, asset: Asset, trade: Fields) -> None:
        element = Element(trade)
        for feed in feeds_of(asset, trade.get("x", "")):
            self._tape(asset, feed).add_trade(trade)
            self._send(feed, [element])

    def _add_quote(self, asset: Asset, quote: Fields) -> None:
        element = Element(quote)
        for feed in feeds_of(asset, quote.get("bx", "")):
            self._tape(asset, feed).quotes.append(quote)
            self._send(feed, [element])

    def _end_minutes(self) -> None:
        """Send the bars of the last minute, and updated bars that are due."""
        now = self._clock()
        minute = now // MINUTE
        ended = minute > self._minute
        self._minute = max(minute, self._minute)
        for symbol, feed, tape in self._all():
            for start, due in list(tape.updates_due.items()):
                if due <= now:
                    del tape.updates_due[start]
                    bars = [bar for bar in tape.minutes if bar.start == start]
                    self._send(feed, [self._bar("u", symbol, bar) for bar in bars])
            if ended and tape.minutes and tape.minutes[-1].start // MINUTE == minute - 1:
                self._send(feed, [self._bar("b", symbol, tape.minutes[-1])])

    def _bar(self, kind: str, symbol: str, bar: Bar) -> Element:
        return Element({"T": kind, "S": symbol, **bar.fields(whole="/" not in symbol)})

    def _all(self) -> Iterator[tuple[str, str, FeedTape]]:
        for symbol, feeds in self._feeds.items():
            for feed, tape in feeds.items():
                yield symbol, feed, tape

    def _send(self, feed: str, elements: list[Element]) -> None:
        delay_s = self._settings.iex_delay_s if feed == "iex" else 0.0
        if delay_s:
            self._late.append((self._clock() + int(delay_s * SECOND), feed, elements))
        else:
            self._send_now(feed, elements)

    def _send_now(self, feed: str, elements: list[Element]) -> None:
        if elements:
            for listener in self.listeners:
                listener(feed, elements)

    def _tape(self, asset: Asset, feed: str) -> FeedTape:
        return self._feeds.setdefault(asset.symbol, {}).setdefault(feed, FeedTape())

    def _size(self, asset: Asset) -> float:
        if asset.is_crypto:
            return self._rng.randint(1, 9_999) / 10_000
        return self._rng.randint(1, 9) if asset.is_option else self._rng.randint(1, 400)

    def _last_price(self, asset: Asset) -> float:
        return float(self._exchange.price_process.last[asset.symbol])
