"""Rate limits of one account's requests to the broker, and of all accounts together.

An account may make 200 requests a minute. Above that the broker rejects every request of the key,
orders included. So no more than `MAX_PER_MINUTE` requests leave in any minute, and the lanes have
different rights to them:

- `order`: leaves `RESERVE` requests unused, and waits for at most a second;
- `urgent`: may use all of them, and waits for at most five seconds;
- `read`: leaves the same reserve, passes a token bucket too, yields to orders, and pauses while the
  broker reports that the budget is used up (another program may use the same key). It waits as long
  as it must;
- `lookup`: has a small token bucket of its own within the limits of `read`, and waits for at most a
  second. So a client that only reads can use up neither the reserve nor the share of `read`;
- `forward`: a request of one of Alpaca's own clients that is passed on. It has a larger bucket, for
  such a program believes that all 200 requests are its own, and leaves more of the budget unused:
  it yields to everything that trades or keeps the state in sync.

The fleet limiter bounds the requests in flight over all accounts, with separate slots for orders
and reads, so that a thousand snapshots never delay an order.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from msgspec import Struct

from realtime.core.rate_limits import SlidingWindow, TokenBucket
from realtime.errors import NotSent

Lane = Literal["order", "urgent", "read", "lookup", "forward"]
"""`order`: places or replaces an order. `urgent`: cancels, closes, or looks up an order in doubt;
it must have room even after many orders and reads. `read`: keeps the state in sync. `lookup`: a
client's question about one order. `forward`: a request that is passed on to the broker as it is."""

MINUTE_S = 61.0
"""A minute by our clock, plus the difference between two requests' times of arrival."""

MAX_PER_MINUTE = 193
"""Requests in any minute, of 200: the broker's clock and window differ from ours."""

RESERVE = 20
"""Of these, what only the `urgent` lane may use: a cancel, a close or the lookup of an order in
doubt must leave at once, whatever orders and reads have used."""

DEFAULT_LIMIT = 200
"""The broker's requests per minute, unless its response headers report another limit."""

READ_BURST, READ_INTERVAL_S = 4, 0.32 / 0.6
"""Reads may use 60 % of the budget; 4 at once, so that a whole snapshot does not wait."""

LOOKUP_BURST, LOOKUP_INTERVAL_S = 5, 4.0
"""Lookups of clients: 5 at once, then 15 a minute, 8 % of the budget."""

MAX_LOOKUPS_IN_FLIGHT = 4

FORWARD_BURST, FORWARD_INTERVAL_S = 20, 1.0
"""Requests that are passed on: 20 at once, then 60 a minute, 30 % of the budget. The shares of
`read` and of this lane together leave the reserve unused."""

FORWARD_RESERVE = 60
"""What such a request leaves unused in a minute: `RESERVE`, and room for 40 orders."""

MAX_FORWARDS_IN_FLIGHT = 8

YIELD_INTERVAL_S = 0.32
"""How often a read that yields checks whether orders are still waiting."""

MAX_YIELD_S = 10.0
"""A read yields to orders for at most this long, because reads keep the state correct."""

MAX_BUDGET_WAIT_S: dict[Lane, float] = {
    "order": 1.0, "urgent": 5.0, "lookup": 1.0, "forward": 1.0
}  # fmt: skip
"""Maximum wait for budget. After that: `NotSent` with `retry_after_s`."""

SLOT_TIMEOUT_S = 5.0
"""Maximum wait for a slot among the requests in flight."""

LOW_BUDGET = 10
"""When the broker reports this many requests left or fewer, reads pause: the rest is for orders."""

DEFAULT_PAUSE_S = 15.0
"""Pause after a 429 without `Retry-After`; the broker's window of a minute ends soon."""

MAX_PAUSE_S = 60.0
"""The budget is one of a minute, so a later reset is an error in the header."""

MIN_SLEEP_S = 0.001
"""A shorter wait is not worth a sleep, and may be below the clock's resolution."""


READ_LANES: frozenset[Lane] = frozenset({"read", "lookup", "forward"})
"""Lanes that only read, or yield to those that trade."""


class FleetLimiter:
    """Bounds requests in flight over all accounts, with separate slots for orders and reads."""

    def __init__(self, *, reads: int = 64, orders: int = 256) -> None:
        self._reads, self._orders = asyncio.Semaphore(reads), asyncio.Semaphore(orders)
        self.requests: Counter[Lane] = Counter()
        """Lane → requests made since the start."""
        self.rate_limited = 0
        """Responses with status 429 since the start."""

    def slots(self, lane: Lane) -> asyncio.Semaphore:
        """Return the slots of a lane; the two lanes that trade share theirs."""
        return self._reads if lane in READ_LANES else self._orders


