"""The broker's objects as frozen values: account, position, order, trade update, fill activity.

Each struct is Alpaca's object under Alpaca's names, in the key order of its 2026 responses; the
same value is decoded at the broker's edge, kept in the store and encoded for clients. Money,
quantity and time stay the broker's own strings (`core.decimals` and `core.timestamps` read them
where something must be computed or compared). Every field may be missing on the wire: `None` is
Alpaca's `null`; fields that are absent in some responses and must stay absent are `UNSET`. Unknown
fields are skipped.

`gc=False`: the values contain no reference cycles, so the garbage collector need not visit them,
nor the mappings that hold them; a fleet has hundreds of thousands, and a visit stops everything.

Source: Alpaca Trading API v2 reference (orders, positions, account, account activities) and
"Websocket streaming" (`trade_updates`).
"""

from typing import NewType

from msgspec import UNSET, Struct, UnsetType, field

from realtime.core.order_status import CLOSED

AccountLabel = NewType("AccountLabel", str)
"""The name of an account in `accounts.toml`; our `account_id`."""

OrderId = NewType("OrderId", str)
ExecutionId = NewType("ExecutionId", str)
Symbol = NewType("Symbol", str)
"""A position's symbol as the positions endpoint spells it: crypto without slash (`ETHUSD`)."""


class Order(Struct, frozen=True, kw_only=True, gc=False):
    """An order as Alpaca describes it. Bracket, OCO and OTO legs are in `legs` when nested."""

    id: OrderId
    client_order_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    submitted_at: str | None = None
    filled_at: str | None = None
    expired_at: str | None = None
    cancel_requested_at: str | None = None
    canceled_at: str | None = None
    failed_at: str | None = None
    replaced_at: str | None = None
    replaced_by: OrderId | None = None
    replaces: OrderId | None = None
    asset_id: str | None = None
    symbol: str | None = None
    asset_class: str | None = None
    notional: str | None = None
    qty: str | None = None
    filled_qty: str | None = None
    filled_avg_price: str | None = None
    order_class: str | None = None
    order_type: str | None = None
    type: str | None = None
    side: str | None = None
    position_intent: str | None = None
    time_in_force: str | None = None
    limit_price: str | None = None
    stop_price: str | None = None
    status: str = ""
    extended_hours: bool | None = None
    legs: tuple["Order", ...] | None = None
    trail_percent: str | None = None
    trail_price: str | None = None
    hwm: str | None = None
    expires_at: str | None = None
    ratio_qty: str | UnsetType | None = UNSET
    source: str | None = None
    subtag: str | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the status is final."""
        return self.status in CLOSED


class Position(Struct, frozen=True, kw_only=True, gc=False):
    """A position. `qty`, `market_value` and `cost_basis` are negative when short."""

    asset_id: str | None = None
    symbol: Symbol
    exchange: str | None = None
    asset_class: str | None = None
    asset_marginable: bool | None = None
    qty: str
    avg_entry_price: str | None = None
    side: str | None = None
    market_value: str | None = None
    cost_basis: str | None = None
    unrealized_pl: str | None = None
    unrealized_plpc: str | None = None
    unrealized_intraday_pl: str | None = None
    unrealized_intraday_plpc: str | None = None
    current_price: str | None = None
    lastday_price: str | None = None
    change_today: str | None = None
    qty_available: str | None = None
    avg_entry_swap_rate: str | UnsetType | None = UNSET
    swap_rate: str | UnsetType | None = UNSET
    prev_swap_rate: str | UnsetType | None = UNSET


class Account(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=False):
    """An account. The fields at the end came and went over the years: absent stays absent."""

    id: str
    admin_configurations: dict[str, object] | UnsetType | None = UNSET
    user_configurations: dict[str, object] | UnsetType | None = UNSET
    account_number: str
    status: str | None = None
    crypto_status: str | UnsetType | None = UNSET
    options_approved_level: int | UnsetType | None = UNSET
    options_trading_level: int | UnsetType | None = UNSET
    currency: str | None = None
    buying_power: str | None = None
    regt_buying_power: str | UnsetType | None = UNSET
    effective_buying_power: str | UnsetType | None = UNSET
    non_marginable_buying_power: str | UnsetType | None = UNSET
    options_buying_power: str | UnsetType | None = UNSET
    cash: str | None = None
    accrued_fees: str | UnsetType | None = UNSET
    portfolio_value: str | UnsetType | None = UNSET
    trading_blocked: bool | UnsetType | None = UNSET
    transfers_blocked: bool | UnsetType | None = UNSET
    account_blocked: bool | UnsetType | None = UNSET
    created_at: str | UnsetType | None = UNSET
    trade_suspended_by_user: bool | UnsetType | None = UNSET
    multiplier: str | UnsetType | None = UNSET
    shorting_enabled: bool | UnsetType | None = UNSET
    equity: str | None = None
    last_equity: str | None = None
    long_market_value: str | UnsetType | None = UNSET
    short_market_value: str | UnsetType | None = UNSET
    position_market_value: str | UnsetType | None = UNSET
    initial_margin: str | UnsetType | None = UNSET
    maintenance_margin: str | UnsetType | None = UNSET
    last_maintenance_margin: str | UnsetType | None = UNSET
    sma: str | UnsetType | None = UNSET
    intraday_adjustments: str | UnsetType | None = UNSET
    pending_reg_taf_fees: str | UnsetType | None = UNSET
    pending_transfer_in: str | UnsetType | None = UNSET
    pending_transfer_out: str | UnsetType | None = UNSET
    balance_asof: str | UnsetType | None = UNSET
    crypto_tier: int | UnsetType | None = UNSET
    pattern_day_trader: bool | UnsetType | None = UNSET
    daytrade_count: int | UnsetType | None = UNSET
    daytrading_buying_power: str | UnsetType | None = UNSET
    bod_dtbp: str | int | float | UnsetType | None = UNSET
    dtbp_check: str | UnsetType | None = UNSET


class LegFill(Struct, frozen=True, kw_only=True, gc=False):
    """One leg's execution inside a multi-leg fill."""

    execution_id: ExecutionId | None = None
    order_id: OrderId | None = None
    symbol: str | None = None
    qty: str | None = None
    price: str | None = None
    timestamp: str | None = None


