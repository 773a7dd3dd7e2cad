"""Resting orders by price, so that a step handles only those whose price was reached.

Every resting order has one level and one direction: sell limits and buy stops wait for the price to
rise to it, buy limits and sell stops for it to fall. Two heaps per symbol hold them; an entry whose
version is not the order's current one is stale and is skipped.
"""

from decimal import Decimal
from heapq import heapify, heappop, heappush

from realtime.simulator.exchange.orders.order import TRAILING_STOP, Order

# (key, order number, version, order): the key is the level, negated where the highest comes first
Entry = tuple[Decimal, int, int, Order]

_SWEEP_FROM = 64  # stale entries that justify compaction


class OrderBook:
    """The orders of one symbol."""

    def __init__(self) -> None:
        # order id → order that is matched at every step
        self.active: dict[str, Order] = {}
        # order id → trailing stop that has not fired
        self.trailing: dict[str, Order] = {}
        self._rising: list[Entry] = []
        self._falling: list[Entry] = []
        self._stale_entries = 0

    @property
    def is_empty(self) -> bool:
        return not (self.active or self.trailing or self._rising or self._falling)

    def add(self, order: Order) -> None:
        """Add an order: stops wait immediately, others try to trade first."""
        if order.is_unfired_stop:
            self.wait_for_price(order)
        else:
            self.active[order.id] = order

    def wait_for_price(self, order: Order) -> None:
        """Move an order to the price queue."""
        self.active.pop(order.id, None)
        order.queue_version += 1
        order.cached_document = None
        if order.is_unfired_stop and order.type == TRAILING_STOP:
            self.trailing[order.id] = order
            return
        level = order.stop_price if order.is_unfired_stop else order.limit_price
        assert level is not None
        if order.is_buy == order.is_unfired_stop:
            heappush(self._rising, (level, order.number, order.queue_version, order))
        else:
            heappush(self._falling, (-level, order.number, order.queue_version, order))

    def remove(self, order: Order) -> None:
        """Remove an order."""
        if self.active.pop(order.id, None) is None and self.trailing.pop(order.id, None) is None:
            order.queue_version += 1
            self._stale_entries += 1
            if self._stale_entries > _SWEEP_FROM and self._stale_entries * 2 > len(
                self._rising
            ) + len(self._falling):
                self._compact()

    def activate_reached(self, price: Decimal) -> None:
        """Activate every resting order whose level the price has reached."""
        for queue, key in ((self._rising, price), (self._falling, -price)):
            while queue and queue[0][0] <= key:
                _, _, version, order = heappop(queue)
                if version != order.queue_version:
                    self._stale_entries -= 1
                    continue
                order.queue_version += 1
                self.active[order.id] = order

    def _compact(self) -> None:
        for queue in (self._rising, self._falling):
            queue[:] = [entry for entry in queue if entry[2] == entry[3].queue_version]
            heapify(queue)
        self._stale_entries = 0


class OrderBooks:
    """Order books by symbol, and the multi-leg orders, which have no single symbol."""

    def __init__(self) -> None:
        self.by_symbol: dict[str, OrderBook] = {}
        # order id → multi-leg order
        self.multileg: dict[str, Order] = {}

    def add(self, order: Order) -> None:
        """Add an order."""
        if order.is_multileg:
            self.multileg[order.id] = order
            return
        self.get(order).add(order)

    def remove(self, order: Order) -> None:
        """Remove an order."""
        if order.is_multileg:
            self.multileg.pop(order.id, None)
        elif order.asset.symbol in self.by_symbol:
            self.by_symbol[order.asset.symbol].remove(order)

    def get(self, order: Order) -> OrderBook:
        """Return the book of the order's symbol."""
        book = self.by_symbol.get(order.asset.symbol)
        if book is None:
            book = self.by_symbol[order.asset.symbol] = OrderBook()
        return book
