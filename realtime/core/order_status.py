"""The one table of order statuses and of the events of `trade_updates`.

An unknown status counts as open, since it may still change; an unknown event is applied by the
order that it carries.

Source: Alpaca Trading API v2 reference (`OrderStatus`) and "Websocket streaming". Alpaca publishes
statuses and not transitions: `next` is what clients have seen, for the diagram in the docs. No
transition is rejected, for the broker is right.
"""

from collections.abc import Mapping

from msgspec import Struct


class OrderStatus(Struct, frozen=True):
    """What a status means."""

    is_closed: bool = False
    """Whether it is final, but for a bust."""
    progress: int = 3
    """How far along an open order is: decides between versions of one microsecond."""
    next: tuple[str, ...] = ()
    """The statuses that may follow."""


_WORKING = (
    "partially_filled",
    "filled",
    "canceled",
    "expired",
    "done_for_day",
    "pending_cancel",
    "pending_replace",
    "replaced",
)

ORDER_STATUSES: Mapping[str, OrderStatus] = {
    "held": OrderStatus(progress=0, next=("new", "accepted", "canceled", "replaced", "expired")),
    "pending_review": OrderStatus(),
    "pending_new": OrderStatus(
        progress=1, next=("new", "partially_filled", "filled", "rejected", "canceled")
    ),
    "accepted": OrderStatus(
        progress=2,
        next=("pending_new", "new", "canceled", "rejected", "expired", "accepted_for_bidding"),
    ),
    "accepted_for_bidding": OrderStatus(progress=2),
    "new": OrderStatus(
        progress=3, next=(*_WORKING, "stopped", "suspended", "rejected", "calculated")
    ),
    "stopped": OrderStatus(progress=4, next=("new", "filled", "canceled")),
    "suspended": OrderStatus(progress=4, next=("new", "filled", "canceled")),
    "partially_filled": OrderStatus(progress=5, next=_WORKING),
    "pending_replace": OrderStatus(
        progress=6, next=("replaced", "filled", "partially_filled", "new")
    ),
    "pending_cancel": OrderStatus(
        progress=6, next=("canceled", "filled", "partially_filled", "new")
    ),
    "done_for_day": OrderStatus(
        progress=7, next=("new", "partially_filled", "canceled", "expired", "calculated")
    ),
    "calculated": OrderStatus(progress=8, next=("filled", "partially_filled")),
    "filled": OrderStatus(is_closed=True),
    "canceled": OrderStatus(is_closed=True),
    "expired": OrderStatus(is_closed=True),
    "rejected": OrderStatus(is_closed=True),
    "replaced": OrderStatus(is_closed=True),
}
"""Status → what it means."""

OPEN = frozenset(name for name, status in ORDER_STATUSES.items() if not status.is_closed)
CLOSED = frozenset(name for name, status in ORDER_STATUSES.items() if status.is_closed)

PROGRESS = {name: status.progress for name, status in ORDER_STATUSES.items()}
UNKNOWN_PROGRESS = OrderStatus().progress

REVERSALS = frozenset({"trade_bust", "trade_correct"})
"""Events that undo the execution named by `previous_execution_id`."""

KNOWN_EVENTS = REVERSALS | {
    "accepted",
    "calculated",
    "canceled",
    "done_for_day",
    "expired",
    "fill",
    "held",
    "new",
    "order_cancel_rejected",
    "order_replace_rejected",
    "partial_fill",
    "pending_cancel",
    "pending_new",
    "pending_replace",
    "rejected",
    "replaced",
    "stopped",
    "suspended",
}
"""Events with a documented meaning; any other is counted as unknown."""


def format_diagram() -> str:
    """The table as a Mermaid state diagram, for the docs."""
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {name}" for name in ("pending_new", "accepted", "held", "rejected")]
    for name, status in ORDER_STATUSES.items():
        lines += [f"    {name} --> {other}" for other in status.next]
        if status.is_closed:
            lines.append(f"    {name} --> [*]")
    return "\n".join(lines)
