"""Lookups of single orders for clients, within a small share of each account's requests.

A client that only reads must not use up what cancels and closes need. So lookups that reach the
broker have a budget of their own, and an id that the broker does not know is remembered for a
while.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping

from realtime.core.model import Order
from realtime.errors import RealtimeError
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.executor import OrderExecutor
from realtime.orders.idempotency import IdempotencyIndex
from realtime.orders.order_client import OrderClient, to_read_refusal

UNKNOWN_TTL_S = 5.0
"""How long an id that the broker does not know is not looked up again; an order placed elsewhere
meanwhile is found in the state, as soon as the stream reports it."""

MAX_UNKNOWN = 10_000

BURST, INTERVAL_S = 5, 6.0
"""Lookups of one account: 5 at once, then 10 a minute, of the broker's 200 requests."""


class OrderLookup:
    """Finds orders by client order id. `clock` gives epoch seconds."""

    def __init__(
        self,
        order_clients: Mapping[str, OrderClient],
        *,
        index: IdempotencyIndex,
        executor: OrderExecutor,
        clock: Callable[[], float],
    ) -> None:
        self._order_clients = order_clients
        self._index = index
        self._executor = executor
        self._clock = clock
        self._unknown: OrderedDict[tuple[str, str], float] = OrderedDict()
        """account and client order id → until when it counts as unknown"""
        self._full_at: dict[str, float] = {}
        """account → when its budget is full again"""

    async def find(self, label: str, client_order_id: str) -> Order | None:
        """Return an order, from the state or from the broker; None if there is none.

        Raises `Declined` if it cannot be looked up, `Unresolved` if the order was sent and is
        not found.
        """
        order_client = self._order_clients[label]
        if order := order_client.find_in_state(client_order_id):
            return order
        record = self._index.get_by_id(label, client_order_id)
        if record is None and self._is_known_absent(label, client_order_id):
            return None
        self._take(label)
        try:
            response = await order_client.look_up(client_order_id, "lookup")
        except RealtimeError as error:
            if order := order_client.find_in_state(client_order_id):
                return order
            raise to_read_refusal(error) from error
        if response is not None:
            if record is not None and record.state == "unknown":
                self._executor.record_found(record, response.order)
            return response.order
        if order := order_client.find_in_state(client_order_id):
            return order
        if record is not None and record.state == "unknown":
            raise Unresolved(
                "it was sent; the broker does not know it, or not yet",
                account_id=label,
                client_order_id=client_order_id,
            )
        self._unknown[label, client_order_id] = self._clock() + UNKNOWN_TTL_S
        if len(self._unknown) > MAX_UNKNOWN:
            self._unknown.popitem(last=False)
        return None

    def _is_known_absent(self, label: str, client_order_id: str) -> bool:
        return self._unknown.get((label, client_order_id), 0.0) > self._clock()

    def _take(self, label: str) -> None:
        """Use one lookup of the account's budget. Raises `Declined` if there is none."""
        now = self._clock()
        full_at = max(self._full_at.get(label, now), now)
        wait_s = full_at - (BURST - 1) * INTERVAL_S - now
        if wait_s > 0:
            raise Declined(
                "budget_spent",
                f"{label}: lookups by client_order_id: {60 / INTERVAL_S:.0f} a minute",
                remedy="read GET /orders, which costs no request to the broker",
                retry_after_s=wait_s,
            )
        self._full_at[label] = full_at + INTERVAL_S