class TradeUpdate(Struct, frozen=True, kw_only=True, gc=False):
    """One `trade_updates` event. `order` is the whole order after it.

    `price` and `qty` are this execution's; `position_qty` is the whole signed position after it.
    """

    event: str
    order: Order
    timestamp: str | None = None
    at: str | None = None
    event_id: str | None = None
    execution_id: ExecutionId | None = None
    previous_execution_id: ExecutionId | None = None
    price: str | None = None
    qty: str | None = None
    position_qty: str | None = None
    position_qtys: dict[str, str] | None = None
    legs: tuple[LegFill, ...] | None = None
    swap_rate: str | None = None
    settle_date: str | None = None
    reason: str | None = None
    frame: bytes = field(default=b"", name="realtime:frame")
    """The frame as it arrived; empty if it was not a frame. Never a member of the broker's."""


class FillActivity(Struct, frozen=True, kw_only=True, gc=False):
    """One FILL of the account activities. The id's part after `::` is the execution's id."""

    id: str
    activity_type: str = "FILL"
    transaction_time: str | None = None
    type: str | None = None
    price: str | None = None
    qty: str | None = None
    side: str | None = None
    symbol: str | None = None
    leaves_qty: str | None = None
    order_id: OrderId | None = None
    cum_qty: str | None = None
    order_status: str | None = None

    @property
    def execution_id(self) -> ExecutionId:
        """The execution's id, the same as in the stream."""
        return ExecutionId(self.id.rpartition("::")[2])


def position_symbol(order_symbol: str) -> Symbol:
    """Spell an order's symbol as positions do: `ETH/USD` is held as `ETHUSD`."""
    return Symbol(order_symbol.replace("/", ""))
