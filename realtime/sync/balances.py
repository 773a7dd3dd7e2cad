"""Re-reads positions and account: the stream tells neither money nor prices.

After fills, coalesced: one reading in flight and at most one waiting, never two within `GAP_S`, and
each in its turn (`live.turns`); so 200 fills in a second cost a handful of calls, and the last
state is read. Because REST may lag the stream by about ten seconds, one more reading follows
`LAG_S` after the last fill and after every snapshot. Without fills prices still move equity: every
`every_s` the money is read anyway.
"""

import asyncio
import math
from contextlib import suppress

from realtime.core.state import LAG_S, MONEY
from realtime.errors import BrokerError, LinkError, ProtocolViolation, RateLimited
from realtime.sync.refresh_limiter import RefreshLimiter
from realtime.sync.replica import Replica
from realtime.telemetry.log import get_logger

log = get_logger()

GAP_S = 2.0
"""Between two readings of one account, however quickly fills follow each other."""

RETRY_S = 5.0
"""Wait after a reading that failed; the state says meanwhile that it is provisional, for prices and
what no event tells have moved on."""


class BalanceRefresher:
    """Asked after each fill; reads when it is due. Lives as long as one session."""

    def __init__(
        self, replica: Replica, refresh_limiter: RefreshLimiter, *, every_s: float
    ) -> None:
        self._replica = replica
        self._refresh_limiter = refresh_limiter
        self._every_s = every_s
        self._asked = asyncio.Event()
        self._confirm_at = math.inf
        self._failing = False

    def ask(self) -> None:
        """Money moved or is in doubt: read soon, and once more when REST can no longer lag."""
        self._asked.set()
        self._confirm_at = asyncio.get_running_loop().time() + LAG_S

    async def run(self) -> None:
        """Read whenever it is due, until cancelled."""
        loop = asyncio.get_running_loop()
        self._confirm_at = loop.time() + LAG_S
        while True:
            with suppress(TimeoutError):  # nobody asked: it is due by the clock
                async with asyncio.timeout_at(min(self._confirm_at, loop.time() + self._every_s)):
                    await self._asked.wait()
            await self._refresh_limiter.wait()
            self._asked.clear()
            if loop.time() >= self._confirm_at:
                self._confirm_at = math.inf
            await asyncio.sleep(await self._read())

    async def _read(self) -> float:
        """Read once; gives the seconds to wait before the next."""
        try:
            reconciled = await self._replica.read_money()
        except (LinkError, BrokerError, ProtocolViolation) as error:
            self._tell_failure(error)
            self._replica.doubt(MONEY)
            self._asked.set()
            hint = error.retry_after_s if isinstance(error, RateLimited) else None
            return max(RETRY_S, hint or 0.0)
        self._failing = False
        if MONEY & reconciled.state.provisional and self._confirm_at == math.inf:
            # The last look did not agree either: go on looking until it does.
            self._confirm_at = asyncio.get_running_loop().time() + LAG_S
        return GAP_S

    def _tell_failure(self, error: Exception) -> None:
        say = log.debug if self._failing else log.warning
        say("money.refresh_failed", account=self._replica.label, reason=str(error))
        self._failing = True
