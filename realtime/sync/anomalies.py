"""Answers doubts: what an event made questionable is read by REST after a moment of grace.

Frames of one happening come in any order, so many doubts answer themselves within the grace. What
remains is read: an order by its id, everything when an execution or a position was missed.
"""

import asyncio
from collections.abc import Iterable

from realtime.core.apply import GAPS, Anomaly, is_open_question
from realtime.core.model import OrderId
from realtime.core.state import MONEY, ORDERS, AccountState
from realtime.errors import BrokerError, LinkError, ProtocolViolation, RateLimited
from realtime.sync.replica import Replica
from realtime.telemetry.log import get_logger

log = get_logger()

GRACE_S = 2.0
RETRY_S = 5.0
MAX_BY_ID = 5
"""Orders that are asked for by id although everything is read as well."""
MAX_PENDING = 200
"""More doubts than this at once are one doubt about everything."""


class AnomalyResolver:
    """Collects doubts and has them answered. Lives as long as one session."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._pending: list[Anomaly] = []
        self._everything: str | None = None
        self._raised = asyncio.Event()

    def add(self, doubts: Iterable[Anomaly]) -> None:
        """Have these answered."""
        for doubt in doubts:
            if len(self._pending) < MAX_PENDING:
                self._pending.append(doubt)
            else:
                self._everything = "many doubts"
            self._raised.set()

    def add_everything(self, reason: str) -> None:
        """Something unknown was missed: read all; until then nothing is certain."""
        self._replica.doubt(ORDERS | MONEY)
        self._everything = reason
        self._raised.set()

    def reconsider(self) -> None:
        """An event came: maybe it answered all that is pending."""
        if self._pending and self._everything is None:
            state = self._replica.record.state
            if not any(is_open_question(state, doubt) for doubt in self._pending):
                self._pending.clear()
                self._replica.settle_orders()

    async def run(self) -> None:
        """Answer doubts as they come, until cancelled."""
        while True:
            await self._raised.wait()
            await asyncio.sleep(GRACE_S)
            self._raised.clear()
            pending, self._pending = self._pending, []
            everything, self._everything = self._everything, None
            try:
                await self._answer(pending, everything)
            except (LinkError, BrokerError, ProtocolViolation) as error:
                log.debug("doubt.unanswered", account=self._replica.label, reason=str(error))
                self.add(pending)
                if everything is not None:
                    self.add_everything(everything)
                hint = error.retry_after_s if isinstance(error, RateLimited) else None
                await asyncio.sleep(max(RETRY_S, hint or 0.0))

    async def _answer(self, pending: list[Anomaly], everything: str | None) -> None:
        state = self._replica.record.state
        still_open = [d for d in pending if is_open_question(state, d)]
        gaps = [d for d in still_open if d.kind in GAPS]
        ids, reads_all = _ids(state, still_open), everything is not None or bool(gaps)
        if ids and (not reads_all or len(ids) <= MAX_BY_ID):
            # Also where everything is read: lists lag, what is asked for by its id does not.
            await self._replica.read_orders(ids, still_open[0].kind)
        if reads_all:
            await self._replica.read_everything(everything or gaps[0].kind)
        elif not still_open and not self._pending:
            self._replica.settle_orders()


def _ids(state: AccountState, doubts: Iterable[Anomaly]) -> list[OrderId]:
    """The orders to ask for, each once, in the order of the doubts."""
    ids: dict[OrderId, None] = {}
    for doubt in doubts:
        order = state.orders.get(doubt.order_id)
        successor = order.replaced_by if order is not None else None
        unknown = doubt.kind == "successor_unknown" and successor is not None
        ids[successor if unknown and successor else doubt.order_id] = None
    return list(ids)
