"""How often one account may ask: under 200 requests a minute, orders before reads.

A key's budget is 200 requests a minute, and going over it makes the broker deaf to orders too. So
nothing goes that would be more than `MOST` in any minute. Reads pass a bucket as well, which
spreads them and leaves room, and when the broker itself says that the budget is spent (another
program may use the same key), reads rest until it is reset. Orders may come in a burst; they never
queue for long: what finds no room is told when to come back. The fleet bounds what all accounts
together have in flight, in two lanes, so that a thousand snapshots never stand before an order.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from msgspec import Struct

from realtime.errors import NotSent

Lane = Literal["order", "urgent", "read"]
"""A new order; what must find room even after many of them (asking what became of one, canceling,
closing); a reading that keeps the state right."""

MINUTE_S = 61.0
"""A minute by our clock, and what requests may differ in the time they take to arrive."""

MOST = 193
"""Requests in any minute, of 200: clocks and other windows than ours need some room."""

RESERVED = 20
"""Of these, what new orders leave: one that was lost must be asked for, and canceled, at once."""

LIMIT = 200
"""The broker's budget a minute, unless its answers say another."""

READ_BURST, READ_INTERVAL_S = 4, 0.32 / 0.6
"""Reads get 60 % of the budget; 4 at once, so that a whole snapshot does not wait."""

GIVE_WAY_S = 0.32
"""A read looks again so often whether orders have gone."""

PATIENCE_OF_S: dict[Lane, float] = {"order": 1.0, "urgent": 5.0}
"""Whoever trades waits so long for budget, and is then told when to come back."""

PLACE_S = 5.0
"""An order waits so long for a place among those in flight."""

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


class TokenBucket:
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


class SlidingWindow:
    """What was asked in the last minute, and by which lane."""

    def __init__(self) -> None:
        self._asked: deque[tuple[float, Lane]] = deque()

    def wait_s(self, now: float, most: int = MOST) -> float:
        """Seconds until one more fits among so many in a minute; 0 or less if at once."""
        self._forget(now)
        if len(self._asked) < most:
            return 0.0
        return self._asked[len(self._asked) - most][0] + MINUTE_S - now

    def take(self, now: float, lane: Lane) -> None:
        """Ask."""
        self._forget(now)
        self._asked.append((now, lane))

    def spent(self, now: float) -> "Counter[Lane]":
        """Lane → requests in the last minute."""
        self._forget(now)
        return Counter(lane for _, lane in self._asked)

    def count(self, now: float) -> int:
        """Requests in the last minute."""
        self._forget(now)
        return len(self._asked)

    def _forget(self, now: float) -> None:
        while self._asked and self._asked[0][0] <= now - MINUTE_S:
            self._asked.popleft()


class FleetLimiter:
    """What all accounts together may have in flight, a lane each for orders and reads."""

    def __init__(self, *, reads: int = 64, orders: int = 256) -> None:
        self._reads, self._orders = asyncio.Semaphore(reads), asyncio.Semaphore(orders)
        self.asked: Counter[Lane] = Counter()
        """Lane → requests that were let through since the start."""
        self.refused = 0
        """429s that the broker has answered."""

    def lane(self, lane: Lane) -> asyncio.Semaphore:
        """Give the places of a lane; whatever trades shares one."""
        return self._reads if lane == "read" else self._orders


class RateBudget(Struct, frozen=True, kw_only=True):
    """What is left of an account's minute, and who spent it."""

    limit: int
    remaining: int
    """As far as we know: the less of our count and the broker's."""
    orders: int
    """Requests for orders in the last minute: placing, changing, canceling, asking for them."""
    reads: int
    """Requests that keep the state right."""
    others: int | None
    """Requests of other programs with this account, by the broker's count; null: not told."""
    resets_in_s: float | None
    """When the broker's minute is over; null: not told."""
    resting_s: float
    """How long reads still rest."""


