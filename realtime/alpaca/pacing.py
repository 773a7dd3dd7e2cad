"""How often one account may ask: under 200 requests a minute, orders before reads.

A key's budget is 200 requests a minute, and going over it makes the broker deaf to orders too. So
everything passes a small leaky bucket, reads pass a smaller one first, and when the broker itself
says that the budget is spent (another program may use the same key), reads rest until it is reset.
The farm bounds what all accounts together have in flight, in two lanes, so that a thousand
snapshots never stand before an order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

from aiolimiter import AsyncLimiter

Lane = Literal["order", "read"]

BURST = 5
BURST_S = 1.6
"""5 in 1.6 s is 187.5 a minute; with the burst never more than 193 in any minute, of 200."""

READ_BURST = 4
READ_BURST_S = 2.133
"""4 in 2.133 s is 112.5 a minute: reads get 60 % of the budget, and a whole snapshot at once."""

SPENT = 10
"""At this many requests left, by the broker's count, reads leave them to orders."""

PATIENCE_S = 10.0
"""A read gives way to orders for so long, then takes its turn: reads keep the state right."""

REST_S = 15.0
"""Rest after a 429 that does not say when: the minute's window is soon over."""

REST_MAX_S = 60.0
"""The longest rest: the budget is one a minute, so any later reset is a mistake."""


class Farm:
    """What all accounts together may have in flight, a lane each for orders and reads."""

    def __init__(self, *, reads: int = 64, orders: int = 32) -> None:
        self._places = {"read": asyncio.Semaphore(reads), "order": asyncio.Semaphore(orders)}

    def lane(self, lane: Lane) -> asyncio.Semaphore:
        """Give the places of a lane."""
        return self._places[lane]


class Pacer:
    """One account's budget. First come, first served within a lane; orders before reads."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._budget = AsyncLimiter(BURST, BURST_S)
        self._reads = AsyncLimiter(READ_BURST, READ_BURST_S)
        self._turn = {"read": asyncio.Lock(), "order": asyncio.Lock()}
        self._rest_until = 0.0

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a place in which one request may be made. Waits for budget, then for the farm."""
        places = self._farm.lane(lane)
        # The turn is kept until the farm lets us in: of budget that was granted and not yet used
        # there is never more than one request a lane, or it would pile up into a burst.
        async with self._turn[lane]:
            await (self._order_budget() if lane == "order" else self._read_budget())
            await places.acquire()
        try:
            yield
        finally:
            places.release()

    def heard(self, *, remaining: int | None, reset_in_s: float | None) -> None:
        """Learn from an answer's rate-limit headers."""
        if remaining is not None and remaining <= SPENT:
            self._rest(reset_in_s)

    def refused(self, retry_after_s: float | None) -> None:
        """Learn from a 429."""
        self._rest(retry_after_s)

    @property
    def resting_s(self) -> float:
        """How long reads will still rest, 0 if they do not."""
        return max(0.0, self._rest_until - asyncio.get_running_loop().time())

    def _rest(self, wait_s: float | None) -> None:
        wait_s = REST_S if wait_s is None else min(max(wait_s, 0.0), REST_MAX_S)
        self._rest_until = max(self._rest_until, asyncio.get_running_loop().time() + wait_s)

    async def _order_budget(self) -> None:
        await self._budget.acquire()

    async def _read_budget(self) -> None:
        await self._reads.acquire()
        patient_until = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            wait_s = self.resting_s or self._yielding_s(patient_until)
            if wait_s == 0:
                break
            await asyncio.sleep(wait_s)
        await self._budget.acquire()

    def _yielding_s(self, patient_until: float) -> float:
        order_waits = self._turn["order"].locked()
        patient = asyncio.get_running_loop().time() < patient_until
        room = self._budget.has_capacity() and not order_waits
        return 0.0 if room or not patient else BURST_S / BURST
