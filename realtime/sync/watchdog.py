"""Watches single orders that should have moved on by now: a stream can lose one frame and be well.

A market order is not final within seconds, a cancel or a replace stays pending, a leg stays open
though its group has ended: the frame that told the end may be lost, or never be sent. The order is
read by id, then again with doubled patience while nothing changes.
"""

import asyncio
import math
from collections.abc import Iterable

from msgspec import Struct

from realtime.core.apply import Anomaly, DoubtKind
from realtime.core.model import Order, OrderId
from realtime.core.order_groups import group, has_outlived, lacks_legs
from realtime.core.state import AccountState
from realtime.sync.anomalies import AnomalyResolver
from realtime.sync.replica import Replica

PATIENCE_S = {"pending_cancel": 10.0, "pending_replace": 10.0, "pending_new": 10.0}
"""status → how long an order may stay in it; venues answer in well under a second."""

MARKET_S = 5.0
"""How long a routed market order may stay open."""

MARKET_ROUTED = frozenset({"new", "partially_filled"})

GROUP_S = 5.0
"""How long the members of a group may contradict each other."""

MAX_S = 300.0


class Reason(Struct, frozen=True):
    """Why an order may not stay as it is, and how long it may."""

    patience_s: float
    kind: DoubtKind
    detail: str


def impatience(state: AccountState, order: Order) -> Reason | None:
    """Why an order may not rest for ever as it is; None if it may."""
    if order.type == "market" and order.status in MARKET_ROUTED:
        return Reason(MARKET_S, "overdue", order.status)
    if has_outlived(state, order):
        return Reason(GROUP_S, "overdue", f"{order.status}, but its group has ended")
    if lacks_legs(state, order):
        return Reason(GROUP_S, "legs_unknown", f"{order.order_class} without legs")
    patience = PATIENCE_S.get(order.status)
    return None if patience is None else Reason(patience, "overdue", order.status)


class Watchdog:
    """Due times of one session's impatient orders."""

    def __init__(self, replica: Replica, doubts: AnomalyResolver) -> None:
        self._replica = replica
        self._doubts = doubts
        self._due: dict[OrderId, tuple[float, float, Reason]] = {}
        """order's id → when it is due (loop time), patience then, reason watched"""
        self._wakes_at = math.inf
        """When `run` will look (loop time); a due time before that wakes it."""
        self._is_sooner = asyncio.Event()

    def watch(self, orders: Iterable[Order]) -> None:
        """Begin, go on with, or end the watch over each order and its group."""
        state = self._replica.record.state
        for order in orders:
            for member in group(state, order):
                self._watch(state, member)

    def _watch(self, state: AccountState, order: Order) -> None:
        reason, known = impatience(state, order), self._due.get(order.id)
        if reason is None:
            self._due.pop(order.id, None)
        elif known is None or known[2] != reason:
            due = asyncio.get_running_loop().time() + reason.patience_s
            self._due[order.id] = (due, reason.patience_s, reason)
            if due < self._wakes_at:
                self._is_sooner.set()

    async def run(self) -> None:
        """Doubt orders when they are due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._is_sooner.clear()
            first = min((due for due, _, _ in self._due.values()), default=None)
            self._wakes_at = math.inf if first is None else first
            try:
                async with asyncio.timeout_at(first):
                    await self._is_sooner.wait()
            except TimeoutError:
                self._doubt_due(loop.time())

    def _doubt_due(self, now: float) -> None:
        state = self._replica.record.state
        for order_id, (due, patience, reason) in list(self._due.items()):
            order = state.orders.get(order_id)
            if order is None or impatience(state, order) != reason:
                del self._due[order_id]
            elif due <= now:
                self._doubts.add(
                    [Anomaly(reason.kind, order_id, f"{reason.detail}, {patience:.0f} s")]
                )
                self._later(order_id, now, patience, reason)

    def _later(self, order_id: OrderId, now: float, patience: float, reason: Reason) -> None:
        if reason.kind == "legs_unknown" and patience >= MAX_S:
            del self._due[order_id]  # a leg of an order that nobody shows: there is no more to know
            return
        longer = min(2 * patience, MAX_S)
        self._due[order_id] = (now + longer, longer, reason)