class RateLimiter:
    """One account's budget. First come, first served within a lane; orders before reads."""

    def __init__(self, fleet: FleetLimiter, *, orders_at_once: int = 32) -> None:
        self.orders_at_once = orders_at_once
        self._fleet = fleet
        self._window = SlidingWindow()
        self._reads = TokenBucket(READ_BURST, READ_INTERVAL_S)
        self._turn = asyncio.Lock()
        # Two rows of places: what asks for lost orders does not queue behind those that get lost.
        self._own_places: dict[Lane, asyncio.Semaphore] = {
            "order": asyncio.Semaphore(orders_at_once),
            "urgent": asyncio.Semaphore(orders_at_once),
        }
        self._orders_waiting = 0
        self._rest_until = 0.0
        self._orders_rest_until = 0.0
        self._told: tuple[int, int, float] | None = None
        """limit, remaining, when it resets (loop time), as the broker last said"""

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a place in which one request may be made.

        A read waits for budget, then for the fleet. An order raises `NotSent` instead.
        """
        if lane != "read":
            async with self._trading_slot(lane):
                yield
            return
        places = self._fleet.lane(lane)
        # The turn is kept until the fleet lets us in: of budget that was granted and not yet used
        # there is never more than one request, or it would pile up into a burst.
        async with self._turn:
            await self._until_read_due()
            await places.acquire()
        try:
            yield
        finally:
            places.release()

    @asynccontextmanager
    async def _trading_slot(self, lane: Lane) -> AsyncIterator[None]:
        self._orders_waiting += 1
        try:
            async with AsyncExitStack() as held:
                try:
                    async with asyncio.timeout(PLACE_S):
                        await held.enter_async_context(self._own_places[lane])
                        await held.enter_async_context(self._fleet.lane(lane))
                except TimeoutError:
                    fact = f"no place among the orders under way within {PLACE_S:.0f} s"
                    raise NotSent(fact, retry_after_s=PLACE_S) from None
                await self._until_trade_due(lane)
                self._orders_waiting -= 1
                try:
                    yield
                finally:
                    self._orders_waiting += 1
        finally:
            self._orders_waiting -= 1

    def heard(
        self, *, remaining: int | None, reset_in_s: float | None, limit: int | None = None
    ) -> None:
        """Learn from an answer's rate-limit headers."""
        if remaining is None:
            return
        if reset_in_s is not None:
            self._told = (limit or LIMIT, remaining, _now() + reset_in_s)
        if remaining <= SPENT:
            self._rest_until = max(self._rest_until, _rested(reset_in_s))

    def refused(self, retry_after_s: float | None, lane: Lane = "read") -> None:
        """Learn from a 429: reads rest, and new orders too if it was one of theirs."""
        self._fleet.refused += 1
        until = _rested(retry_after_s)
        self._rest_until = max(self._rest_until, until)
        if lane == "order":
            self._orders_rest_until = max(self._orders_rest_until, until)

    @property
    def resting_s(self) -> float:
        """How long reads will still rest, 0 if they do not."""
        return max(0.0, self._rest_until - _now())

    @property
    def left(self) -> int:
        """What is left of the running minute, as far as we know; `budget` without the details."""
        now = _now()
        left = LIMIT - self._window.count(now)
        if self._told is not None and self._told[2] > now:
            limit, told, _ = self._told
            left = min(told, left + limit - LIMIT)
        return max(0, left)

    @property
    def budget(self) -> RateBudget:
        """What is left of the running minute, and who spent it."""
        now = _now()
        spent = self._window.spent(now)
        limit, remaining, others, resets_in_s = LIMIT, LIMIT - spent.total(), None, None
        if self._told is not None and self._told[2] > now:
            limit, told, resets_at = self._told
            others = max(0, limit - told - spent.total())
            remaining = min(told, limit - spent.total())
            resets_in_s = round(resets_at - now, 1)
        return RateBudget(
            limit=limit,
            remaining=max(0, remaining),
            orders=spent["order"] + spent["urgent"],
            reads=spent["read"],
            others=others,
            resets_in_s=resets_in_s,
            resting_s=round(self.resting_s, 1),
        )

    async def _until_trade_due(self, lane: Lane) -> None:
        patient_until = _now() + PATIENCE_OF_S[lane]
        most = MOST - RESERVED if lane == "order" else MOST
        while True:
            now = _now()
            wait_s = self._window.wait_s(now, most)
            if lane == "order":
                wait_s = max(wait_s, self._orders_rest_until - now)
            if wait_s < TICK_S:
                break
            if now + wait_s > patient_until:
                fact = f"the account's budget is spent for the next {wait_s:.0f} s"
                raise NotSent(fact, retry_after_s=wait_s)
            await asyncio.sleep(wait_s)
        self._take(now, lane)

    async def _until_read_due(self) -> None:
        patient_until = _now() + PATIENCE_S
        while True:
            now = _now()
            gives_way = now < patient_until and self._orders_waiting > 0
            wait_s = max(
                GIVE_WAY_S if gives_way else 0.0,
                self._window.wait_s(now),
                self._reads.wait_s(now),
                self._rest_until - now,
            )
            if wait_s < TICK_S:
                break
            await asyncio.sleep(wait_s)
        self._take(now, "read")
        self._reads.take(now)

    def _take(self, now: float, lane: Lane) -> None:
        self._window.take(now, lane)
        self._fleet.asked[lane] += 1


def _now() -> float:
    return asyncio.get_running_loop().time()


def _rested(wait_s: float | None) -> float:
    return _now() + (REST_S if wait_s is None else min(max(wait_s, 0.0), REST_MAX_S))
