"""Orders that follow from others: what closes a position, what a replacement results in."""

from decimal import ROUND_DOWN, Decimal
from typing import get_args

from realtime.core.decimals import number, plain
from realtime.core.model import Order, Position
from realtime.orders import validation
from realtime.orders.errors import malformed
from realtime.orders.order_request import (
    Leg,
    OrderChanges,
    OrderRequest,
    OrderType,
    Side,
    TimeInForce,
)
from realtime.orders.symbols import add_slash, get_symbol_kind

NANO = Decimal("0.000000001")


def build_closing_order(
    position: Position, *, qty: Decimal | None = None, percentage: Decimal | None = None
) -> OrderRequest:
    """Return the market order that closes a position, or part of it. Raises `Declined`."""
    held = abs(number(position.qty))
    if qty is not None and percentage is not None:
        raise malformed("only one of qty or percentage is accepted")
    closing_qty = held
    if qty is not None:
        closing_qty = qty
    elif percentage is not None:
        if not 0 < percentage <= 100:
            raise malformed("percentage must be between 0 and 100")
        step = NANO if held % 1 else Decimal(1)
        closing_qty = (held * percentage / 100).quantize(step, ROUND_DOWN)
    if not 0 < closing_qty <= held:
        raise malformed(f"qty must be > 0 and at most {plain(held)}, got {plain(closing_qty)}")
    is_coin = position.asset_class == "crypto"
    return OrderRequest(
        symbol=add_slash(position.symbol) if is_coin else position.symbol,
        qty=closing_qty,
        side="sell" if number(position.qty) > 0 else "buy",
        type="market",
        time_in_force="gtc" if is_coin else "day",
    )


def build_replacement(order: Order, changes: OrderChanges) -> OrderRequest:
    """Return the order that a replacement results in. Raises `Declined` if it is not possible."""
    if order.order_class == "mleg":
        return _build_multileg(order, changes)
    by_amount = order.qty is None and order.notional is not None
    if changes.notional is not None and not by_amount:
        raise malformed("an order by quantity cannot be replaced by an amount", field="notional")
    if changes.qty is not None and by_amount:
        raise malformed("an order by amount cannot be replaced by a quantity", field="qty")
    trails_by_price = order.trail_price is not None
    trail = changes.trail
    order_type = order.type or order.order_type
    if trail is not None and order_type != "trailing_stop":
        raise malformed("only a trailing stop has a trail", field="trail")
    result = OrderRequest(
        symbol=order.symbol,
        qty=None if by_amount else changes.qty or _parse(order.qty),
        notional=(changes.notional or _parse(order.notional)) if by_amount else None,
        side=_get_side(order.side),
        type=_get_type(order_type),
        time_in_force=changes.time_in_force or _get_time_in_force(order.time_in_force),
        limit_price=_first(changes.limit_price, order.limit_price),
        stop_price=_first(changes.stop_price, order.stop_price),
        trail_price=_first(trail, order.trail_price) if trails_by_price else None,
        trail_percent=None if trails_by_price else _first(trail, order.trail_percent),
    )
    _check_replaced_prices(order, changes, result)
    return result


def _check_replaced_prices(order: Order, changes: OrderChanges, result: OrderRequest) -> None:
    """Raise `Declined` for a price that the order's type does not have.

    Only the changed prices are checked: the others are as the broker accepted them, and a leg of a
    bracket may have a form that no new order has.
    """
    if (order.type or order.order_type) not in get_args(OrderType):
        return
    for name in ("limit_price", "stop_price"):
        if getattr(changes, name) is not None and name not in validation.PRICES[result.type]:
            raise malformed(f"a {result.type} order has no {name}", field=name)
    kind = get_symbol_kind(order.symbol or "", order.asset_class)
    if changes.limit_price is not None and changes.limit_price <= 0:
        raise malformed("limit_price must be > 0")
    if changes.qty is not None and kind == "option" and changes.qty % 1:
        raise malformed("options are traded in a whole qty", field="qty")


def _build_multileg(order: Order, changes: OrderChanges) -> OrderRequest:
    for name in ("notional", "trail", "stop_price"):
        if getattr(changes, name) is not None:
            raise malformed(f"a multi-leg order has no {name}", field=name)
    if changes.qty is not None and changes.qty % 1:
        raise malformed("mleg orders require a whole qty", field="qty")
    return OrderRequest(
        qty=changes.qty or _parse(order.qty),
        type=_get_type(order.type or order.order_type),
        time_in_force=changes.time_in_force or _get_time_in_force(order.time_in_force),
        limit_price=_first(changes.limit_price, order.limit_price),
        order_class="mleg",
        legs=tuple(
            Leg(
                symbol=leg.symbol or "",
                side=_get_side(leg.side),
                ratio_qty=_get_ratio(leg, order),
            )
            for leg in order.legs or ()
        ),
    )


def _first(change: Decimal | None, text: str | None) -> Decimal | None:
    return change if change is not None else _parse(text)


def _parse(text: str | None) -> Decimal | None:
    return number(text) if text else None


def _get_side(side: str | None) -> Side:
    return "sell" if side == "sell" else "buy"


def _get_type(name: str | None) -> OrderType:
    """An unknown type counts as a market order: no price of it bounds what it is worth."""
    known: tuple[OrderType, ...] = get_args(OrderType)
    return next((known_type for known_type in known if known_type == name), "market")


def _get_time_in_force(name: str | None) -> TimeInForce:
    known: tuple[TimeInForce, ...] = get_args(TimeInForce)
    return next((value for value in known if value == name), "day")


def _get_ratio(leg: Order, order: Order) -> Decimal:
    """Return how many of a leg are in one of the whole order."""
    leg_qty, qty = number(leg.qty), number(order.qty)
    return leg_qty / qty if leg_qty and qty else Decimal(1)
