"""Resolves anomalies: reads by REST what an event left in doubt, after a grace period.

Frames of one change may arrive in any order, so many anomalies resolve themselves within the grace
period. The others are read: an order by its id, everything when an execution or a position was
missed.
"""

import asyncio
from collections.abc import Callable, Iterable

from realtime.core.anomalies import is_unresolved
from realtime.core.model import OrderId
from realtime.core.outcomes import GAPS, Anomaly, Reconciled
from realtime.core.state import MONEY, ORDERS, AccountState
from realtime.errors import BrokerError, LinkError, ProtocolViolation, RateLimited
from realtime.sync.replica import Replica
from realtime.telemetry.log import get_logger

log = get_logger()

GRACE_S = 2.0
RETRY_S = 5.0
MAX_BY_ID = 5
"""Orders that are read by id although everything is read as well."""
MAX_PENDING = 200
"""More anomalies than this at once are resolved by reading everything."""


class AnomalyResolver:
    """Collects anomalies and resolves them. Belongs to one session.

    `on_read` is called with the result of every read.
    """

    def __init__(self, replica: Replica, *, on_read: Callable[[Reconciled], None]) -> None:
        self._replica = replica
        self._on_read = on_read
        self._pending: list[Anomaly] = []
        self._everything: str | None = None
        """Why everything must be read; None if it need not be."""
        self._is_due = asyncio.Event()

    def add(self, anomalies: Iterable[Anomaly]) -> None:
        """Add anomalies to resolve."""
        for anomaly in anomalies:
            if len(self._pending) < MAX_PENDING:
                self._pending.append(anomaly)
            else:
                self._everything = "many anomalies"
            self._is_due.set()

    def add_everything(self, reason: str) -> None:
        """Read everything, because an unknown event was missed; all parts are provisional now."""
        self._replica.mark_provisional(ORDERS | MONEY)
        self._everything = reason
        self._is_due.set()

    def handle_event(self) -> None:
        """Drop the pending anomalies if an event has resolved all of them."""
        if self._pending and self._everything is None:
            state = self._replica.record.state
            if not any(is_unresolved(state, anomaly) for anomaly in self._pending):
                self._pending.clear()
                self._replica.confirm_orders()

    async def run(self) -> None:
        """Resolve anomalies as they arrive, until cancelled."""
        while True:
            await self._is_due.wait()
            await asyncio.sleep(GRACE_S)
            self._is_due.clear()
            pending, self._pending = self._pending, []
            everything, self._everything = self._everything, None
            try:
                await self._resolve(pending, everything)
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("anomaly.unresolved", account=self._replica.label, reason=str(error))
                self.add(pending)
                if everything is not None:
                    self.add_everything(everything)
                retry_after_s = error.retry_after_s if isinstance(error, RateLimited) else None
                await asyncio.sleep(max(RETRY_S, retry_after_s or 0.0))

    async def _resolve(self, pending: list[Anomaly], everything: str | None) -> None:
        state = self._replica.record.state
        unresolved = [anomaly for anomaly in pending if is_unresolved(state, anomaly)]
        gaps = [anomaly for anomaly in unresolved if anomaly.kind in GAPS]
        ids, must_read_all = _ids(state, unresolved), everything is not None or bool(gaps)
        # 1. Single orders, by id. Also when everything is read: lists lag, a read by id does not.
        if ids and (not must_read_all or len(ids) <= MAX_BY_ID):
            self._on_read(await self._replica.read_orders(ids, unresolved[0].kind))
        # 2. An execution or a position was missed: only a full read shows it.
        if must_read_all:
            self._on_read(await self._replica.read_everything(everything or gaps[0].kind))
        # 3. Events have resolved all of them meanwhile.
        elif not unresolved and not self._pending:
            self._replica.confirm_orders()


def _ids(state: AccountState, anomalies: Iterable[Anomaly]) -> list[OrderId]:
    """Return the orders to read, without duplicates, in the sequence of the anomalies."""
    ids: dict[OrderId, None] = {}
    for anomaly in anomalies:
        order = state.orders.get(anomaly.order_id)
        successor = order.replaced_by if order is not None else None
        is_unknown = anomaly.kind == "successor_unknown" and successor is not None
        ids[successor if is_unknown and successor else anomaly.order_id] = None
    return list(ids)
