"""How often one account may ask: under 200 requests a minute, orders before reads.

A key's budget is 200 requests a minute, and going over it makes the broker deaf to orders too. So
everything passes a bucket with a small burst, reads pass a smaller one as well, and when the broker
itself says that the budget is spent (another program may use the same key), reads rest until it is
reset. The farm bounds what all accounts together have in flight, in two lanes, so that a thousand
snapshots never stand before an order.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Lane = Literal["order", "read"]

BURST, INTERVAL_S = 5, 0.32
"""5 at once, then 187.5 a minute: never more than 193 in any minute, of 200."""

READ_BURST, READ_INTERVAL_S = 4, INTERVAL_S / 0.6
"""Reads get 60 % of that; 4 at once, so that a whole snapshot does not wait."""

SPENT = 10
"""At this many requests left, by the broker's count, reads leave them to orders."""

PATIENCE_S = 10.0
"""A read gives way to orders for so long, then takes its turn: reads keep the state right."""

REST_S = 15.0
"""Rest after a 429 that does not say when: the minute's window is soon over."""

REST_MAX_S = 60.0
"""The longest rest: the budget is one a minute, so any later reset is a mistake."""

TICK_S = 0.001
"""Less is not worth a sleep, and a clock need not be able to tell it."""


class Bucket:
    """So many at once, then one every so often. Kept as the time when it would be full again."""

    def __init__(self, burst: int, interval_s: float) -> None:
        self._slack_s = (burst - 1) * interval_s
        self._interval_s = interval_s
        self._full_at = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until one may be taken; 0 or less if at once."""
        return self._full_at - self._slack_s - now

    def take(self, now: float) -> None:
        """Take one."""
        self._full_at = max(self._full_at, now) + self._interval_s


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
        self._budget = Bucket(BURST, INTERVAL_S)
        self._reads = Bucket(READ_BURST, READ_INTERVAL_S)
        self._turn = {"read": asyncio.Lock(), "order": asyncio.Lock()}
        self._rest_until = 0.0

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a place in which one request may be made. Waits for budget, then for the farm."""
        places = self._farm.lane(lane)
        # The turn is kept until the farm lets us in: of budget that was granted and not yet used
        # there is never more than one request a lane, or it would pile up into a burst.
        async with self._turn[lane]:
            await self._until_due(lane)
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

    async def _until_due(self, lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + PATIENCE_S
        while True:
            now = loop.time()
            wait_s = self._budget.wait_s(now)
            if lane == "read":
                gives_way = now < patient_until and self._turn["order"].locked()
                wait_s += INTERVAL_S if gives_way else 0.0
                wait_s = max(wait_s, self._reads.wait_s(now), self._rest_until - now)
            if wait_s < TICK_S:
                break
            await asyncio.sleep(wait_s)
        self._budget.take(now)
        if lane == "read":
            self._reads.take(now)
