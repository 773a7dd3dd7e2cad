"""What is known of one account: the value that `apply` and `reconcile` turn into the next one.

Orders are kept flat, one entry an order id; which order is whose leg stands in `parents`. The
mappings are never changed in place: a reader may keep a state for as long as it likes.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from realtime.core.model import Account, ExecutionId, Order, OrderId, Position, Symbol

CLOSED_ORDERS_KEPT = 500
"""Closed orders an account keeps: the most that one `GET /v2/orders` of the broker can answer."""

EVICTION_SLACK = 100
"""New orders between two passes over all orders that drop some of them."""

LAG_S = 10.0
"""How long REST positions and account may be behind the stream (Alpaca-API issue 276)."""

UNSURE_S = 1.0
"""How far off what we know of the broker's clock may be: it is dated in whole seconds."""

NOTHING_PROVISIONAL: frozenset[str] = frozenset()
MONEY = frozenset({"account", "positions"})
"""The parts that a fill makes provisional until REST has confirmed them."""
ORDERS = frozenset({"orders"})
"""The part that a doubt makes provisional until REST has answered it."""


class Execution(Struct, frozen=True, kw_only=True, gc=False):
    """One fill of an order: counted once, whether the stream or a FILL activity told it."""

    execution_id: ExecutionId
    order_id: OrderId
    symbol: str
    side: str
    qty: str
    price: str
    at: str | None
    """The broker's time of the execution."""


PositionKey = tuple[int, str, int, Decimal, str]
"""Orders a symbol's executions: published at (ns), event id, order's version (µs) and filled
quantity, execution id."""


class PositionEvidence(Struct, frozen=True, kw_only=True, gc=False):
    """The newest execution of a symbol, and what it told of the symbol's whole position."""

    key: PositionKey
    qty: str
    """Signed position after it; empty if that is not known."""
    side: str
    heard_at: float
    """When we heard it, epoch seconds by our clock: REST positions may lag this by seconds."""
    turned_at: float | None = None
    """When the position last turned, by our clock: a purchase after a sale, a sale after a
    purchase, an execution undone. Until REST can no longer lag this, a position read may be an old
    one that happens to agree."""
    is_reckoned: bool = False
    """Whether `qty` is our own sum and not the broker's word: agreement with it proves nothing."""
    held_back: Execution | None = None
    """The execution, if its position is not shown: an order seems to have traded the symbol later,
    by an execution that is not known yet."""


def marked(
    old: PositionEvidence | None,
    *,
    key: PositionKey,
    qty: str,
    side: str,
    now: float,
    is_reckoned: bool = False,
    held_back: Execution | None = None,
) -> PositionEvidence:
    """The mark after a newer execution; `side` is empty where it says nothing of the direction."""
    turned = not side or (old is not None and side != old.side)
    turned_at = now if turned else old.turned_at if old is not None else None
    return PositionEvidence(
        key=key,
        qty=qty,
        side=side,
        heard_at=now,
        turned_at=turned_at,
        is_reckoned=is_reckoned,
        held_back=held_back,
    )


class VersionConflict(Struct, frozen=True, kw_only=True, gc=False):
    """REST has an order further along than we do, though our version is the younger; or REST shows
    one as working that we may have dropped."""

    version: int
    """Our version (µs); `NEVER` if we have none."""
    since: float
    """When the first reading that said so began, epoch seconds by our clock."""


class AccountState(Struct, frozen=True, kw_only=True, gc=False):
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
    marks: Mapping[Symbol, PositionEvidence] = {}
    """symbol → its newest execution"""
    busted: Mapping[OrderId, int] = {}
    """order's id → version (µs) at which an execution of it was last undone"""
    forgotten_before: int = 0
    """Closed orders with no version later than this (µs) may have been dropped: not news."""
    eviction_due_at: int = CLOSED_ORDERS_KEPT + EVICTION_SLACK
    """Number of orders at which closed ones are looked through for some to drop."""
    watermark: str | None = None
    """The broker's time up to which a full reading has seen everything."""
    provisional: frozenset[str] = NOTHING_PROVISIONAL
    """Parts that the broker has not confirmed yet: of `account`, `positions`, `orders`."""
    doubted_at: float | None = None
    """When the last doubt was raised, by our clock: only a later reading can answer it."""
    missing: Mapping[OrderId, float] = {}
    """order's id → when the broker, asked by id, first did not know it, by our clock: it is dropped
    when the broker still does not `LAG_S` later"""
    version_conflicts: Mapping[OrderId, VersionConflict] = {}
    """order's id → what REST says of it that our version denies, until one of them is right"""
    resumed_at: float | None = None
    """When the stream was taken up again after an outage, by our clock, until a full reading began
    `LAG_S` later: the lists read first may lack what no frame will tell."""

    @property
    def asks_again(self) -> bool:
        """Whether REST said something of an order that it must say once more to be believed."""
        return bool(self.missing or self.version_conflicts)

    @property
    def open_orders(self) -> int:
        """How many orders work at the broker now; held legs wait and do not count."""
        return sum(1 for o in self.orders.values() if not o.is_closed and o.status != "held")


EMPTY = AccountState()
