"""Tier bounds: how far orders and positions of an account are from the bounds of its tier.

Bounds are watched and not enforced; the risk checks of `orders` enforce. A value is in per cent of
the initial balance, as the bounds are, and in per cent of equity beside it. Contracts count by
order and by position. An open order counts as what would be if it filled. A bound that not even one
contract can meet is reported as such, and is no breach.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from realtime.core.decimals import ZERO, number, plain
from realtime.core.model import Order, Position, Symbol, position_symbol
from realtime.history.realized import shares_of
from realtime.store.records import Record

Rule = Literal["position_risk", "order_risk", "position_contracts", "order_contracts"]
AlertState = Literal["over", "would_be", "cannot_be_met"]

AlertKey = tuple[Rule, AlertState, str, str | None]
"""Rule, state, symbol, order."""

HUNDRED = Decimal(100)


class Bounds(Struct, frozen=True, kw_only=True):
    """Bounds of a tier; None is no bound."""

    risk_pct: Decimal | None = None
    max_contracts: int | None = None
    watched: tuple[str, ...] = ("stocks", "options", "crypto")


class Measure(Struct, frozen=True, kw_only=True):
    """One value and its bound."""

    rule: Rule
    state: AlertState
    symbol: str
    value: Decimal
    bound: Decimal
    of_equity_pct: Decimal | None = None
    order_id: str | None = None
    detail: str | None = None

    @property
    def key(self) -> AlertKey:
        """What makes it the same alert at another time."""
        return self.rule, self.state, self.symbol, self.order_id


class Alert(Struct, frozen=True, kw_only=True):
    """A bound that is exceeded, would be, or cannot be met. Risk is in per cent."""

    account_id: str
    tier: str | None
    rule: Rule
    state: AlertState
    symbol: str
    value: str
    """Contracts, or per cent of the initial balance."""
    bound: str
    of_equity_pct: str | None
    """The same value in per cent of equity."""
    worst: str
    since: float
    """Epoch seconds."""
    until: float | None = None
    """None: it goes on."""
    order_id: str | None = None
    detail: str | None = None
    hidden_until: float | None = None
    hidden_by: str | None = None
    """A person has seen it: it is listed apart until then, and still counted."""

    @property
    def key(self) -> AlertKey:
        """What makes it the same alert at another time."""
        return self.rule, self.state, self.symbol, self.order_id


def measure(record: Record, bounds: Bounds) -> Iterator[Measure]:
    """The values of an account that have a bound."""
    if not record.has_data:
        return
    state = record.state
    equity = number(None if state.account is None else state.account.equity)
    base = number(record.profile.initial_balance)
    scale = _Scale(bounds, base, equity)
    held: dict[str, tuple[Decimal, Decimal]] = {}
    prices: dict[str, Decimal] = {}
    for symbol, position in state.positions.items():
        if _kind(symbol, position.asset_class) not in bounds.watched:
            continue
        value, qty = _position_value(position), abs(number(position.qty))
        held[symbol] = (value, qty)
        prices[symbol] = number(position.current_price)
        yield from scale.measure("position", "over", symbol, value, qty)
    for order in state.orders.values():
        if order.is_closed or order.symbol is None or order.id in state.parents:
            continue
        symbol = position_symbol(order.symbol)
        if _kind(symbol, order.asset_class) not in bounds.watched:
            continue
        found = _order_value(order, prices.get(symbol, ZERO))
        if found is None:
            continue
        value, qty, unit = found
        yield from scale.measure("order", "over", symbol, value, qty, order.id)
        # A contract is whole; shares and coins may be ordered in parts.
        is_whole = shares_of(symbol) > 1
        if is_whole and scale.risk_money is not None and unit > scale.risk_money:
            yield Measure(
                rule="order_risk",
                state="cannot_be_met",
                symbol=symbol,
                value=unit / base * HUNDRED,
                bound=scale.risk_pct,
                order_id=order.id,
                detail=f"one costs {plain(round(unit, 2))}, "
                f"the bound is {plain(round(scale.risk_money, 2))}",
            )
        before_value, before_qty = held.get(symbol, (ZERO, ZERO))
        if _adds(order, state.positions):
            yield from scale.measure(
                "position", "would_be", symbol, before_value + value, before_qty + qty, order.id
            )


class _Scale:
    """Bounds as money, and values as per cent."""

    def __init__(self, bounds: Bounds, base: Decimal, equity: Decimal) -> None:
        self._bounds = bounds
        self._base = base
        self._equity = equity
        self.risk_pct = ZERO if bounds.risk_pct is None else bounds.risk_pct
        self.risk_money: Decimal | None = None
        if bounds.risk_pct is not None and base > 0:
            self.risk_money = base * bounds.risk_pct / HUNDRED

    def measure(
        self,
        subject: Literal["position", "order"],
        state: AlertState,
        symbol: str,
        value: Decimal,
        qty: Decimal,
        order_id: str | None = None,
    ) -> Iterator[Measure]:
        """Risk and contracts of one order or position."""
        if self.risk_money is not None:
            of_equity = value / self._equity * HUNDRED if self._equity > 0 else None
            yield Measure(
                rule="position_risk" if subject == "position" else "order_risk",
                state=state,
                symbol=symbol,
                value=value / self._base * HUNDRED,
                bound=self.risk_pct,
                of_equity_pct=of_equity,
                order_id=order_id,
            )
        if self._bounds.max_contracts is not None and shares_of(symbol) > 1:
            yield Measure(
                rule="position_contracts" if subject == "position" else "order_contracts",
                state=state,
                symbol=symbol,
                value=qty,
                bound=Decimal(self._bounds.max_contracts),
                order_id=order_id,
            )


def make_alert(record: Record, found: Measure, now: float) -> Alert:
    """The alert of a value that is over its bound."""
    return Alert(
        account_id=str(record.profile.label),
        tier=record.profile.tier,
        rule=found.rule,
        state=found.state,
        symbol=found.symbol,
        value=format_value(found.value),
        bound=format_value(found.bound),
        of_equity_pct=None if found.of_equity_pct is None else format_value(found.of_equity_pct),
        worst=format_value(found.value),
        since=now,
        order_id=found.order_id,
        detail=found.detail,
    )


def format_value(value: Decimal) -> str:
    """Four decimals."""
    return plain(round(value, 4))


def share_of_bound(alert: Alert) -> Decimal:
    """The value as a part of its bound."""
    return number(alert.value) / (number(alert.bound) or Decimal(1))


def _kind(symbol: str, asset_class: str | None) -> str:
    if shares_of(symbol) > 1 or asset_class == "us_option":
        return "options"
    return "crypto" if (asset_class or "").startswith("crypto") else "stocks"


def _position_value(position: Position) -> Decimal:
    value = number(position.market_value)
    if value:
        return abs(value)
    price = number(position.current_price) or number(position.avg_entry_price)
    return abs(number(position.qty)) * price * shares_of(position.symbol)


def _order_value(order: Order, price: Decimal) -> tuple[Decimal, Decimal, Decimal] | None:
    """What is left of an order: its value, its quantity, and the value of one; None if unknown."""
    named = number(order.limit_price) or number(order.stop_price) or price
    symbol = position_symbol(order.symbol or "")
    unit = named * shares_of(symbol)
    if order.qty is not None:
        left = number(order.qty) - number(order.filled_qty)
        return (left * unit, left, unit) if left > 0 and unit > 0 else None
    amount = number(order.notional)
    return (amount, amount / named if named else ZERO, ZERO) if amount > 0 else None


def _adds(order: Order, positions: Mapping[Symbol, Position]) -> bool:
    """Whether an order would make a position larger."""
    if (order.position_intent or "").endswith("_to_close"):
        return False
    position = positions.get(position_symbol(order.symbol or ""))
    held = ZERO if position is None else number(position.qty)
    return held == 0 or (held > 0) == (order.side == "buy")
