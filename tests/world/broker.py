"""The simulator as a world needs it: it trades when told, and what it publishes is written down."""

import asyncio
from collections.abc import Callable, Sequence
from email.utils import formatdate

from aiohttp import web

from realtime.simulator.app import Simulator
from realtime.simulator.exchange.engine import TradeUpdate
from tests.world.clocks import Clocks

Document = dict[str, object]


class Broker(Simulator):
    """Its time is stepped by the world. `on_event` is told the truth, before any distortion."""

    def __init__(self, clocks: Clocks, *, accounts: int, seed: int, activity: float) -> None:
        super().__init__(
            accounts=accounts, seed=seed, activity=activity, clock=clocks.broker_ns, step_s=None
        )
        self.clocks = clocks
        self.on_event: list[Callable[[TradeUpdate], None]] = []
        self.understated: set[str] = set()
        """Labels whose replaced orders are told as if nothing of them had been executed."""

    def turn(self, now: float) -> None:
        """Let accounts trade and prices move once."""
        self.traffic.step(now)
        self.step()

    def echo(self, updates: Sequence[TradeUpdate]) -> None:
        """Tell old events again, as they were."""
        for update in updates:
            self._broadcaster.publish(update)

    def sockets(self, label: str) -> int:
        """How many authorized sockets an account has."""
        return self._broadcaster.sockets(label)

    def _publish(self, update: TradeUpdate) -> None:
        for tell in self.on_event:
            tell(update)
        super()._publish(self._understate(update))

    def _understate(self, update: TradeUpdate) -> TradeUpdate:
        order = update.data["order"]
        if update.label not in self.understated or update.data["event"] != "replaced":
            return update
        assert isinstance(order, dict)
        empty = {**order, "filled_qty": "0", "filled_avg_price": None, "filled_at": None}
        return TradeUpdate(update.label, {**update.data, "order": empty})

    async def _live(self) -> None:
        """Nothing happens by itself."""
        await asyncio.get_running_loop().create_future()

    async def _set_response_headers(
        self, request: web.Request, response: web.StreamResponse
    ) -> None:
        await super()._set_response_headers(request, response)
        response.headers["Date"] = formatdate(self.clocks.broker_ns() / 1e9, usegmt=True)
