"""The orders of one account, sorted: each new state costs its changed orders, not a new sort.

A dashboard lists the open orders and the newest closed ones. Sorting 500 orders for each of them
took 0.2 ms; 25 such accounts do not fit into a processor's cache, which doubles that.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping

from realtime.api.documents.orders import KEY_PREFIX_LENGTH, SortKey, sort_key
from realtime.core.model import Order, OrderId
from realtime.core.persistent_map import changed_keys


class OrderIndex:
    """Sort keys of the orders of the last state, ascending, open and closed apart."""

    __slots__ = ("_closed", "_open", "_orders")

    def __init__(self) -> None:
        self._orders: Mapping[OrderId, Order] = {}
        self._open: list[SortKey] = []
        self._closed: list[SortKey] = []

    def get_recent(
        self, orders: Mapping[OrderId, Order], max_closed: int, key: Callable[[Order], SortKey]
    ) -> list[Order]:
        """Every open order and the newest closed ones, newest first. `key` may be cached."""
        if orders is not self._orders:
            self._update(orders, key)
        newest_closed = self._closed[-max_closed:] if max_closed else []
        newest_first = sorted([*self._open, *newest_closed], reverse=True)
        return [orders[OrderId(k[KEY_PREFIX_LENGTH:])] for k in newest_first]

    def _update(self, orders: Mapping[OrderId, Order], key: Callable[[Order], SortKey]) -> None:
        before, self._orders = self._orders, orders
        changed = changed_keys(before, orders)
        if changed is None:
            removed = before.keys() - orders.keys()
            for order_id in removed:
                self._remove(before[order_id])
            changed = [i for i, order in orders.items() if before.get(i) is not order]
        if len(changed) > len(orders) // 4:  # as for the first state: one sort is cheaper
            self._open = sorted(key(o) for o in orders.values() if not o.is_closed)
            self._closed = sorted(key(o) for o in orders.values() if o.is_closed)
            return
        for order_id in changed:
            old, order = before.get(order_id), orders[order_id]
            if old is not None:
                self._remove(old)
            insort(self._closed if order.is_closed else self._open, key(order))

    def _remove(self, order: Order) -> None:
        keys = self._closed if order.is_closed else self._open
        del keys[bisect_left(keys, sort_key(order))]
