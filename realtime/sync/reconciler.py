"""Reconciles one account with REST on a schedule, and detects a deaf stream.

The stream has no sequence numbers: only REST shows that it should have delivered an event. A
discrepancy is repaired at once. Then the stream has a grace period to deliver the event too. If it
stays silent it is deaf, and the session ends with `Deaf`, because a new connection receives events
again. If it delivers other events but not this one it lost a frame: no reconnect, but more frequent
reconciliation for a while.

A snapshot right after a connect may lag what happened just before, and no frame will report that:
so the first reconciliation follows soon. Events from before the stream listened are not expected
from it, nor those that the broker need not send: legs that wait for their group
(`core.order_groups.is_streamed`).

Cost: a snapshot is four to six requests. Once a minute (`intervals`) they are 3 % of the 200 that
an account has, at the faster interval 6 %.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

from realtime.core.model import OrderId, TradeUpdate
from realtime.core.order_versions import flatten
from realtime.core.outcomes import Discrepancy, Reconciled
from realtime.core.state import CLOCK_ERROR_S
from realtime.core.timestamps import microseconds
from realtime.errors import BrokerError, Deaf, LinkError, ProtocolViolation
from realtime.sync.intervals import ReadIntervals
from realtime.sync.replica import Replica
from realtime.telemetry.log import get_logger

log = get_logger()

SUSPICIOUS_INTERVAL_S = 30.0
SUSPICIOUS_RUNS = 10
"""Reconciliations at the faster interval after a lost frame."""
MIN_INTERVAL_S = 10.0
"""Between two reconciliations, however often one is requested."""
JITTER = 0.25
"""Each wait is drawn from ±25 %, so that the accounts of a fleet do not read at the same moment."""
GRACE_S = 5.0
"""How long a frame may take after REST shows its event; normal delivery takes about 50 ms."""

STREAM_KINDS = frozenset({"order_missing", "order_differs", "execution_missing"})
"""Kinds of discrepancies that a stream which delivers events would have prevented."""


class Reconciler:
    """Schedules the reconciliation of one session, which begins when the stream listens.

    `on_read` is called with the result of every read.
    """

    def __init__(
        self,
        replica: Replica,
        rng: random.Random,
        intervals: ReadIntervals,
        *,
        on_read: Callable[[Reconciled], None],
    ) -> None:
        self._replica = replica
        self._intervals = intervals
        self._rng = rng
        self._on_read = on_read
        self._listening_since = replica.now
        self._suspicious_runs = 0
        self._events_received = 0
        self._awaited: dict[str, Discrepancy] = {}
        """order's or execution's id → the discrepancy whose event is still expected"""
        self._is_requested = asyncio.Event()

    def request(self) -> None:
        """Reconcile soon: something does not fit."""
        self._is_requested.set()

    def handle_event(self, update: TradeUpdate) -> None:
        """Note an event of the stream; it may be one that REST showed before."""
        self._events_received += 1
        if self._awaited:
            order_ids = [order.id for order, _ in flatten(update.order)]
            execution_ids = [update.execution_id, *(leg.execution_id for leg in update.legs or ())]
            for key in (*order_ids, *execution_ids):
                self._awaited.pop(key or "", None)

    async def run(self) -> None:
        """Reconcile until cancelled. Raises `Deaf`."""
        wait_s = self._rng.uniform(*self._intervals.first_reconcile_s)
        while True:
            with suppress(TimeoutError):  # no request: due by the schedule
                async with asyncio.timeout(wait_s):
                    await self._is_requested.wait()
            self._is_requested.clear()
            try:
                await self.reconcile()
            except Deaf:
                raise
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("reconcile.failed", account=self._replica.label, reason=str(error))
                self._is_requested.set()  # it is still due
            await asyncio.sleep(MIN_INTERVAL_S)
            is_suspicious = self._suspicious_runs > 0
            interval_s = SUSPICIOUS_INTERVAL_S if is_suspicious else self._intervals.reconcile_s
            wait_s = interval_s * self._rng.uniform(1 - JITTER, 1 + JITTER)

    async def reconcile(self) -> None:
        """Reconcile once. Raises `Deaf` if the stream did not deliver what it should have."""
        received_before = self._events_received
        self._suspicious_runs = max(0, self._suspicious_runs - 1)
        reconciled = await self._replica.read_everything("schedule")
        self._on_read(reconciled)
        since = self._replica.broker_time(self._listening_since - CLOCK_ERROR_S)
        self._awaited = {
            d.key: d
            for d in reconciled.discrepancies
            if d.kind in STREAM_KINDS and d.is_streamed and _changed_at(reconciled, d) > since
        }
        # 1. The stream has delivered everything that it should have.
        if not self._awaited:
            return
        await asyncio.sleep(GRACE_S)
        missing, self._awaited = list(self._awaited.values()), {}
        # 2. The events were on their way.
        if not missing:
            return
        self._suspicious_runs = SUSPICIOUS_RUNS
        # 3. Not one event arrived meanwhile: the stream is deaf.
        if self._events_received == received_before:
            raise Deaf(f"REST shows what the stream did not deliver: {_describe(missing[0])}")
        # 4. Other events arrived: a frame was lost.
        log.warning(
            "stream.lossy",
            account=self._replica.label,
            missing=len(missing),
            evidence=_describe(missing[0]),
        )


def _changed_at(reconciled: Reconciled, discrepancy: Discrepancy) -> int:
    """Return when the broker made the change that we missed, in µs by its clock."""
    order = reconciled.state.orders.get(OrderId(discrepancy.key))
    if order is not None:
        return microseconds(order.updated_at)
    times = (e.at for e in reconciled.recovered if e.execution_id == discrepancy.key)
    return microseconds(next(times, None))


def _describe(discrepancy: Discrepancy) -> str:
    return f"{discrepancy.kind} {discrepancy.key}: {discrepancy.theirs}"
