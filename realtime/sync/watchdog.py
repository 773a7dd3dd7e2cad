"""Watches single orders that should have changed by now: a working stream can lose one frame.

A market order is not closed within seconds, a cancel or a replace stays pending, a leg stays open
although its group has ended: the frame that reports the end may be lost, or never be sent. The
order is read by id, then again after twice the time while nothing changes.
"""

import asyncio
import math
from collections.abc import Iterable

from msgspec import Struct

from realtime.core.model import Order, OrderId
from realtime.core.order_groups import group_members, is_orphaned, lacks_legs
from realtime.core.outcomes import Anomaly, AnomalyKind
from realtime.core.state import AccountState
from realtime.sync.anomalies import AnomalyResolver
from realtime.sync.replica import Replica

STATUS_TIMEOUT_S = {"pending_cancel": 10.0, "pending_replace": 10.0, "pending_new": 10.0}
"""status → how long an order may stay in it; venues answer in well under a second."""

MARKET_TIMEOUT_S = 5.0
"""How long a routed market order may stay open."""

MARKET_ROUTED = frozenset({"new", "partially_filled"})

GROUP_TIMEOUT_S = 5.0
"""How long the members of a group may contradict each other."""

MAX_TIMEOUT_S = 300.0
"""The doubled timeouts end here: an order that stays as it is costs 12 requests an hour."""


class WatchReason(Struct, frozen=True):
    """Why an order should not stay as it is, and for how long it may."""

    timeout_s: float
    kind: AnomalyKind
    detail: str


def watch_reason(state: AccountState, order: Order) -> WatchReason | None:
    """Return why an order should not stay as it is indefinitely; None if it may."""
    if order.type == "market" and order.status in MARKET_ROUTED:
        return WatchReason(MARKET_TIMEOUT_S, "overdue", order.status)
    if is_orphaned(state, order):
        return WatchReason(GROUP_TIMEOUT_S, "overdue", f"{order.status}, but its group has ended")
    if order.replaced_by is not None and order.replaced_by not in state.orders:
        detail = f"replaced by {order.replaced_by}"
        return WatchReason(GROUP_TIMEOUT_S, "successor_unknown", detail)
    if lacks_legs(state, order):
        return WatchReason(GROUP_TIMEOUT_S, "legs_unknown", f"{order.order_class} without legs")
    timeout_s = STATUS_TIMEOUT_S.get(order.status)
    return None if timeout_s is None else WatchReason(timeout_s, "overdue", order.status)


class _Watch(Struct, frozen=True):
    """One watched order."""

    due_at: float
    """Loop time."""
    timeout_s: float
    reason: WatchReason


class Watchdog:
    """Reports orders that are overdue as anomalies. Belongs to one session."""

    def __init__(self, replica: Replica, anomalies: AnomalyResolver) -> None:
        self._replica = replica
        self._anomalies = anomalies
        self._watched: dict[OrderId, _Watch] = {}
        """order's id → when it is due, and why"""
        self._wakes_at = math.inf
        """When `run` will wake (loop time); an earlier due time wakes it."""
        self._is_sooner = asyncio.Event()

    def watch(self, orders: Iterable[Order]) -> None:
        """Start, continue or end watching these orders and their groups."""
        state = self._replica.record.state
        for order in orders:
            for member in group_members(state, order):
                self._watch(state, member)

    def _watch(self, state: AccountState, order: Order) -> None:
        reason, watched = watch_reason(state, order), self._watched.get(order.id)
        if reason is None:
            self._watched.pop(order.id, None)
        elif watched is None or watched.reason != reason:
            due_at = asyncio.get_running_loop().time() + reason.timeout_s
            self._watched[order.id] = _Watch(due_at, reason.timeout_s, reason)
            if due_at < self._wakes_at:
                self._is_sooner.set()

    async def run(self) -> None:
        """Report orders when they are due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._is_sooner.clear()
            first_due = min((watch.due_at for watch in self._watched.values()), default=None)
            self._wakes_at = math.inf if first_due is None else first_due
            try:
                async with asyncio.timeout_at(first_due):
                    await self._is_sooner.wait()
            except TimeoutError:
                self._report_overdue(loop.time())

    def _report_overdue(self, now: float) -> None:
        state = self._replica.record.state
        for order_id, watch in list(self._watched.items()):
            order, reason = state.orders.get(order_id), watch.reason
            if order is None or watch_reason(state, order) != reason:
                del self._watched[order_id]
            elif watch.due_at <= now:
                detail = f"{reason.detail}, {watch.timeout_s:.0f} s"
                self._anomalies.add([Anomaly(reason.kind, order_id, detail)])
                self._postpone(order_id, now, watch)

    def _postpone(self, order_id: OrderId, now: float, watch: _Watch) -> None:
        if watch.reason.kind == "legs_unknown" and watch.timeout_s >= MAX_TIMEOUT_S:
            del self._watched[order_id]  # the broker does not show the legs: nothing more to read
            return
        timeout_s = min(2 * watch.timeout_s, MAX_TIMEOUT_S)
        self._watched[order_id] = _Watch(now + timeout_s, timeout_s, watch.reason)
