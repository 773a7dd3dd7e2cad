"""What becomes of a call that moves money, as values for REST, library and shell alike."""

from typing import Literal

from msgspec import Struct

from realtime.core.model import Order
from realtime.orders.routing import RoutingDecision

Origin = Literal["ours", "other", "unknown"]
"""Whose order it is: placed through here, by another program, or nobody can say any more."""

How = Literal["answered", "asked", "replayed"]
"""How we know of it: the broker's answer; asked for after the answer was lost; the same call came
before."""


class Placed(Struct, frozen=True, kw_only=True):
    """The broker has the order."""

    account_id: str
    client_order_id: str
    order: Order
    how: How
    route: RoutingDecision | None = None
    request_id: str | None = None
    took_s: float = 0.0


class CanceledOrder(Struct, frozen=True, kw_only=True):
    """What became of one order that was to be canceled; `status` is HTTP's."""

    account_id: str
    order_id: str
    status: int
    body: object = None
    """The broker's own words, read."""


class SymbolLiquidation(Struct, kw_only=True):
    """How far closing one position is."""

    symbol: str
    qty: str
    """What is still held, signed."""
    status: Literal["closing", "working", "refused", "unknown", "flat"]
    order_id: str | None = None
    client_order_id: str | None = None
    detail: str | None = None
    """Why it was refused, or what is not known."""


class AccountLiquidation(Struct, kw_only=True):
    """How far closing one account is."""

    account_id: str
    state: Literal["closing", "confirming", "flat", "released"] = "closing"
    attempts: int = 0
    symbols: dict[str, SymbolLiquidation] = {}
    """symbol → how far; a position that is gone stays, as `flat`"""
    open_orders: int | None = None
    """Orders that still work there; null until the first list came."""
    last_error: str | None = None


class HaltState(Struct, frozen=True, kw_only=True):
    """What is halted, since when, by whom."""

    halted: bool
    scopes: tuple["Halt", ...] = ()


class Halt(Struct, frozen=True, kw_only=True):
    """One latch of the kill switch."""

    account_id: str | None
    """Null: every account."""
    reason: str
    principal: str
    since: str
