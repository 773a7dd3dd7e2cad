"""What an order trades, symbol by symbol: a multi-leg order has one part for each leg, any other
order one. Closes are reserved and counted by part.
"""

from decimal import Decimal

from msgspec import Struct

from realtime.core.model import Symbol, position_symbol
from realtime.orders.order_request import Leg, OrderRequest, Side

ONE = Decimal(1)


class OrderPart(Struct, frozen=True, kw_only=True):
    """One symbol that an order trades."""

    symbol: Symbol
    """As positions are named."""
    side: Side
    qty: Decimal | None
    """None: an amount in dollars."""
    is_close: bool
    """Whether it may only reduce a position."""
    ratio: Decimal = ONE
    """How much of it is traded for one of the order."""


def split_order(request: OrderRequest) -> tuple[OrderPart, ...]:
    """The parts of a valid order."""
    if request.legs:
        return tuple(_make_leg(leg, request.qty or ONE) for leg in request.legs)
    if request.symbol is None or request.side is None:
        return ()
    return (
        OrderPart(
            symbol=position_symbol(request.symbol),
            side=request.side,
            qty=request.qty,
            is_close=request.closes_position,
        ),
    )


def _make_leg(leg: Leg, qty: Decimal) -> OrderPart:
    intent, ratio = leg.position_intent or "", leg.ratio_qty or ONE
    is_sale = leg.side == "sell" or (leg.side is None and intent.startswith("sell"))
    return OrderPart(
        symbol=position_symbol(leg.symbol),
        side="sell" if is_sale else "buy",
        qty=qty * ratio,
        is_close=intent.endswith("_to_close"),
        ratio=ratio,
    )
