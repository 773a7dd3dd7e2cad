"""Balances of an account: equity, margin requirements, buying power.

Cash and market values are exact; requirements and buying powers are rounded to cents.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.position import Position
from realtime.simulator.exchange.decimals import ZERO, round_to_cents
from realtime.simulator.exchange.orders.order import LIMIT, STOP_LIMIT, Order
from realtime.simulator.exchange.venue.assets import Asset

_HALF = Decimal("0.5")
_LONG_RATE = Decimal("0.3")
_LONG_FULL_BELOW = Decimal("2.5")
_SHORT_RATE = Decimal("0.3")
_SHORT_LOW_BELOW = Decimal(5)
_MIN_SHORT = Decimal(5)
_SHORT_LEAST_LOW = Decimal("2.5")
_SHORT_COLLAR = Decimal("1.03")
# A market buy reserves more than the last price: 4 % below 50 dollars, 2.5 % above.
_COLLAR_BELOW = Decimal(50)
_WIDE_COLLAR = Decimal("1.04")
_NARROW_COLLAR = Decimal("1.025")


class Balances(msgspec.Struct, frozen=True, kw_only=True):
    """Balances of an account at one time."""

    cash: Decimal
    long_market_value: Decimal
    short_market_value: Decimal
    equity: Decimal
    initial_margin: Decimal
    maintenance_margin: Decimal
    buying_power: Decimal
    regt_buying_power: Decimal
    options_buying_power: Decimal
    non_marginable_buying_power: Decimal

    def buying_power_for(self, asset: Asset) -> Decimal:
        """Return the buying power that pays for this kind of asset."""
        if asset.is_crypto:
            return self.non_marginable_buying_power
        return self.buying_power if asset.is_equity else self.options_buying_power


class _HoldingTotals(NamedTuple):
    """Values and margin requirements of the holdings; `written` is part of both margins."""

    long_value: Decimal
    short_value: Decimal
    initial: Decimal
    maintenance: Decimal
    written: Decimal


def compute_balances(
    account: Account, last: Mapping[str, Decimal], *, replacing: Order | None = None
) -> Balances:
    """Return the balances; the reservation of `replacing` is left out."""
    multiplier = account.multiplier
    totals = _total_holdings(account, last, multiplier)
    equity = account.cash + totals.long_value + totals.short_value
    on_margin, in_full = _reserved(account, replacing)
    overnight = min(multiplier, 2)
    regt = max(equity - totals.initial, ZERO) * overnight
    gross = _gross_power(account, regt, totals.written, multiplier)
    # Paid in full is without margin: a dollar uses `multiplier` dollars of buying power.
    regt_left = regt - on_margin - in_full * overnight
    own = min(account.cash, max(equity, ZERO)) - totals.written
    return Balances(
        cash=account.cash,
        long_market_value=totals.long_value,
        short_market_value=totals.short_value,
        equity=equity,
        initial_margin=totals.initial,
        maintenance_margin=totals.maintenance,
        buying_power=_spendable(gross - on_margin - in_full * multiplier),
        regt_buying_power=_spendable(regt_left),
        options_buying_power=_spendable(regt_left / overnight),
        non_marginable_buying_power=_spendable(own - on_margin - in_full),
    )


def _gross_power(account: Account, regt: Decimal, written: Decimal, multiplier: int) -> Decimal:
    if multiplier == 1:
        return account.cash - written
    if multiplier == 2:
        return regt
    last_close = account.last_close
    opened = max(exposure(account) - last_close.exposure, ZERO)
    equity = last_close.equity + account.deposits_today
    return 4 * (equity - last_close.maintenance_margin) - opened


def _total_holdings(
    account: Account, last: Mapping[str, Decimal], multiplier: int
) -> _HoldingTotals:
    long_value = short_value = initial = maintenance = written = ZERO
    has_written_options = False
    for position in account.positions.values():
        qty, asset = position.qty, position.asset
        if not qty:
            continue
        price = last[asset.symbol]
        value = qty * price * asset.multiplier
        if qty > 0:
            long_value += value
        else:
            short_value += value
        if asset.is_option and qty < 0:
            has_written_options = True
            continue
        is_on_margin = asset.marginable and multiplier > 1
        initial += abs(value) * _HALF if is_on_margin else abs(value)
        maintenance += _maintenance(asset, qty, price, value)
    if has_written_options:
        written = _written_options(account.holdings())
    initial, maintenance = round_to_cents(initial + written), round_to_cents(maintenance + written)
    return _HoldingTotals(long_value, short_value, initial, maintenance, written)


def exposure(account: Account) -> Decimal:
    """Return the holdings' use of fourfold buying power; independent of prices.

    Positions on margin use their cost, positions paid in full four times that.
    """
    holdings = account.holdings()
    bought = [p for p in holdings if not (p.asset.is_option and p.qty < 0)]
    taken = sum((abs(p.cost_basis) * (1 if p.asset.marginable else 4) for p in bought), ZERO)
    return taken if len(bought) == len(holdings) else taken + 4 * _written_options(holdings)


def collar(price: Decimal) -> Decimal:
    """Return the factor above a price at which a market buy stops."""
    return _WIDE_COLLAR if price < _COLLAR_BELOW else _NARROW_COLLAR


def reserve(order: Order, last: Decimal) -> None:
    """Set an order's reservation: only orders that open a position have one."""
    order.reserve_price = _reserve_price(order, last) * order.asset.multiplier
    update_reservation(order)


