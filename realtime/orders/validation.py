"""Which orders are possible, by type, class and kind of asset: refused before the broker sees them.

Only what is certain without a market or an account is decided here; everything else (money, shares,
steps of price, permissions) is the broker's to say. Source: Alpaca's orders reference.
"""

import re
from decimal import Decimal
from typing import Literal

from realtime.orders.errors import malformed, unprocessable
from realtime.orders.order_request import Leg, OrderChanges, OrderRequest

AssetKind = Literal["stock", "option", "crypto", "mleg"]

OPTION = re.compile(r"[A-Z0-9.]{1,6}[0-9]{6}[CP][0-9]{8}")
"""Root, date, call or put, strike × 1000: the OCC's symbol without spaces."""

MAX_LEGS = 4
NOTIONAL_STEP = Decimal("0.01")

PRICES: dict[str, tuple[str, ...]] = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": (),
}
"""type → the prices that it must have, and no others"""


def asset_kind(ticket: OrderRequest) -> AssetKind:
    """What is traded, as far as the order itself tells: a coin's pair has a slash."""
    if ticket.order_class == "mleg":
        return "mleg"
    symbol = ticket.symbol or ""
    return "crypto" if "/" in symbol else "option" if OPTION.fullmatch(symbol) else "stock"


def underlying(symbol: str) -> str:
    """The stock that an option is about; any other symbol as it is."""
    return symbol[:-15] if OPTION.fullmatch(symbol) else symbol


def check(ticket: OrderRequest) -> None:
    """Raise `Declined` for an order that no broker would take."""
    kind = asset_kind(ticket)
    _check_identity(ticket, kind)
    _check_size(ticket)
    _check_prices(ticket, kind)
    match kind:
        case "mleg":
            _check_legs(ticket)
        case "crypto":
            _check_crypto(ticket)
        case "option":
            _check_option(ticket)
        case "stock":
            _check_stock(ticket)


def check_changes(changes: OrderChanges) -> None:
    """Raise `Declined` for a replacement that changes nothing, or to nothing possible."""
    given = {name: getattr(changes, name) for name in changes.__struct_fields__}
    if all(value is None for name, value in given.items() if name != "client_order_id"):
        raise malformed("nothing to change: give qty, limit_price, stop_price, trail, …")
    for name in ("qty", "notional", "stop_price", "trail"):
        _positive(name, given[name])
    if changes.limit_price is not None and not changes.limit_price:
        raise malformed("limit_price must not be 0")


def _check_identity(ticket: OrderRequest, kind: AssetKind) -> None:
    if kind == "mleg":
        for name in ("symbol", "side", "position_intent"):
            if getattr(ticket, name) is not None:
                raise malformed(f"{name} belongs into the legs of an mleg order")
        return
    if ticket.legs is not None:
        raise malformed("legs are for order_class mleg only")
    if ticket.symbol is None:
        raise malformed("symbol is required")
    if ticket.side is None:
        raise malformed("side is required")
    if ticket.position_intent and not ticket.position_intent.startswith(ticket.side):
        raise unprocessable("side and position_intent do not match")


def _check_size(ticket: OrderRequest) -> None:
    if ticket.qty is None and ticket.notional is None:
        raise malformed("qty or notional is required")
    if ticket.qty is not None and ticket.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    _positive("qty", ticket.qty)
    _positive("notional", ticket.notional)
    if ticket.qty is not None and _decimals(ticket.qty) > 9:
        raise unprocessable("qty can only have up to 9 decimal places")
    if ticket.notional is not None and ticket.notional % NOTIONAL_STEP:
        raise unprocessable("notional value must be limited to 2 decimal places")


def _check_prices(ticket: OrderRequest, kind: AssetKind) -> None:
    # A one-cancels-other order may leave its limit to its take-profit.
    lent = ticket.order_class == "oco" and ticket.take_profit is not None
    for name in PRICES[ticket.type]:
        if getattr(ticket, name) is None and not (lent and name == "limit_price"):
            raise unprocessable(f"{ticket.type} orders require {name}")
    for name in ("limit_price", "stop_price"):
        if getattr(ticket, name) is not None and name not in PRICES[ticket.type]:
            raise unprocessable(f"{ticket.type} orders must not have {name}")
    trails = [p for p in (ticket.trail_price, ticket.trail_percent) if p is not None]
    if ticket.type == "trailing_stop" and len(trails) != 1:
        raise unprocessable("trailing_stop orders require either trail_price or trail_percent")
    if ticket.type != "trailing_stop" and trails:
        raise unprocessable(f"{ticket.type} orders must not have trail_price or trail_percent")
    for name in ("stop_price", "trail_price", "trail_percent"):
        _positive(name, getattr(ticket, name))
    if kind != "mleg":  # whose net limit is negative for a credit
        _positive("limit_price", ticket.limit_price)
    if ticket.take_profit is not None:
        _positive("take_profit.limit_price", ticket.take_profit.limit_price)
    if ticket.stop_loss is not None:
        _positive("stop_loss.stop_price", ticket.stop_loss.stop_price)
        _positive("stop_loss.limit_price", ticket.stop_loss.limit_price)


