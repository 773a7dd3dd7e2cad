"""Stale REST responses: positions, activities and order lists as they were some seconds ago.

While such a fault is on, each change is kept with the loop's time. Without one nothing is kept.
Positions are read after every step of the exchange, so their lag is exact to one step.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from realtime.simulator.exchange.engine import Exchange, TradeUpdate
from realtime.simulator.faults.base import FaultSpec
from realtime.simulator.faults.registry import Fault, FaultRegistry
from realtime.simulator.faults.requests import LaggingPositions, StaleOrders

CLOSED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
# Versions kept of one object; above this the older half is dropped.
KEPT = 1_000

Document = dict[str, object]
T = TypeVar("T")


class VersionHistory(Generic[T]):
    """Versions of one object, each with the time from which it was current."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._values: list[T] = []

    def add(self, at: float, value: T) -> None:
        """Add the version that is current from `at` on."""
        self._times.append(at)
        self._values.append(value)
        if len(self._times) > KEPT:
            del self._times[: KEPT // 2], self._values[: KEPT // 2]

    def at(self, time: float) -> T | None:
        """Return the version that was current at a time; None before the first."""
        index = bisect_right(self._times, time)
        return self._values[index - 1] if index else None


class StateHistory:
    """Past positions and orders of accounts, while a fault needs them."""

    def __init__(self, exchange: Exchange, faults: FaultRegistry) -> None:
        self._exchange = exchange
        self._faults_on = faults
        self._positions: dict[str, VersionHistory[list[Document]]] = {}
        # label → order id → its versions; only orders that were open at the start or changed since
        self._orders: dict[str, dict[str, VersionHistory[Document]]] = {}
        self._changed: dict[str, None] = {}
        faults.listeners.append(self._begin)

    def handle_event(self, update: TradeUpdate) -> None:
        """Record an event of the exchange."""
        if self._positions:
            self._changed[update.label] = None
        if update.label in self._orders:
            self._keep_order(update)

    def step(self) -> None:
        """Record positions of accounts that traded since the last step."""
        now = self._faults_on.now()
        for label in self._changed:
            if label in self._positions:
                self._positions[label].add(now, self._exchange.positions(label))
        self._changed.clear()
        if self._positions and not self._faults_on.is_active_for_any(LaggingPositions):
            self._positions.clear()
        if self._orders and not self._faults_on.is_active_for_any(StaleOrders):
            self._orders.clear()

    def positions(self, label: str, seconds: float) -> list[Document]:
        """Return the account's positions `seconds` ago."""
        versions = self._positions.get(label)
        was = None if versions is None else versions.at(self._faults_on.now() - seconds)
        return self._exchange.positions(label) if was is None else was

    def orders(self, label: str, query: Mapping[str, str], seconds: float) -> list[Document]:
        """Return an order list as it was `seconds` ago."""
        fresh = self._exchange.orders(label, query)
        if label not in self._orders:
            return fresh
        then = self._faults_on.now() - seconds
        were = [
            was
            for order in self._all_orders(label, query)
            if (was := self._order_at(label, order, then))
        ]
        match query.get("status", "open"):
            case "open":
                were = [was for was in were if was["status"] not in {*CLOSED, "held"}]
            case "closed":
                were = [was for was in were if was["status"] in CLOSED]
        return were[: int(query.get("limit") or 50)]

    def _all_orders(self, label: str, query: Mapping[str, str]) -> Iterator[Document]:
        """Yield every order of a list, beyond its limit: the limit counts those of the past."""
        query = {**query, "status": "all", "limit": "500"}
        bound = "after" if query.get("direction") == "asc" else "until"
        while True:
            page = self._exchange.orders(label, query)
            yield from page
            if len(page) < 500:
                return
            query = {**query, bound: str(page[-1]["submitted_at"])}
            query.pop("before_order_id", None)
            query.pop("after_order_id", None)

    def _begin(self, fault: Fault[FaultSpec]) -> None:
        account = fault.spec.account
        labels = list(self._exchange.labels) if account is None else [account]
        for label in labels:
            match fault.spec:
                case LaggingPositions() if label not in self._positions:
                    versions = self._positions[label] = VersionHistory()
                    versions.add(float("-inf"), self._exchange.positions(label))
                case StaleOrders() if label not in self._orders:
                    self._orders[label] = self._open_orders(label)

    def _open_orders(self, label: str) -> dict[str, VersionHistory[Document]]:
        known: dict[str, VersionHistory[Document]] = {}
        for order in self._exchange.orders(label, {"status": "open", "limit": "500"}):
            known.setdefault(str(order["id"]), VersionHistory()).add(float("-inf"), order)
        return known

    def _keep_order(self, update: TradeUpdate) -> None:
        order = update.data.get("order")
        if not isinstance(order, dict):
            return
        order_id = str(order["id"])
        now = self._exchange.order(update.label, order_id, nested=False)
        versions = self._orders[update.label].setdefault(order_id, VersionHistory())
        versions.add(self._faults_on.now(), now)

    def _order_at(self, label: str, order: Document, then: float) -> Document | None:
        versions = self._orders[label].get(str(order["id"]))
        was = order if versions is None else versions.at(then)
        legs = order.get("legs")
        if was is None or not isinstance(legs, list):
            return was
        return {**was, "legs": [old for leg in legs if (old := self._order_at(label, leg, then))]}


def filter_recent(
    items: list[Document], clock: Callable[[], int], seconds: float
) -> list[Document]:
    """Return activities that are at least `seconds` old."""
    newest = datetime.fromtimestamp(clock() / 1e9, UTC) - timedelta(seconds=seconds)
    limit = newest.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return [item for item in items if _made_at(item) <= limit]


def _made_at(item: Document) -> str:
    # Both are UTC with a `Z`; without it strings of different length compare like the times.
    return str(item.get("transaction_time") or item.get("created_at") or "").rstrip("Z")
