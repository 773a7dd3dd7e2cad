"""A position after an execution, as far as the stream shows it.

Exact from the stream: quantity and side; intraday also the average price (a running weighted
average; unchanged by a reduction; the execution's price after a turn through zero). The rest is
computed from the last price we know and stays provisional until REST is read: overnight the
broker's books turn to compressed FIFO, and only REST knows previous closes.

Source: Alpaca "Position Average Entry Price Calculation".
"""

from decimal import Decimal

from msgspec import structs

from realtime.core.decimals import ZERO, number, plain
from realtime.core.model import Order, Position, Symbol

OPTION_MULTIPLIER = 100
RATIO_PLACES = Decimal("1e-16")
MAX_RATIO_EXPONENT = 10
"""Above it, sixteen decimals do not fit into a decimal's 28 digits."""


def after_execution(
    old: Position | None, order: Order, symbol: Symbol, *, position_qty: str, qty: str, price: str
) -> Position | None:
    """The position when an execution of `qty` at `price` made it `position_qty`; None when flat."""
    now_held, before = number(position_qty), number(old.qty) if old else ZERO
    if now_held == 0:
        return None
    bare = old or Position(
        asset_id=order.asset_id, symbol=symbol, asset_class=order.asset_class, qty="0"
    )
    average = _average(bare, before, now_held, number(qty), number(price))
    last = bare.current_price or price
    each = OPTION_MULTIPLIER if bare.asset_class == "us_option" else 1
    cost, value = now_held * average * each, now_held * number(last) * each
    gain = value - cost
    return structs.replace(
        bare,
        qty=plain(now_held),
        side="long" if now_held > 0 else "short",
        avg_entry_price=plain(average),
        current_price=last,
        qty_available=_available(bare, before, now_held),
        market_value=plain(value),
        cost_basis=plain(cost),
        unrealized_pl=plain(gain),
        unrealized_plpc=plain(_ratio(gain, cost)) if cost else None,
    )


def _average(
    old: Position, before: Decimal, after: Decimal, qty: Decimal, price: Decimal
) -> Decimal:
    if before == 0 or (before > 0) != (after > 0):
        return price
    known = number(old.avg_entry_price)
    if abs(after) <= abs(before) or qty == 0:
        return known
    return (known * abs(before) + price * qty) / (abs(before) + qty)


def _available(old: Position, before: Decimal, after: Decimal) -> str:
    """What opens is free at once; what closes was held by the closing order already."""
    if before != 0 and (before > 0) == (after > 0) and abs(after) < abs(before):
        free = number(old.qty_available)
        return plain(free if abs(free) <= abs(after) else after)
    return plain(number(old.qty_available) + (after - before) if before * after >= 0 else after)


def _ratio(gain: Decimal, cost: Decimal) -> Decimal:
    ratio = gain / abs(cost)
    return ratio.quantize(RATIO_PLACES) if ratio.adjusted() <= MAX_RATIO_EXPONENT else ratio
