"""The state of one account: the value that `apply` and `reconcile` turn into the next one.

Orders are kept flat, one entry per order id; `parents` holds which order is whose leg. The mappings
are never changed in place: a client may keep a state for as long as it likes.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct

from realtime.core.model import Account, ExecutionId, Order, OrderId, Position, Symbol

CLOSED_ORDERS_KEPT = 500
"""Closed orders an account keeps: the most that one `GET /v2/orders` of the broker returns."""

EVICTION_SLACK = 100
"""New orders between two passes over all orders that evict some of them."""

LAG_S = 10.0
"""How long REST positions and account may be behind the stream (Alpaca-API issue 276)."""

CLOCK_ERROR_S = 1.0
"""Error of what we know of the broker's clock: its `Date` header has whole seconds."""

NOTHING_PROVISIONAL: frozenset[str] = frozenset()
MONEY = frozenset({"account", "positions"})
"""The parts that a fill makes provisional until REST has confirmed them."""
ORDERS = frozenset({"orders"})
"""The part that an anomaly makes provisional until REST has resolved it."""


class Execution(Struct, frozen=True, kw_only=True, gc=False):
    """One fill of an order: counted once, whether an event or a FILL activity brought it."""

    execution_id: ExecutionId
    order_id: OrderId
    symbol: str
    side: str
    qty: str
    """Zero if it was reversed."""
    price: str
    at: str | None
    """The broker's time of the execution."""


EvidenceKey = tuple[int, str, int, Decimal, str]
"""Sorts a symbol's executions: published at (ns), event id, order's version (µs) and filled
quantity, execution id."""


class PositionEvidence(Struct, frozen=True, kw_only=True, gc=False):
    """The newest execution of a symbol, and the whole position after it."""

    key: EvidenceKey
    qty: str
    """Signed position after it; empty if unknown."""
    side: str
    received_at: float
    """When it arrived, epoch seconds by our clock: REST positions may lag it by seconds."""
    turned_at: float | None = None
    """When the direction last changed, by our clock: a purchase after a sale, a sale after a
    purchase, a reversal. Until REST can no longer lag this, a position that was read may be an old
    one that agrees by chance."""
    is_computed: bool = False
    """Whether `qty` is our own sum and not the broker's figure: agreeing with it proves nothing."""
    held_back: Execution | None = None
    """The execution, if its position is not shown: an order seems to have traded the symbol later,
    by an execution that is not known yet."""


class VersionConflict(Struct, frozen=True, kw_only=True, gc=False):
    """REST has an order further along than we do, though our version is the younger; or REST shows
    one as open that we may have evicted."""

    version: int
    """Our version (µs); `NEVER` if we have none."""
    since: float
    """When the first such read began, epoch seconds by our clock."""


class ReadProgress(Struct, frozen=True, kw_only=True, gc=False):
    """What reads have established so far, and what the next ones must look at again. Times without
    a unit are epoch seconds by our clock."""

    watermark: str | None = None
    """The broker's time up to which a full read has seen everything."""
    anomaly_at: float | None = None
    """When the last anomaly occurred: only a later read can resolve it."""
    resumed_at: float | None = None
    """When the stream was resumed after an outage, until a full read began `LAG_S` later: the lists
    read first may lack what no event will deliver."""
    may_lag_until: float | None = None
    """Positions and account of a read that began earlier may lack an execution that no event
    brought: it was read by REST when it was young, and they lag it."""
    not_found_since: Mapping[OrderId, float] = {}
    """order id → when the broker, asked by id, first did not know it: it is dropped if the broker
    still does not `LAG_S` later"""
    version_conflicts: Mapping[OrderId, VersionConflict] = {}
    """order id → what REST reports of it and our version contradicts, until one of them is right"""

    @property
    def needs_second_read(self) -> bool:
        """Whether REST reported something of an order that it must repeat to be believed."""
        return bool(self.not_found_since or self.version_conflicts)


class AccountState(Struct, frozen=True, kw_only=True, gc=False):
    """One account's state by value. `account is None` means that nothing was ever read."""

    account: Account | None = None
    positions: Mapping[Symbol, Position] = {}
    """symbol → position; never one of quantity zero. The second of two assets under one symbol has
    a key of its own (`core.position_keys`)."""
    orders: Mapping[OrderId, Order] = {}
    """order id → newest known version, without its legs"""
    parents: Mapping[OrderId, OrderId] = {}
    """leg's id → parent's id"""
    executions: Mapping[OrderId, Mapping[ExecutionId, Execution]] = {}
    """order id → its executions; kept and evicted together with the order"""
    evidence: Mapping[Symbol, PositionEvidence] = {}
    """symbol → its newest execution"""
    reversed_at: Mapping[OrderId, int] = {}
    """order id → version (µs) at which an execution of it was last reversed"""
    evicted_before: int = 0
    """Closed orders with no version later than this (µs) may have been evicted."""
    eviction_due_at: int = CLOSED_ORDERS_KEPT + EVICTION_SLACK
    """Number of orders at which the next pass looks for closed ones to evict."""
    provisional: frozenset[str] = NOTHING_PROVISIONAL
    """Parts that the broker has not confirmed yet: of `account`, `positions`, `orders`."""
    progress: ReadProgress = ReadProgress()

    @property
    def open_orders(self) -> int:
        """How many orders work at the broker now; held legs wait and do not count."""
        return sum(1 for o in self.orders.values() if not o.is_closed and o.status != "held")


EMPTY = AccountState()
