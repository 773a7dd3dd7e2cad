"""Promises about the state as such: money confirmed soon after a fill, every fill explained.

Read from the store beside each dashboard, for the documents do not show executions.
"""

from decimal import Decimal

from realtime.core.model import OrderId
from realtime.store.records import Record
from tests.world.clocks import Clocks
from tests.world.ledger import Ledger, Told
from tests.world.oracles.patience import Patience
from tests.world.oracles.violation import Violation

CONFIRMED_S = 4.5
"""After a fill on a healthy path money is read: two seconds between readings, and two readings."""

EXPLAINED_S = 12.0
"""What an order has filled is explained by executions we know: grace, a reading, a retry."""


class States:
    """Judges records that are current and carry no mark."""

    def __init__(self, ledger: Ledger, patience: Patience, clocks: Clocks) -> None:
        self._ledger = ledger
        self._patience = patience
        self._clocks = clocks

    def look(self, record: Record, at: float) -> None:
        """Judge a record."""
        if not record.link.is_synced:
            return
        label = record.profile.label
        if self._patience.is_untouched(label, at):
            self._check_confirmed(record, at)
        if "orders" not in record.state.provisional and self._patience.has_activities(label, at):
            self._check_explained(record, at)

    def _check_confirmed(self, record: Record, at: float) -> None:
        fills = (t for t in reversed(self._ledger.told[record.profile.label]) if t.is_fill)
        due = next((t for t in fills if t.at < at - CONFIRMED_S), None)
        confirmed_s = (record.confirmed_at or 0.0) - (self._clocks.now() - at)
        if due is not None and confirmed_s < due.at - 0.1:
            said = f"a fill of {at - due.at:.1f} s ago, money read {at - confirmed_s:.1f} s ago"
            raise Violation("confirmed", f"{record.profile.label}: {said}")

    def _check_explained(self, record: Record, at: float) -> None:
        label, state = record.profile.label, record.state
        since = self._patience.first_synced(label)
        for told in self._ledger.last_events(label, at):
            order = state.orders.get(OrderId(told.order_id))
            if order is None or order.order_class == "mleg" or not self._is_due(label, told, at):
                continue
            if order.id in self._ledger.busted[label] or self._ledger.born(told.order_id) < since:
                continue
            known = sum(
                (Decimal(e.qty) for e in state.executions.get(order.id, {}).values()), Decimal(0)
            )
            if Decimal(order.filled_qty or 0) != known:
                said = f"filled {order.filled_qty}, executions of {known}, nothing marked"
                raise Violation("explained", f"{label} {order.id}: {said}")

    def _is_due(self, label: str, told: Told, at: float) -> bool:
        return at - told.at > self._patience.for_event(label, told.at) + EXPLAINED_S