def update_reservation(order: Order) -> None:
    """Recompute the reservation after a fill or a change of quantity."""
    if not order.reserve_price:
        return
    if order.qty is None:
        order.reserved = max((order.notional or ZERO) - order.filled_value, ZERO)
    else:
        order.reserved = round_to_cents((order.qty - order.filled_qty) * order.reserve_price)


def _reserve_price(order: Order, last: Decimal) -> Decimal:
    if order.position_intent.endswith("_to_close") or order.status == "held":
        return ZERO
    if not order.is_buy:
        if order.asset.is_equity:
            return max(order.limit_price or ZERO, last * _SHORT_COLLAR)
        terms = order.asset.contract  # a written put is secured by its strike, a call by shares
        return ZERO if terms is None or terms.is_call else terms.strike
    if order.type in (LIMIT, STOP_LIMIT) and order.limit_price is not None:
        return order.limit_price
    base = max(order.stop_price or ZERO, last)
    return base * collar(base)


def reserve_net(order: Order, net: Decimal) -> None:
    """Set a multi-leg order's reservation: its debit; none for a credit."""
    order.reserve_price = max(net, ZERO) * order.asset.multiplier
    update_reservation(order)


def _reserved(account: Account, replacing: Order | None) -> tuple[Decimal, Decimal]:
    """Return the reservations of open orders: on margin, and paid in full."""
    on_margin = in_full = ZERO
    for order in account.open_orders.values():
        if order.reserved and order is not replacing:
            if order.asset.is_equity:
                on_margin += order.reserved
            else:
                in_full += order.reserved
    return on_margin, in_full


def _maintenance(asset: Asset, qty: Decimal, price: Decimal, value: Decimal) -> Decimal:
    if not asset.marginable:
        return abs(value)
    if qty > 0:
        return value * _LONG_RATE if price >= _LONG_FULL_BELOW else value
    if price >= _SHORT_LOW_BELOW:
        return -qty * max(_MIN_SHORT, price * _SHORT_RATE)
    return -qty * max(_SHORT_LEAST_LOW, price)


def _written_options(holdings: Iterable[Position]) -> Decimal:
    """Return the requirement of written options, reduced by bought ones of the same kind."""
    held = [p for p in holdings if p.asset.is_option]
    total = ZERO
    for short in held:
        if short.qty < 0:
            total += _uncovered(short, held)
    return total


def _uncovered(short: Position, held: list[Position]) -> Decimal:
    terms = short.asset.contract
    assert terms is not None
    left, cost = -short.qty, ZERO
    for cover in held:
        other = cover.asset.contract
        if cover.qty <= 0 or other is None or not left:
            continue
        if (other.underlying, other.is_call) != (terms.underlying, terms.is_call):
            continue
        paired = min(left, cover.qty)
        width = other.strike - terms.strike if terms.is_call else terms.strike - other.strike
        cost += paired * max(width, ZERO) * short.asset.multiplier
        left -= paired
    # A written put without cover is secured by its strike, a written call by the shares.
    return cost + (ZERO if terms.is_call else left * terms.strike * short.asset.multiplier)


def _spendable(amount: Decimal) -> Decimal:
    return round_to_cents(max(amount, ZERO))
