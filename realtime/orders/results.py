"""Results of calls that move money, as values for HTTP, library and commands alike."""

from typing import Literal

from msgspec import Struct

from realtime.core.model import Order
from realtime.orders.routing import RoutingDecision

Origin = Literal["ours", "other", "unknown"]
"""Whether an order was placed through here, by another program, or that is not known."""

How = Literal["confirmed", "recovered", "replayed"]
"""`confirmed`: the broker's response; `recovered`: looked up after the response was lost;
`replayed`: the result of the same call before."""


class Placed(Struct, frozen=True, kw_only=True):
    """The broker has the order."""

    account_id: str
    client_order_id: str
    order: Order
    how: How
    route: RoutingDecision | None = None
    request_id: str | None = None
    took_s: float = 0.0
    body: bytes = b""
    """The order as the broker wrote it; empty if it comes from the state."""


class CanceledOrder(Struct, frozen=True, kw_only=True):
    """The result for one order that was to be canceled; `status` is HTTP's."""

    account_id: str
    order_id: str
    status: int
    body: object = None
    """The broker's response."""


class SymbolLiquidation(Struct, kw_only=True):
    """Progress of closing one position."""

    symbol: str
    qty: str
    """What is still held; negative for a short position."""
    status: Literal["closing", "working", "refused", "unknown", "flat"]
    order_id: str | None = None
    client_order_id: str | None = None
    detail: str | None = None
    """Why it was refused, or what it waits for."""


class AccountLiquidation(Struct, kw_only=True):
    """Progress of closing one account."""

    account_id: str
    state: Literal["closing", "confirming", "flat", "released"] = "closing"
    attempts: int = 0
    symbols: dict[str, SymbolLiquidation] = {}
    """symbol → progress; a closed position stays, as `flat`"""
    open_orders: int | None = None
    """Open orders at the broker; null before the first list."""
    last_error: str | None = None


class HaltState(Struct, frozen=True, kw_only=True):
    """What is halted, since when, and by which principal."""

    halted: bool
    scopes: tuple["Halt", ...] = ()


class Halt(Struct, frozen=True, kw_only=True):
    """One latch of the kill switch."""

    account_id: str | None
    """Null: every account."""
    reason: str
    principal: str
    since: str
