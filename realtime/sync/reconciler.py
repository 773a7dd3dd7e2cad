"""Compares one account with REST on a schedule, and tells a deaf socket from a quiet market.

The stream has no sequence: only REST can say that it should have spoken. What a comparison finds is
repaired at once; then the stream has a moment of grace to tell it, too. If it stays silent it is
deaf, and the session ends with `Deaf` (a new socket hears again); if it tells other things but not
this, it is lossy: no reconnect, but comparisons at a faster pace for a while.

A reading right after a connect may lag what happened just before, and no frame will tell that: so a
first comparison follows soon. What happened before the stream listened is not held against it, nor
what the broker need not tell: legs that wait for their group (`core.groups.is_told`).

Cost: a reading is four to six requests. Once a minute (`live.pace`) they are 3 % of the 200 that an
account has, at the suspicious pace 6 %.
"""

import asyncio
import random
from contextlib import suppress

from realtime.core.model import OrderId, TradeUpdate
from realtime.core.order_versions import flatten
from realtime.core.reconcile import Discrepancy, Reconciled
from realtime.core.state import UNSURE_S
from realtime.core.timestamps import microseconds
from realtime.errors import BrokerError, Deaf, LinkError, ProtocolViolation
from realtime.sync.intervals import ReadIntervals
from realtime.sync.replica import Replica
from realtime.telemetry.log import get_logger

log = get_logger()

SUSPICIOUS_EVERY_S = 30.0
SUSPICIOUS_TIMES = 10
"""Comparisons at the faster pace after a loss."""
MIN_S = 10.0
"""Between two comparisons, however often somebody asks."""
SPREAD = 0.25
"""Each wait is drawn from ±25 %: the accounts of a fleet do not compare in step."""
GRACE_S = 5.0
"""How long a frame may be on its way after REST knows; healthy delivery takes about 50 ms."""

STREAM_TELLS = frozenset({"order_missing", "order_differs", "execution_missing"})
"""Differences that a hearing socket would have told."""


class Reconciler:
    """The schedule of one account's session, which begins when the stream listens."""

    def __init__(self, replica: Replica, rng: random.Random, intervals: ReadIntervals) -> None:
        self._replica = replica
        self._intervals = intervals
        self._rng = rng
        self._listening_since = replica.now
        self._suspicious = 0
        self._events_heard = 0
        self._awaited: dict[str, Discrepancy] = {}
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Something does not fit: compare now."""
        self._asked.set()

    def hear(self, update: TradeUpdate) -> None:
        """The stream told an event, maybe one that REST knew of before."""
        self._events_heard += 1
        if self._awaited:
            told = [order.id for order, _ in flatten(update.order)]
            executed = [update.execution_id, *(leg.execution_id for leg in update.legs or ())]
            for key in (*told, *executed):
                self._awaited.pop(key or "", None)

    async def run(self) -> None:
        """Compare until cancelled. Raises `Deaf`."""
        wait_s = self._rng.uniform(*self._intervals.soon_s)
        while True:
            with suppress(TimeoutError):  # nobody asked: it is due by the schedule
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
            self._asked.clear()
            try:
                await self.compare()
            except Deaf:
                raise
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("compare.failed", account=self._replica.label, reason=str(error))
                self._asked.set()  # it is still due
            await asyncio.sleep(MIN_S)
            every_s = SUSPICIOUS_EVERY_S if self._suspicious else self._intervals.comparison_s
            wait_s = every_s * self._rng.uniform(1 - SPREAD, 1 + SPREAD)

    async def compare(self) -> None:
        """Compare once. Raises `Deaf` if the stream kept silent about what it should have told."""
        heard_before = self._events_heard
        self._suspicious = max(0, self._suspicious - 1)
        reconciled = await self._replica.read_everything("schedule")
        since = self._replica.broker_time(self._listening_since - UNSURE_S)
        self._awaited = {
            d.key: d
            for d in reconciled.differences
            if d.kind in STREAM_TELLS and d.is_told and _happened_at(reconciled, d) > since
        }
        if not self._awaited:
            return
        await asyncio.sleep(GRACE_S)
        untold, self._awaited = list(self._awaited.values()), {}
        if not untold:
            return
        self._suspicious = SUSPICIOUS_TIMES
        if self._events_heard == heard_before:
            raise Deaf(f"the broker has news that the socket did not tell: {_said(untold[0])}")
        log.warning(
            "stream.lossy",
            account=self._replica.label,
            untold=len(untold),
            evidence=_said(untold[0]),
        )


def _happened_at(reconciled: Reconciled, difference: Discrepancy) -> int:
    """When what differed came to be, in µs by the broker's clock."""
    order = reconciled.state.orders.get(OrderId(difference.key))
    if order is not None:
        return microseconds(order.updated_at)
    times = (e.at for e in reconciled.recovered if e.execution_id == difference.key)
    return microseconds(next(times, None))


def _said(difference: Discrepancy) -> str:
    return f"{difference.kind} {difference.key}: {difference.theirs}"
