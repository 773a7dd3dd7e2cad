"""A simulator on a thread of its own, on a real socket: alpaca-py's REST client blocks its caller.

Nothing here imports alpaca-py.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar

from realtime.simulator.app import Simulator
from realtime.simulator.faults.catalogue import parse_fault
from tests.compat.background import LIMIT_S, Background

# Tuesday, 2026-10-06, 10:00 in New York: the session is open, and history has a day before it.
TUESDAY_10_00 = 1_791_295_200_000_000_000
# Steps after which even an order in many parts is filled.
ENOUGH_STEPS = 20

T = TypeVar("T")


class Broker(Background):
    """A simulator controlled by tests: prices rest and orders wait until `step`."""

    def __init__(self, **options: Any) -> None:
        super().__init__("broker")
        self._options = options
        self._sim: Simulator
        self.url = ""
        self.stream_url = ""

    def call(self, act: Callable[[Simulator], T]) -> T:
        """Call a function with the simulator on its own thread; return its result."""

        async def acting() -> T:
            return act(self._sim)

        return asyncio.run_coroutine_threadsafe(acting(), self._loop).result(LIMIT_S)

    def until(self, is_so: Callable[[Simulator], bool]) -> None:
        """Wait for an effect of a client's action; raises TimeoutError."""

        async def waiting() -> None:
            async with asyncio.timeout(LIMIT_S):
                while not is_so(self._sim):  # noqa: ASYNC110 -- there is no event to wait for
                    await asyncio.sleep(0.002)

        asyncio.run_coroutine_threadsafe(waiting(), self._loop).result(2 * LIMIT_S)

    def count_listens(self, label: str) -> int:
        """How often a stream of an account has begun to listen."""
        return self.call(lambda sim: sim.counters.get(label).get("listening", 0))

    def cut(self, label: str, *, clean: bool = False) -> None:
        """Cut an account's streams; a new one is accepted at once."""
        self.fault("second_connection", account=label, release_s=0)
        self.fault("cut", account=label, clean=clean)

    def step(self, times: int = 1) -> None:
        """Match resting orders; prices do not move."""

        def stepping(sim: Simulator) -> None:
            for _ in range(times):
                sim.step(prices_move=False)

        self.call(stepping)

    def settle(self) -> None:
        """Step until everything that can trade has traded."""
        self.step(ENOUGH_STEPS)

    def price(self, symbol: str) -> str:
        """The last price of a symbol."""
        return self.call(lambda sim: sim.exchange.prices()[symbol])

    def pin(self, symbol: str, price: str) -> None:
        """Set a price and match orders."""
        self.call(lambda sim: sim.exchange.set_price(symbol, price))
        self.settle()

    def fault(self, kind: str, **parameters: object) -> None:
        """Add a fault."""
        self.call(lambda sim: sim.faults.add(parse_fault({"kind": kind, **parameters})))

    async def live(self) -> None:
        """Run the simulator."""
        self._sim = Simulator(**self._options)
        async with self._sim:
            self.url, self.stream_url = self._sim.url, self._sim.stream_url
            await self.serve_until_left()


def tuesday() -> Callable[[], int]:
    """Return a clock that starts on a Tuesday morning and runs at normal speed."""
    started = time.monotonic_ns()
    return lambda: TUESDAY_10_00 + time.monotonic_ns() - started
