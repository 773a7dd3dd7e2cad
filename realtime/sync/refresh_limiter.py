"""The turns in which the accounts of a fleet read their money.

After a fill an account reads at once, if others do not all do the same: a thousand accounts that
trade in the same second would ask two thousand times, and events and readers would wait for that.
So each waits for its turn; a hundred have theirs within a second, a thousand within ten.
"""

import asyncio

from realtime.broker.rate_limiter import TICK_S, TokenBucket

PER_S = 100
"""Readings of two requests each; 200 requests a second are an eighth of a core."""

AT_ONCE = 5


class RefreshLimiter:
    """One for the fleet. First come, first served."""

    def __init__(self) -> None:
        self._bucket = TokenBucket(AT_ONCE, 1 / PER_S)
        self._first = asyncio.Lock()

    async def wait(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        async with self._first:
            wait_s = self._bucket.wait_s(loop.time())
            if wait_s > TICK_S:
                await asyncio.sleep(wait_s)
            self._bucket.take(loop.time())