class RateBudget(Struct, frozen=True, kw_only=True):
    """What is left of an account's requests in this minute, and what used the others."""

    limit: int
    remaining: int
    """The smaller of our count and the broker's."""
    orders: int
    """Requests for orders in the last minute: place, replace, cancel, look up."""
    reads: int
    """Requests that keep the state in sync, and lookups of clients."""
    others: int | None
    """Requests of other programs with this account, by the broker's count; null if unknown."""
    resets_in_s: float | None
    """When the broker's minute ends; null if unknown."""
    reads_paused_s: float
    """How long reads are still paused; 0 if they are not."""


class _ReportedBudget(Struct, frozen=True):
    """The broker's own count, from its response headers."""

    limit: int
    remaining: int
    resets_at: float
    """Loop time."""


class RateLimiter:
    """One account's budget. First come, first served within a lane; orders before reads."""

    def __init__(self, fleet: FleetLimiter, *, orders_at_once: int = 32) -> None:
        self.orders_at_once = orders_at_once
        self._fleet = fleet
        self._window = SlidingWindow(MINUTE_S)
        self._read_bucket = TokenBucket(READ_BURST, READ_INTERVAL_S)
        self._buckets: dict[Lane, TokenBucket] = {
            "lookup": TokenBucket(LOOKUP_BURST, LOOKUP_INTERVAL_S),
            "forward": TokenBucket(FORWARD_BURST, FORWARD_INTERVAL_S),
        }
        self._next_read = asyncio.Lock()
        # Two sets of slots: the lookup of an order in doubt does not queue behind orders that hang.
        self._slots: dict[Lane, asyncio.Semaphore] = {
            "order": asyncio.Semaphore(orders_at_once),
            "urgent": asyncio.Semaphore(orders_at_once),
            "lookup": asyncio.Semaphore(MAX_LOOKUPS_IN_FLIGHT),
            "forward": asyncio.Semaphore(MAX_FORWARDS_IN_FLIGHT),
        }
        self._waiting_orders = 0
        self._reads_paused_until = 0.0
        self._orders_paused_until = 0.0
        self._reported: _ReportedBudget | None = None
        self.rate_limited: Counter[Lane] = Counter()
        """429s by the lane of the request."""

    @asynccontextmanager
    async def slot(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a slot in which one request may be made.

        A read waits for budget, then for the fleet. The other lanes raise `NotSent` instead of
        waiting for long.
        """
        if lane in self._buckets:
            async with self._bounded_slot(lane):
                yield
            return
        if lane != "read":
            async with self._trading_slot(lane):
                yield
            return
        fleet_slots = self._fleet.slots(lane)
        # The lock is held until the fleet has a slot, so at most one request has budget that it has
        # not used yet. Otherwise granted requests would add up to a burst.
        async with self._next_read:
            await self._wait_for_read_budget()
            await fleet_slots.acquire()
        try:
            yield
        finally:
            fleet_slots.release()

    @asynccontextmanager
    async def _trading_slot(self, lane: Lane) -> AsyncIterator[None]:
        self._waiting_orders += 1
        try:
            async with self._bounded_slot(lane):
                self._waiting_orders -= 1
                try:
                    yield
                finally:
                    self._waiting_orders += 1
        finally:
            self._waiting_orders -= 1

    @asynccontextmanager
    async def _bounded_slot(self, lane: Lane) -> AsyncIterator[None]:
        """Hold a slot with budget, or raise `NotSent` if either takes too long."""
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(SLOT_TIMEOUT_S):
                    await held.enter_async_context(self._slots[lane])
                    await held.enter_async_context(self._fleet.slots(lane))
            except TimeoutError:
                kind = "reads" if lane in READ_LANES else "orders"
                fact = f"too many {kind} in flight for {SLOT_TIMEOUT_S:.0f} s"
                raise NotSent(fact, retry_after_s=SLOT_TIMEOUT_S) from None
            await self._wait_for_bounded_budget(lane)
            yield

    def update_from_headers(
        self, *, remaining: int | None, reset_in_s: float | None, limit: int | None = None
    ) -> None:
        """Record the broker's own count, from the headers of a response."""
        if remaining is None:
            return
        if reset_in_s is not None:
            self._reported = _ReportedBudget(limit or DEFAULT_LIMIT, remaining, _now() + reset_in_s)
        if remaining <= LOW_BUDGET:
            self._reads_paused_until = max(self._reads_paused_until, _pause_end(reset_in_s))

    def handle_rate_limited(self, retry_after_s: float | None, lane: Lane = "read") -> None:
        """Record a 429: reads pause, and new orders too if one of them received it."""
        self._fleet.rate_limited += 1
        self.rate_limited[lane] += 1
        until = _pause_end(retry_after_s)
        self._reads_paused_until = max(self._reads_paused_until, until)
        if lane == "order":
            self._orders_paused_until = max(self._orders_paused_until, until)

    @property
    def reads_paused_s(self) -> float:
        """How long reads are still paused, 0 if they are not."""
        return max(0.0, self._reads_paused_until - _now())

    @property
    def remaining(self) -> int:
        """Requests left in this minute; the same as `budget.remaining`, without the details."""
        now = _now()
        remaining = DEFAULT_LIMIT - self._window.count(now)
        reported = self._reported
        if reported is not None and reported.resets_at > now:
            remaining = min(reported.remaining, remaining + reported.limit - DEFAULT_LIMIT)
        return max(0, remaining)

    @property
    def budget(self) -> RateBudget:
        """Requests left in this minute, and what used the others."""
        now = _now()
        used = self._window.count_by_kind(now)
        limit, remaining, others, resets_in_s = (
            DEFAULT_LIMIT,
            DEFAULT_LIMIT - used.total(),
            None,
            None,
        )
        reported = self._reported
        if reported is not None and reported.resets_at > now:
            limit = reported.limit
            others = max(0, limit - reported.remaining - used.total())
            remaining = min(reported.remaining, limit - used.total())
            resets_in_s = round(reported.resets_at - now, 1)
        return RateBudget(
            limit=limit,
            remaining=max(0, remaining),
            orders=used["order"] + used["urgent"],
            reads=used["read"] + used["lookup"] + used["forward"],
            others=others,
            resets_in_s=resets_in_s,
            reads_paused_s=round(self.reads_paused_s, 1),
        )

    async def _wait_for_bounded_budget(self, lane: Lane) -> None:
        give_up_at = _now() + MAX_BUDGET_WAIT_S[lane]
        limit = MAX_PER_MINUTE - {"urgent": 0, "forward": FORWARD_RESERVE}.get(lane, RESERVE)
        bucket = self._buckets.get(lane)
        while True:
            now = _now()
            # 1. This minute's requests are used up: wait until the oldest leaves the window.
            wait_s = self._window.wait_s(now, limit)
            # 2. The broker answered an order with 429: new orders wait as long as it asked for.
            #    Cancels do not: they are few, and the broker may accept them.
            if lane == "order":
                wait_s = max(wait_s, self._orders_paused_until - now)
            # 3. Lookups and forwarded requests have a share each, and pause together with reads.
            elif bucket is not None:
                wait_s = max(wait_s, bucket.wait_s(now), self._reads_paused_until - now)
            # 4. There is budget.
            if wait_s < MIN_SLEEP_S:
                break
            # 5. The wait is longer than a trader would accept: nothing was sent, so say when to
            #    come back.
            if now + wait_s > give_up_at:
                fact = f"the account's request budget is used up for the next {wait_s:.0f} s"
                raise NotSent(fact, retry_after_s=wait_s)
            await asyncio.sleep(wait_s)
        if bucket is not None:
            bucket.take(now)
        self._count(now, lane)

    async def _wait_for_read_budget(self) -> None:
        yields_until = _now() + MAX_YIELD_S
        while True:
            now = _now()
            is_yielding = now < yields_until and self._waiting_orders > 0
            wait_s = max(
                # 1. Orders are waiting: they go first, for up to `MAX_YIELD_S`.
                YIELD_INTERVAL_S if is_yielding else 0.0,
                # 2. This minute's requests are used up, except those that are reserved for cancels.
                self._window.wait_s(now, MAX_PER_MINUTE - RESERVE),
                # 3. Reads have used their share: the bucket spreads them over the minute.
                self._read_bucket.wait_s(now),
                # 4. The broker rejected a request with 429, or reported a low budget.
                self._reads_paused_until - now,
            )
            if wait_s < MIN_SLEEP_S:
                break
            await asyncio.sleep(wait_s)
        self._count(now, "read")
        self._read_bucket.take(now)

    def _count(self, now: float, lane: Lane) -> None:
        self._window.add(now, lane)
        self._fleet.requests[lane] += 1


def _now() -> float:
    return asyncio.get_running_loop().time()


def _pause_end(wait_s: float | None) -> float:
    return _now() + (DEFAULT_PAUSE_S if wait_s is None else min(max(wait_s, 0.0), MAX_PAUSE_S))
