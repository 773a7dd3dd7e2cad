"""Watches single orders that should have moved on by now: a stream can lose one frame and be well.

A market order is not final within seconds, a cancel or a replace stays pending: the frame that
told the end may be lost. The order is read by id, then again with doubled patience while nothing
changes.
"""

import asyncio
from collections.abc import Iterable

from realtime.core.apply import Doubt
from realtime.core.model import Order, OrderId
from realtime.live.doubts import Doubts
from realtime.live.replica import Replica

PATIENCE_S = {"pending_cancel": 10.0, "pending_replace": 10.0, "pending_new": 10.0}
"""status → how long an order may stay in it; venues answer in well under a second."""

MARKET_S = 5.0
"""How long a routed market order may stay open."""

MARKET_ROUTED = frozenset({"new", "partially_filled"})
LONGEST_S = 300.0


def patience_s(order: Order) -> float | None:
    """Seconds that an order may stay as it is; None if it may rest for ever."""
    if order.type == "market" and order.status in MARKET_ROUTED:
        return MARKET_S
    return PATIENCE_S.get(order.status)


class Watchdog:
    """Due times of one session's impatient orders."""

    def __init__(self, replica: Replica, doubts: Doubts) -> None:
        self._replica = replica
        self._doubts = doubts
        self._due: dict[OrderId, tuple[float, float, str]] = {}
        """order's id → when it is due (loop time), patience then, status watched"""
        self._changed = asyncio.Event()

    def watch(self, orders: Iterable[Order]) -> None:
        """Begin, go on with, or end the watch over each order, as its status asks."""
        for order in orders:
            patience = patience_s(order)
            known = self._due.get(order.id)
            if patience is None:
                self._due.pop(order.id, None)
            elif known is None or known[2] != order.status:
                due = asyncio.get_running_loop().time() + patience
                self._due[order.id] = (due, patience, order.status)
                self._changed.set()

    async def run(self) -> None:
        """Doubt orders when they are due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            first = min((due for due, _, _ in self._due.values()), default=None)
            try:
                async with asyncio.timeout_at(first):
                    await self._changed.wait()
            except TimeoutError:
                self._doubt_due(loop.time())

    def _doubt_due(self, now: float) -> None:
        orders = self._replica.record.state.orders
        for order_id, (due, patience, status) in list(self._due.items()):
            if order_id not in orders or orders[order_id].status != status:
                del self._due[order_id]
            elif due <= now:
                longer = min(2 * patience, LONGEST_S)
                self._due[order_id] = (now + longer, longer, status)
                self._doubts.add([Doubt("overdue", order_id, f"{status} for {patience:.0f} s")])
