"""An account's money: what it is worth, what its holdings tie up, what it may still spend.

Cash and market values are exact; requirements and buying powers are rounded to cents.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from realtime.simulator.exchange.accounts import Account
from realtime.simulator.exchange.assets import Asset
from realtime.simulator.exchange.decimals import ONE, ZERO, cents
from realtime.simulator.exchange.orders import LIMIT, STOP_LIMIT, Order
from realtime.simulator.exchange.positions import Position

_HALF = Decimal("0.5")
_LONG_RATE = Decimal("0.3")
_LONG_FULL_BELOW = Decimal("2.5")
_SHORT_RATE = Decimal("0.3")
_SHORT_LOW_BELOW = Decimal(5)
_SHORT_LEAST = Decimal(5)
_SHORT_LEAST_LOW = Decimal("2.5")
_SHORT_COLLAR = Decimal("1.03")
# A market buy reserves more than the last price: 4 % below 50 dollars, 2.5 % above.
_COLLAR_BELOW = Decimal(50)
_WIDE_COLLAR = Decimal("1.04")
_NARROW_COLLAR = Decimal("1.025")


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of an account at one moment."""

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

    def power_for(self, asset: Asset) -> Decimal:
        """Return the buying power that pays for this kind of asset."""
        if asset.is_crypto:
            return self.non_marginable_buying_power
        return self.buying_power if asset.is_equity else self.options_buying_power


def count_money(
    account: Account, last: Mapping[str, Decimal], *, without: Order | None = None
) -> Money:
    """Compute the figures; `without` leaves one order's reservation out: it is being replaced."""
    holdings = account.holdings()
    values = [p.market_value(last[p.asset.symbol]) for p in holdings]
    long_value = sum((v for v in values if v > 0), ZERO)
    short_value = sum((v for v in values if v < 0), ZERO)
    equity = account.cash + long_value + short_value
    multiplier = account.multiplier
    initial = cents(sum(_initial(p, last, multiplier) for p in holdings) + _short_options(holdings))
    maintenance = cents(
        sum((_maintenance(p, last[p.asset.symbol]) for p in holdings), ZERO)
        + _short_options(holdings)
    )
    on_margin, in_full = _reserved(account, last, without)
    regt = max(equity - initial, ZERO) * min(multiplier, 2)
    gross = {
        1: account.cash,
        2: regt,
        4: 4 * (account.yesterday.equity - account.yesterday.maintenance_margin)
        - max(exposure(account) - account.yesterday.exposure, ZERO),
    }[multiplier]
    # Paid in full means without the multiplier's help: a dollar costs `multiplier` of power.
    held_back = on_margin + in_full * multiplier
    return Money(
        cash=account.cash,
        long_market_value=long_value,
        short_market_value=short_value,
        equity=equity,
        initial_margin=initial,
        maintenance_margin=maintenance,
        buying_power=_spendable(gross - held_back),
        regt_buying_power=_spendable(regt - held_back),
        options_buying_power=_spendable((regt - held_back) / min(multiplier, 2)),
        non_marginable_buying_power=_spendable(
            min(account.cash, max(equity, ZERO)) - on_margin - in_full
        ),
    )


def exposure(account: Account) -> Decimal:
    """Return the sum of |cost basis| of all holdings: it does not move with prices."""
    return sum((abs(p.cost_basis) for p in account.holdings()), ZERO)


def reserve_price(order: Order, last: Decimal) -> Decimal:
    """Return the price at which an open order's cost is held back."""
    if not order.is_buy:
        return max(order.limit_price or ZERO, last * _SHORT_COLLAR)
    if order.type in (LIMIT, STOP_LIMIT) and order.limit_price is not None:
        return order.limit_price
    base = max(order.stop_price or ZERO, last)
    return base * collar(base)


def collar(price: Decimal) -> Decimal:
    """Return the factor above a price at which a market buy stops."""
    return _WIDE_COLLAR if price < _COLLAR_BELOW else _NARROW_COLLAR


def reservation(order: Order, last: Decimal) -> Decimal:
    """Return the dollars an order holds back: only orders that open something do."""
    if order.position_intent.endswith("_to_close") or order.status == "held":
        return ZERO
    if order.asset.is_crypto and not order.is_buy:
        return ZERO
    if order.notional is not None:
        return max(order.notional - order.filled_value, ZERO)
    if order.asset.is_option and not order.is_buy:
        return ZERO
    price = reserve_price(order, last)
    return cents(order.remaining(price) * price * order.asset.multiplier)


def _reserved(
    account: Account, last: Mapping[str, Decimal], without: Order | None
) -> tuple[Decimal, Decimal]:
    on_margin, in_full = ZERO, ZERO
    for order in account.open_orders.values():
        if order is without:
            continue
        if order.asset.is_equity:
            on_margin += reservation(order, last[order.asset.symbol])
        elif order.is_multileg:
            in_full += multileg_reservation(order)
        elif order.parent is None:
            in_full += reservation(order, last[order.asset.symbol])
    return on_margin, in_full


def multileg_reservation(order: Order) -> Decimal:
    """Return the debit of a multi-leg order; a credit holds nothing back."""
    net = order.limit_price or ZERO
    return max(net, ZERO) * order.remaining(net) * order.asset.multiplier


def _initial(position: Position, last: Mapping[str, Decimal], multiplier: int) -> Decimal:
    asset = position.asset
    if asset.is_option and position.qty < 0:
        return ZERO  # counted with its covering legs
    value = abs(position.market_value(last[asset.symbol]))
    rate = _HALF if asset.is_equity and asset.marginable and multiplier > 1 else ONE
    return value * rate


def _maintenance(position: Position, price: Decimal) -> Decimal:
    asset = position.asset
    if not (asset.is_equity and asset.marginable):
        return abs(position.market_value(price)) if position.qty > 0 else ZERO
    if position.qty > 0:
        rate = _LONG_RATE if price >= _LONG_FULL_BELOW else ONE
        return position.market_value(price) * rate
    if price >= _SHORT_LOW_BELOW:
        return -position.qty * max(_SHORT_LEAST, price * _SHORT_RATE)
    return -position.qty * max(_SHORT_LEAST_LOW, price)


def _short_options(holdings: Iterable[Position]) -> Decimal:
    """Return what written options tie up, less what bought ones of the same kind cover."""
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
    return cents(max(amount, ZERO))
