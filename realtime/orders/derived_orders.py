"""Orders that follow from what is there: what closes a position, what a replacement makes."""

from decimal import ROUND_DOWN, Decimal

from realtime.core.decimals import number, plain
from realtime.core.model import Order, Position
from realtime.orders.errors import malformed
from realtime.orders.order_request import Leg, OrderChanges, OrderRequest, Side

NANO = Decimal("0.000000001")


def closing_order(
    position: Position, *, qty: Decimal | None = None, percentage: Decimal | None = None
) -> OrderRequest:
    """The market order that closes a position, or part of it. Raises `Declined`."""
    held = abs(number(position.qty))
    if qty is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    wanted = held
    if qty is not None:
        wanted = qty
    elif percentage is not None:
        if not 0 < percentage <= 100:
            raise malformed("percentage must be between 0 and 100")
        step = NANO if held % 1 else Decimal(1)
        wanted = (held * percentage / 100).quantize(step, ROUND_DOWN)
    if not 0 < wanted <= held:
        raise malformed(f"qty must be > 0 and at most {plain(held)}, got {plain(wanted)}")
    is_coin = position.asset_class == "crypto"
    return OrderRequest(
        symbol=_order_symbol(position),
        qty=wanted,
        side="sell" if number(position.qty) > 0 else "buy",
        type="market",
        time_in_force="gtc" if is_coin else "day",
    )


def changed(order: Order, changes: OrderChanges) -> OrderRequest:
    """What an order will be after a replacement, as far as guards look at it."""
    is_multileg = order.order_class == "mleg"
    legs = tuple(
        Leg(symbol=leg.symbol or "", side=_side(leg.side), ratio_qty=_ratio(leg, order))
        for leg in order.legs or ()
    )
    qty = changes.qty or (number(order.qty) if order.qty else None)
    return OrderRequest(
        symbol=None if is_multileg else order.symbol,
        qty=qty,
        notional=None if qty is not None else number(order.notional),
        side=None if is_multileg else _side(order.side),
        type="limit",
        time_in_force="day",
        limit_price=changes.limit_price or _price(order.limit_price),
        stop_price=changes.stop_price or _price(order.stop_price),
        order_class="mleg" if is_multileg else "",
        legs=legs if is_multileg else None,
    )


QUOTES = ("USDT", "USDC", "USD", "BTC")
"""What coins are paid in; the longest first."""


def _order_symbol(position: Position) -> str:
    """Spell a position's symbol as orders do: `ETHUSD` is traded as `ETH/USD`."""
    if position.asset_class == "crypto" and "/" not in position.symbol:
        for quote in QUOTES:
            if position.symbol.endswith(quote):
                return f"{position.symbol.removesuffix(quote)}/{quote}"
    return position.symbol


def _side(side: str | None) -> Side:
    return "sell" if side == "sell" else "buy"


def _ratio(leg: Order, order: Order) -> Decimal:
    """How many of a leg go into one of the whole."""
    return number(leg.qty) / number(order.qty) if leg.qty and order.qty else Decimal(1)


def _price(text: str | None) -> Decimal | None:
    return number(text) if text else None
