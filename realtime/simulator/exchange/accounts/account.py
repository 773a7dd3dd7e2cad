"""State of one account; nothing is shared between accounts."""

from decimal import Decimal
from random import Random

import msgspec

from realtime.simulator.exchange.accounts.activities import ActivityLog
from realtime.simulator.exchange.accounts.id_generator import IdGenerator
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.decimals import ZERO
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.venue.assets import Asset


class AccountSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of a new account."""

    label: str
    account_number: str
    cash: Decimal = Decimal("100000")
    multiplier: str = "2"
    shorting_enabled: bool = True
    options_level: int = 3
    crypto_tier: int = 1


class Configuration(msgspec.Struct, kw_only=True):
    """Account configuration; field order is the order of the JSON keys."""

    disable_overnight_trading: bool = False
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    max_options_trading_level: int | None = None
    no_shorting: bool = False
    ptp_no_exception_entry: bool = False
    suspend_trade: bool = False
    trade_confirm_email: str = "all"


class LastClose(msgspec.Struct, kw_only=True):
    """State at the last close."""

    day: str
    equity: Decimal
    maintenance_margin: Decimal = ZERO
    exposure: Decimal = ZERO  # margin.exposure then


class CashFlow(msgspec.Struct, frozen=True):
    """One change of cash or of a position; the basis of the portfolio history."""

    at: int
    symbol: str  # empty for cash alone
    qty: Decimal
    cash: Decimal
    is_deposit: bool


class Account(msgspec.Struct, kw_only=True, eq=False):
    """One account with its orders, positions and activities."""

    spec: AccountSpec
    id: str
    created_at: int
    ids: IdGenerator
    rng: Random  # of partial fills
    cash: Decimal
    last_close: LastClose
    configuration: Configuration = msgspec.field(default_factory=Configuration)
    # order id → order, in the order of submission
    orders: dict[str, Order] = msgspec.field(default_factory=dict)
    # client order id → order
    by_client_order_id: dict[str, Order] = msgspec.field(default_factory=dict)
    # order id → order that is not in a terminal status, held legs included
    open_orders: dict[str, Order] = msgspec.field(default_factory=dict)
    # symbol → position; one closed today stays, flat, until the day ends
    positions: dict[str, Position] = msgspec.field(default_factory=dict)
    # execution id → execution, busted ones included
    executions: dict[str, Execution] = msgspec.field(default_factory=dict)
    activity_log: ActivityLog = msgspec.field(default_factory=ActivityLog)
    cash_flows: list[CashFlow] = msgspec.field(default_factory=list)  # oldest first
    # symbol → (coins, cash) charged as fees since the day began
    fees: dict[str, tuple[Decimal, Decimal]] = msgspec.field(default_factory=dict)
    deposits_today: Decimal = ZERO  # less withdrawals, since the last close
    seq: int = 0  # events sent
    rejects_next: bool = False
    holds_cancels: bool = False
    holds_replaces: bool = False

    @property
    def label(self) -> str:
        return self.spec.label

    @property
    def multiplier(self) -> int:
        """Effective buying-power multiplier: the configuration may lower it."""
        return min(int(self.spec.multiplier), int(self.configuration.max_margin_multiplier))

    @property
    def options_level(self) -> int:
        wished = self.configuration.max_options_trading_level
        return self.spec.options_level if wished is None else min(wished, self.spec.options_level)

    @property
    def may_short(self) -> bool:
        """Return whether the account may sell short: never without margin."""
        allowed = self.spec.shorting_enabled and not self.configuration.no_shorting
        return allowed and self.multiplier > 1

    def get_qty(self, asset: Asset) -> Decimal:
        """Return the signed quantity held."""
        position = self.positions.get(asset.symbol)
        return position.qty if position else ZERO

    def holdings(self) -> list[Position]:
        """Return the positions that are not flat."""
        return [position for position in self.positions.values() if position.qty]

    def position_of(self, asset: Asset) -> Position:
        """Return the position, creating an empty one if needed."""
        position = self.positions.get(asset.symbol)
        if position is None:
            position = self.positions[asset.symbol] = Position(asset=asset)
        return position

    def record_flow(
        self, at: int, symbol: str, qty: Decimal, *, cash: Decimal = ZERO, is_deposit: bool = False
    ) -> None:
        """Record a change of cash or quantity, for the portfolio history."""
        self.cash_flows.append(CashFlow(at, symbol, qty, cash, is_deposit))
