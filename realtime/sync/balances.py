"""Refreshes positions and account by REST: the stream carries neither balances nor prices.

Refreshes after fills are coalesced: one in flight and at most one waiting, never two within
`MIN_INTERVAL_S`, and limited over the fleet. So 200 fills in a second cost a handful of requests,
and the last state is read. REST may lag the stream by about ten seconds, so one more refresh
follows `LAG_S` after the last fill and after every snapshot. Prices move equity without fills, so
balances are read every `every_s` in any case.
"""

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress

from realtime.broker.rate_limiter import MIN_SLEEP_S
from realtime.core.outcomes import Reconciled
from realtime.core.rate_limits import TokenBucket
from realtime.core.state import LAG_S, MONEY
from realtime.errors import BrokerError, LinkError, ProtocolViolation, RateLimited
from realtime.sync.replica import Replica
from realtime.telemetry.log import get_logger

log = get_logger()

MIN_INTERVAL_S = 2.0
"""Between two refreshes of one account, however quickly fills follow each other."""

RETRY_S = 5.0
"""Wait after a failed refresh. Until the next one, balances and positions are provisional, because
prices may have moved."""

MAX_REFRESHES_PER_S = 100
"""Over the fleet, two requests each; 200 requests a second use an eighth of a core."""

REFRESH_BURST = 5


class RefreshLimiter:
    """Limits balance refreshes over the fleet. First come, first served.

    An account reads right after a fill unless all accounts do the same: a thousand accounts that
    trade in the same second would make two thousand requests, and delay events and clients. With
    the limit, a hundred accounts are refreshed within a second, a thousand within ten.
    """

    def __init__(self) -> None:
        self._bucket = TokenBucket(REFRESH_BURST, 1 / MAX_REFRESHES_PER_S)
        self._next_refresh = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until one refresh is allowed."""
        loop = asyncio.get_running_loop()
        async with self._next_refresh:
            wait_s = self._bucket.wait_s(loop.time())
            if wait_s > MIN_SLEEP_S:
                await asyncio.sleep(wait_s)
            self._bucket.take(loop.time())


class BalanceRefresher:
    """Refreshes one account's balances on request and on a schedule. Belongs to one session.

    `on_read` is called with the result of every read.
    """

    def __init__(
        self,
        replica: Replica,
        limiter: RefreshLimiter,
        *,
        every_s: float,
        on_read: Callable[[Reconciled], None],
    ) -> None:
        self._replica = replica
        self._limiter = limiter
        self._every_s = every_s
        self._on_read = on_read
        self._is_requested = asyncio.Event()
        self._confirm_at = math.inf
        """Loop time of the refresh that confirms, when REST no longer lags."""
        self._is_failing = False

    def request(self) -> None:
        """Refresh soon, and once more when REST can no longer lag: balances changed or may have."""
        self._is_requested.set()
        self._confirm_at = asyncio.get_running_loop().time() + LAG_S

    def request_once(self) -> None:
        """Refresh soon: a client wants to know what a change of its own did to money."""
        self._is_requested.set()

    async def run(self) -> None:
        """Refresh whenever it is due, until cancelled."""
        loop = asyncio.get_running_loop()
        self._confirm_at = loop.time() + LAG_S
        while True:
            with suppress(TimeoutError):  # no request: due by the schedule
                async with asyncio.timeout_at(min(self._confirm_at, loop.time() + self._every_s)):
                    await self._is_requested.wait()
            await self._limiter.wait()
            self._is_requested.clear()
            if loop.time() >= self._confirm_at:
                self._confirm_at = math.inf
            await asyncio.sleep(await self._refresh())

    async def _refresh(self) -> float:
        """Refresh once; return the seconds to wait before the next."""
        try:
            reconciled = await self._replica.read_balances()
        except (LinkError, BrokerError, ProtocolViolation) as error:
            self._log_failure(error)
            self._replica.mark_provisional(MONEY)
            self._is_requested.set()
            retry_after_s = error.retry_after_s if isinstance(error, RateLimited) else None
            return max(RETRY_S, retry_after_s or 0.0)
        self._is_failing = False
        self._on_read(reconciled)
        if MONEY & reconciled.state.provisional and self._confirm_at == math.inf:
            # This read did not agree with the stream either: repeat it until one does.
            self._confirm_at = asyncio.get_running_loop().time() + LAG_S
        return MIN_INTERVAL_S

    def _log_failure(self, error: Exception) -> None:
        write = log.debug if self._is_failing else log.warning
        write("balances.refresh_failed", account=self._replica.label, reason=str(error))
        self._is_failing = True
