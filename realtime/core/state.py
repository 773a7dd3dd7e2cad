"""What is known of one account: the value that `apply` and `reconcile` turn into the next one.

Orders are kept flat, one entry an order id; which order is whose leg stands in `parents`. The
mappings are never changed in place: a reader may keep a state for as long as it likes.
"""

from collections.abc import Mapping

from msgspec import Struct

from realtime.core.model import Account, ExecutionId, Order, OrderId, Position, Symbol

CLOSED_ORDERS_KEPT = 500
"""Closed orders an account keeps: the most that one `GET /v2/orders` of the broker can answer."""

NOTHING_PROVISIONAL: frozenset[str] = frozenset()
MONEY = frozenset({"account", "positions"})
"""The parts that a fill makes provisional until REST has confirmed them."""
ORDERS = frozenset({"orders"})
"""The part that a doubt makes provisional until REST has answered it."""


class Execution(Struct, frozen=True, kw_only=True):
    """One fill of an order: counted once, whether the stream or a FILL activity told it."""

    execution_id: ExecutionId
    order_id: OrderId
    symbol: str
    side: str
    qty: str
    price: str
    at: str | None
    """The broker's time of the execution."""


class PositionMark(Struct, frozen=True, kw_only=True):
    """The newest execution that told a symbol's whole position."""

    key: tuple[int, str, str]
    """Broker's time in ns, event id, execution id: orders the executions of a symbol."""
    qty: str
    """Signed position after it."""
    heard_at: float
    """When we heard it, epoch seconds by our clock: REST positions may lag this by seconds."""


class AccountState(Struct, frozen=True, kw_only=True):
    """One account's state by value. `account is None` means: nothing was ever read."""

    account: Account | None = None
    positions: Mapping[Symbol, Position] = {}
    """symbol → position; never one of quantity zero"""
    orders: Mapping[OrderId, Order] = {}
    """id → newest known version, without its legs"""
    parents: Mapping[OrderId, OrderId] = {}
    """leg's id → parent's id"""
    executions: Mapping[OrderId, Mapping[ExecutionId, Execution]] = {}
    """order's id → its executions; kept and dropped together with the order"""
    marks: Mapping[Symbol, PositionMark] = {}
    """symbol → the newest execution that told its position"""
    busted: Mapping[OrderId, int] = {}
    """order's id → version (µs) at which an execution of it was last undone"""
    forgotten_before: int = 0
    """Closed orders with no version later than this (µs) may have been dropped: not news."""
    watermark: str | None = None
    """The broker's time up to which a full reading has seen everything."""
    provisional: frozenset[str] = NOTHING_PROVISIONAL
    """Parts that the broker has not confirmed yet: of `account`, `positions`, `orders`."""

    @property
    def open_orders(self) -> int:
        """How many orders work at the broker now; held legs wait and do not count."""
        return sum(1 for o in self.orders.values() if not o.is_closed and o.status != "held")


EMPTY = AccountState()
