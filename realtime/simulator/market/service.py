"""The market-data side of the simulator as a whole."""

from collections.abc import Callable
from decimal import Decimal

from aiohttp import web

from realtime.simulator.control.request_counters import RequestCounters
from realtime.simulator.credentials import Credentials
from realtime.simulator.exchange.engine import Exchange, TradeUpdate
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.market.history import History
from realtime.simulator.market.rest.context import Sources
from realtime.simulator.market.rest.corporate_actions import CorporateActions
from realtime.simulator.market.rest.news import NewsArchive
from realtime.simulator.market.rest.server import MarketDataServer
from realtime.simulator.market.settings import MarketDataSettings
from realtime.simulator.market.stream.server import DataStreamServer
from realtime.simulator.market.tape import Tape


class MarketData:
    """REST and streams of market data for one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        credentials: Credentials,
        faults: FaultRegistry,
        counters: RequestCounters,
        *,
        seed: int,
        clock: Callable[[], int],
        now: Callable[[], float],
    ) -> None:
        self.settings = MarketDataSettings()
        self.tape = Tape(exchange, self.settings, seed=seed, clock=clock)
        self.news = NewsArchive(clock())
        self.corporate_actions = CorporateActions()
        self.history = history = History(exchange, self.tape)
        sources = Sources(
            exchange,
            self.tape,
            history,
            self.news,
            self.corporate_actions,
            self.settings,
            clock,
        )
        self._rest = MarketDataServer(sources, credentials, faults, counters, now)
        self.stream = DataStreamServer(sources, credentials, faults, counters, now)
        self._clock = clock

    def now(self) -> int:
        """Return the current time in epoch nanoseconds."""
        return self._clock()

    def add_to(self, app: web.Application) -> None:
        """Add all routes to an application."""
        self._rest.add_to(app)
        self.stream.add_to(app, self._rest)

    def step(self) -> None:
        """Make the ticks of one step; does nothing until market data is first used."""
        self.tape.step()
        self.stream.step()

    def handle_event(self, update: TradeUpdate) -> None:
        """Print the execution of an event on the tape."""
        order, data = update.data.get("order"), update.data
        if data.get("event") in ("fill", "partial_fill") and isinstance(order, dict):
            price, qty = data.get("price"), data.get("qty")
            if order.get("symbol") and isinstance(price, str) and isinstance(qty, str):
                self.tape.print_execution(str(order["symbol"]), Decimal(price), Decimal(qty))

    def add_split(self, symbol: str, new: int, old: int) -> None:
        """Record a split that the exchange has carried out."""
        self.corporate_actions.add_split(self._clock(), symbol, new, old)

    def add_name_change(self, old: str, new: str) -> None:
        """Record a change of a symbol that the exchange has carried out."""
        self.corporate_actions.add_name_change(self._clock(), old, new)
