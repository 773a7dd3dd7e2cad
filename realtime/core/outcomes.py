"""What `apply` and `reconcile` take and return, as values: no functions here."""

from typing import Literal

from msgspec import Struct

from realtime.core.model import Account, FillActivity, Order, OrderId, Position, Symbol
from realtime.core.state import AccountState, Execution

AnomalyKind = Literal[
    "fills_gap",
    "position_gap",
    "reopened",
    "contradicted",
    "successor_unknown",
    "legs_unknown",
    "superseded_open",
    "late_news",
    "overdue",
]

GAPS = frozenset({"fills_gap", "position_gap"})
"""Anomalies that mean a missed execution: positions and money are behind, too."""


class Anomaly(Struct, frozen=True):
    """Why the state may not be what the broker has. REST is read to resolve it; it is no error."""

    kind: AnomalyKind
    order_id: OrderId
    detail: str


class Applied(Struct, frozen=True, kw_only=True):
    """The next state after an event, and what the event meant."""

    state: AccountState
    executions: tuple[Execution, ...] = ()
    """Executions that were counted now for the first time."""
    anomalies: tuple[Anomaly, ...] = ()


class Snapshot(Struct, frozen=True, kw_only=True):
    """What one read by REST returned; `None` for a part that was not read."""

    requested_at: float
    """When the read began, epoch seconds by our clock."""
    broker_time: int | None = None
    """The broker's clock at that moment, in µs, as far as it is known."""
    account: Account | None = None
    positions: tuple[Position, ...] | None = None
    orders: tuple[Order, ...] | None = None
    """Nested as listed, or flat; may hold an order more than once."""
    not_found: tuple[OrderId, ...] = ()
    """Orders that were read by id and that the broker does not know."""
    fills: tuple[FillActivity, ...] = ()
    covers_anomalies: bool = False
    """Whether the orders of all open anomalies were among those read."""
    is_full: bool = False
    """Whether orders and fills reach back to the state's watermark."""


DiscrepancyKind = Literal[
    "order_missing",
    "order_differs",
    "order_vanished",
    "execution_missing",
    "position_missing",
    "position_extra",
    "position_qty",
]


class Discrepancy(Struct, frozen=True):
    """One difference between our state and a read."""

    kind: DiscrepancyKind
    key: str
    """The order's id, the execution's id or the symbol."""
    ours: str | None
    theirs: str | None
    is_streamed: bool = True
    """Whether a working stream must have delivered an event for it."""


class Reconciled(Struct, frozen=True, kw_only=True):
    """The next state after a read; the same object if the read brought nothing new."""

    state: AccountState
    discrepancies: tuple[Discrepancy, ...] = ()
    recovered: tuple[Execution, ...] = ()
    """Executions that the stream had not delivered."""
    unsettled: frozenset[Symbol] = frozenset()
    """Symbols whose REST position does not agree yet with what the stream delivered."""