def _check_legs(ticket: OrderRequest) -> None:
    legs = ticket.legs or ()
    if not 2 <= len(legs) <= MAX_LEGS:
        raise unprocessable(f"mleg orders must have between 2 and {MAX_LEGS} legs")
    if len({leg.symbol for leg in legs}) != len(legs):
        raise unprocessable("mleg order legs must have unique symbols")
    for leg in legs:
        _check_leg(leg)
    if ticket.type not in ("market", "limit") or ticket.time_in_force != "day":
        raise unprocessable("mleg orders must be DAY orders of type market or limit")
    if ticket.qty is None or ticket.qty % 1:
        raise unprocessable("mleg orders require a whole qty")
    _check_simple(ticket, "mleg orders")


def _check_leg(leg: Leg) -> None:
    if not OPTION.fullmatch(leg.symbol):
        raise unprocessable(f"mleg orders are for options only: {leg.symbol}")
    if leg.side is None and leg.position_intent is None:
        raise malformed("a leg requires side or position_intent")
    if leg.side and leg.position_intent and not leg.position_intent.startswith(leg.side):
        raise unprocessable("leg side and position_intent do not match")
    if leg.ratio_qty < 1 or leg.ratio_qty % 1:
        raise unprocessable("leg ratio_qty must be a whole number")


def _check_crypto(ticket: OrderRequest) -> None:
    if ticket.order_class not in ("", "simple"):
        raise unprocessable(
            f"crypto orders not allowed for advanced order_class: {ticket.order_class}"
        )
    if ticket.type not in ("market", "limit", "stop_limit"):
        raise unprocessable("invalid order type for crypto order")
    if ticket.time_in_force not in ("gtc", "ioc"):
        raise unprocessable("invalid crypto time_in_force")
    _check_simple(ticket, "crypto orders")


def _check_option(ticket: OrderRequest) -> None:
    if ticket.order_class not in ("", "simple"):
        raise unprocessable("complex orders not supported for options trading")
    if ticket.type not in ("market", "limit"):
        raise unprocessable("invalid order type for options trading")
    if ticket.time_in_force != "day":
        raise unprocessable("invalid time in force for options trading")
    if ticket.qty is None or ticket.qty % 1:
        raise unprocessable("options are traded in a whole qty")
    _check_simple(ticket, "options orders")


def _check_stock(ticket: OrderRequest) -> None:
    extends = ticket.type == "limit" and ticket.time_in_force in ("day", "gtc")
    if ticket.extended_hours and not extends:
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if ticket.time_in_force in ("opg", "cls") and ticket.type not in ("market", "limit"):
        raise unprocessable(f"{ticket.time_in_force} orders must be market or limit orders")
    if ticket.type == "trailing_stop" and ticket.time_in_force not in ("day", "gtc"):
        raise unprocessable("trailing stop orders must be DAY or GTC orders")
    is_simple = ticket.order_class in ("", "simple")
    if ticket.notional is not None or (ticket.qty is not None and ticket.qty % 1):
        if ticket.time_in_force != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if not is_simple or ticket.type == "trailing_stop":
            raise unprocessable("fractional orders must be simple orders")
    if is_simple:
        _check_simple(ticket, "simple orders", may_extend=True)
    else:
        _check_complex(ticket)


def _check_complex(ticket: OrderRequest) -> None:
    name, profit, loss = ticket.order_class, ticket.take_profit, ticket.stop_loss
    if ticket.time_in_force not in ("day", "gtc") or ticket.extended_hours:
        raise unprocessable("complex orders must be DAY or GTC orders of regular hours")
    if ticket.type == "trailing_stop":
        raise unprocessable("trailing stop orders must be simple orders")
    if name == "oco" and ticket.type != "limit":
        raise unprocessable("oco orders must be limit orders")
    if name == "bracket" and profit is None:
        raise unprocessable("bracket orders require take_profit.limit_price")
    if name in ("bracket", "oco") and loss is None:
        raise unprocessable(f"{name} orders require stop_loss.stop_price")
    if name == "oto" and (profit is None) == (loss is None):
        raise unprocessable("oto orders require either take_profit or stop_loss")
    if profit is not None and loss is not None:
        is_long = (ticket.side == "buy") != (name == "oco")
        if (profit.limit_price - loss.stop_price) * (1 if is_long else -1) <= 0:
            relation = ">" if is_long else "<"
            raise unprocessable(f"take_profit.limit_price must be {relation} stop_loss.stop_price")


def _check_simple(ticket: OrderRequest, whose: str, *, may_extend: bool = False) -> None:
    if ticket.take_profit is not None or ticket.stop_loss is not None:
        raise unprocessable(f"{whose} must not have take_profit or stop_loss")
    if ticket.extended_hours and not may_extend:
        raise unprocessable(f"extended hours not supported for {whose}")


def _positive(name: str, value: Decimal | None) -> None:
    if value is not None and value <= 0:
        raise malformed(f"{name} must be > 0")


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    assert isinstance(exponent, int), "numbers were checked to be finite"
    return max(0, -exponent)
