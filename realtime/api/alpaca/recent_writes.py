"""What was changed through here and may not be in memory yet: a client reads its own writes.

An order that was placed is in the store with its response. A cancel is not, until the stream
reports it, and neither is what an order does to money and to the quantity that is available. Until
then the reads concerned go to the broker.
"""

from collections.abc import Callable

from msgspec import Struct

from realtime.core.model import Order, OrderId
from realtime.store.records import Record

MAX_ORDER_WAIT_S = 10.0
"""A cancel that changed nothing by then was refused later by the venue."""

MAX_ORDERS = 1000
"""Orders of one account that are waited for; the oldest are removed first."""


class _Pending(Struct, frozen=True):
    before: Order | None
    until: float


class _AccountWrites(Struct):
    version: int = 0
    balances_at: float | None = None
    orders: dict[OrderId, _Pending] = {}


class RecentWrites:
    """The last changes of each account. `clock` gives epoch seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: dict[str, _AccountWrites] = {}

    def get_version(self, label: str) -> int:
        """Return a number that rises with every change of an account through here."""
        writes = self._accounts.get(label)
        return 0 if writes is None else writes.version

    def add(self, record: Record, *order_ids: str) -> None:
        """Note a change of an account, and of orders that the stream will report."""
        label, now = record.profile.label, self._clock()
        writes = self._accounts.setdefault(label, _AccountWrites(orders={}))
        writes.version += 1
        writes.balances_at = now
        for text in order_ids:
            order_id = OrderId(text)
            pending = _Pending(record.state.orders.get(order_id), now + MAX_ORDER_WAIT_S)
            writes.orders[order_id] = pending
        while len(writes.orders) > MAX_ORDERS:
            del writes.orders[next(iter(writes.orders))]

    def are_orders_current(self, record: Record) -> bool:
        """Whether every change of an order is in the record."""
        writes = self._accounts.get(record.profile.label)
        if writes is None or not writes.orders:
            return True
        now = self._clock()
        writes.orders = {
            order_id: pending
            for order_id, pending in writes.orders.items()
            if record.state.orders.get(order_id) is pending.before and now < pending.until
        }
        if writes.orders:
            return False
        writes.version += 1
        return True

    def are_balances_current(self, record: Record) -> bool:
        """Whether money and positions were read after the last change."""
        writes = self._accounts.get(record.profile.label)
        if writes is None or writes.balances_at is None:
            return True
        if record.confirmed_at is None or record.confirmed_at < writes.balances_at:
            return False
        writes.balances_at = None
        return True
