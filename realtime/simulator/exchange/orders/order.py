"""One order of the exchange, and the sets of order statuses."""

from decimal import Decimal

import msgspec

from realtime.simulator.exchange.decimals import ZERO, floor_to_nano, round_to_nano
from realtime.simulator.exchange.venue.assets import Asset

TERMINAL = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
# At the venue and able to trade.
WORKING = frozenset({"new", "partially_filled", "pending_cancel", "pending_replace"})
# Not yet at the venue: cannot be replaced.
UNSENT = frozenset({"accepted", "pending_new", "accepted_for_bidding"})
NOT_REPLACEABLE = frozenset({"pending_cancel", "pending_replace", "suspended", "stopped"})

BUY = "buy"
SELL = "sell"

MARKET = "market"
LIMIT = "limit"
STOP = "stop"
STOP_LIMIT = "stop_limit"
TRAILING_STOP = "trailing_stop"

ENTRY = "entry"
TAKE_PROFIT = "take_profit"
STOP_LOSS = "stop_loss"
LEG = "leg"


class Order(msgspec.Struct, kw_only=True, eq=False):
    """An order. Times are epoch nanoseconds; exactly one of `qty` and `notional` is set."""

    id: str
    label: str  # the account's
    client_order_id: str
    number: int  # increases with every order; breaks ties, never shown
    asset: Asset
    side: str
    type: str
    time_in_force: str
    order_class: str
    status: str
    created_at: int
    updated_at: int
    submitted_at: int
    expires_at: int | None
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    position_intent: str = ""
    ratio_qty: Decimal | None = None

    filled_qty: Decimal = ZERO
    filled_value: Decimal = ZERO  # sum of price × qty over its executions
    filled_at: int | None = None
    expired_at: int | None = None
    cancel_requested_at: int | None = None
    canceled_at: int | None = None
    failed_at: int | None = None
    replaced_at: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None

    # Order group: the parent has its legs, each leg its parent and its role.
    legs: list["Order"] | None = None
    parent: "Order | None" = None
    role: str = ENTRY

    # Reserved cash: `reserve_price` for each share not yet traded.
    reserve_price: Decimal = ZERO
    reserved: Decimal = ZERO

    # How it trades.
    triggered: bool = False  # a stop whose price was reached
    armed: bool = False  # a held stop-loss whose entry has filled: its price is watched
    was_resting: bool = False  # rested in the book at least once: maker fee for crypto
    in_parts: bool | None = None  # whether it fills in parts; None before its first match
    queue_version: int = 0  # valid entry of this order in a price queue
    replacement: "Order | None" = None  # waits for a held replacement
    # Cached stream document, while it is open; see documents.py.
    cached_document: dict[str, object] | None = None

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def is_buy(self) -> bool:
        return self.side == BUY

    @property
    def is_multileg(self) -> bool:
        return self.order_class == "mleg" and self.parent is None

    @property
    def filled_avg_price(self) -> Decimal | None:
        """Average price of its executions, nine decimals; None until the first."""
        return round_to_nano(self.filled_value / self.filled_qty) if self.filled_qty else None

    @property
    def is_unfired_stop(self) -> bool:
        """Return whether it is a stop whose price was not reached yet."""
        return self.type in (STOP, STOP_LIMIT, TRAILING_STOP) and not self.triggered

    def remaining(self, price: Decimal) -> Decimal:
        """Return the quantity left to trade; of a notional order it depends on the price."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        if self.notional is None or not price:
            return ZERO
        return floor_to_nano((self.notional - self.filled_value) / price)

    def signed(self, qty: Decimal) -> Decimal:
        """Return a quantity with the sign of the side."""
        return qty if self.side == BUY else -qty


class Execution(msgspec.Struct, kw_only=True, eq=False):
    """One fill. `position_delta` is net of a fee kept in the coin, `cash_delta` of one in cash."""

    id: str
    order: Order
    asset: Asset
    qty: Decimal
    price: Decimal
    at: int
    position_delta: Decimal
    cash_delta: Decimal
    fee_qty: Decimal = ZERO
    fee_cash: Decimal = ZERO
    is_busted: bool = False
