"""Which orders are possible, by type, class and kind of asset: refused before the broker sees them.

Only what is certain without a market or an account is checked here. Money, shares, price
increments and permissions are the broker's to check. Source: Alpaca's orders reference.
"""

from decimal import Decimal

from realtime.orders.errors import malformed, unprocessable
from realtime.orders.numbers import count_decimals
from realtime.orders.order_request import Leg, OrderChanges, OrderRequest
from realtime.orders.symbols import OPTION, AssetKind, get_symbol_kind

MAX_LEGS = 4
NOTIONAL_STEP = Decimal("0.01")
MAX_QTY_DECIMALS = 9
SIMPLE = (None, "", "simple")
"""Values of `order_class` for an order without exits and legs."""

PRICES: dict[str, tuple[str, ...]] = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": (),
}
"""type → the prices that it must have, and no others"""


def get_asset_kind(request: OrderRequest, asset_class: str | None = None) -> AssetKind:
    """Return what is traded: by the broker's `asset_class` where known, else by the spelling."""
    if request.order_class == "mleg":
        return "mleg"
    return get_symbol_kind(request.symbol or "", asset_class)


def check(request: OrderRequest, asset_class: str | None = None) -> None:
    """Raise `Declined` for an order that the broker would not accept."""
    kind = get_asset_kind(request, asset_class)
    _check_identity(request, kind)
    _check_size(request)
    _check_prices(request, kind)
    match kind:
        case "mleg":
            _check_legs(request)
        case "crypto":
            _check_crypto(request)
        case "option":
            _check_option(request)
        case "stock":
            _check_stock(request)
        case "unclear":  # a stock or a coin: the broker decides
            pass


def check_changes(changes: OrderChanges) -> None:
    """Raise `Declined` for a replacement that changes nothing, or that no order can have."""
    values = {name: getattr(changes, name) for name in changes.__struct_fields__}
    if all(value is None for name, value in values.items() if name != "client_order_id"):
        raise malformed("nothing to change: set qty, limit_price, stop_price, trail, …")
    if changes.qty is not None and changes.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    for name in ("qty", "notional", "stop_price", "trail"):
        _check_positive(name, values[name])
    if changes.qty is not None and count_decimals(changes.qty) > MAX_QTY_DECIMALS:
        raise unprocessable(f"qty can only have up to {MAX_QTY_DECIMALS} decimal places")
    if changes.notional is not None and changes.notional % NOTIONAL_STEP:
        raise unprocessable("notional value must be limited to 2 decimal places")
    if changes.limit_price is not None and not changes.limit_price:
        raise malformed("limit_price must not be 0")


def _check_identity(request: OrderRequest, kind: AssetKind) -> None:
    if kind == "mleg":
        for name in ("symbol", "side", "position_intent"):
            if getattr(request, name) is not None:
                raise malformed(f"{name} belongs in the legs of an mleg order")
        return
    if request.legs is not None:
        raise malformed("legs are for order_class mleg only")
    if request.symbol is None:
        raise malformed("symbol is required")
    if request.side is None:
        raise malformed("side is required")
    if request.position_intent and not request.position_intent.startswith(request.side):
        raise unprocessable("side and position_intent do not match")


def _check_size(request: OrderRequest) -> None:
    if request.qty is None and request.notional is None:
        raise malformed("qty or notional is required")
    if request.qty is not None and request.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    _check_positive("qty", request.qty)
    _check_positive("notional", request.notional)
    if request.qty is not None and count_decimals(request.qty) > MAX_QTY_DECIMALS:
        raise unprocessable(f"qty can only have up to {MAX_QTY_DECIMALS} decimal places")
    if request.notional is not None and request.notional % NOTIONAL_STEP:
        raise unprocessable("notional value must be limited to 2 decimal places")


def _check_prices(request: OrderRequest, kind: AssetKind) -> None:
    # The limit of a one-cancels-other order may be that of its take-profit.
    has_other_limit = request.order_class == "oco" and request.take_profit is not None
    for name in PRICES[request.type]:
        if getattr(request, name) is None and not (has_other_limit and name == "limit_price"):
            raise unprocessable(f"{request.type} orders require {name}")
    for name in ("limit_price", "stop_price"):
        if getattr(request, name) is not None and name not in PRICES[request.type]:
            raise unprocessable(f"{request.type} orders must not have {name}")
    trails = [p for p in (request.trail_price, request.trail_percent) if p is not None]
    if request.type == "trailing_stop" and len(trails) != 1:
        raise unprocessable("trailing_stop orders require either trail_price or trail_percent")
    if request.type != "trailing_stop" and trails:
        raise unprocessable(f"{request.type} orders must not have trail_price or trail_percent")
    for name in ("stop_price", "trail_price", "trail_percent"):
        _check_positive(name, getattr(request, name))
    if kind != "mleg":  # its net limit is negative for a credit
        _check_positive("limit_price", request.limit_price)
    if request.take_profit is not None:
        _check_positive("take_profit.limit_price", request.take_profit.limit_price)
    if request.stop_loss is not None:
        _check_positive("stop_loss.stop_price", request.stop_loss.stop_price)
        _check_positive("stop_loss.limit_price", request.stop_loss.limit_price)


def _check_legs(request: OrderRequest) -> None:
    legs = request.legs or ()
    if not 2 <= len(legs) <= MAX_LEGS:
        raise unprocessable(f"mleg orders must have between 2 and {MAX_LEGS} legs")
    if len({leg.symbol for leg in legs}) != len(legs):
        raise unprocessable("mleg order legs must have unique symbols")
    for leg in legs:
        _check_leg(leg)
    if request.type not in ("market", "limit") or request.time_in_force != "day":
        raise unprocessable("mleg orders must be DAY orders of type market or limit")
    if request.qty is None or request.qty % 1:
        raise unprocessable("mleg orders require a whole qty")
    _check_simple(request, "mleg orders")


def _check_leg(leg: Leg) -> None:
    if not OPTION.fullmatch(leg.symbol):
        raise unprocessable(f"mleg orders are for options only: {leg.symbol}")
    if leg.side is None and leg.position_intent is None:
        raise malformed("a leg requires side or position_intent")
    if leg.side and leg.position_intent and not leg.position_intent.startswith(leg.side):
        raise unprocessable("leg side and position_intent do not match")
    if leg.ratio_qty is not None and (leg.ratio_qty < 1 or leg.ratio_qty % 1):
        raise unprocessable("leg ratio_qty must be a whole number")


def _check_crypto(request: OrderRequest) -> None:
    if request.order_class not in SIMPLE:
        raise unprocessable(
            "crypto orders not allowed for advanced order_class: "
            f"{'otoco' if request.order_class == 'bracket' else request.order_class}"
        )
    if request.type not in ("market", "limit", "stop_limit"):
        raise unprocessable("invalid order type for crypto order")
    if request.time_in_force not in ("gtc", "ioc"):
        raise unprocessable("invalid crypto time_in_force")
    _check_simple(request, "crypto orders")


def _check_option(request: OrderRequest) -> None:
    if request.order_class not in SIMPLE:
        raise unprocessable("complex orders not supported for options trading")
    if request.type not in ("market", "limit"):
        raise unprocessable("invalid order type for options trading")
    if request.time_in_force != "day":
        raise unprocessable("invalid time in force for options trading")
    if request.qty is None or request.qty % 1:
        raise unprocessable("options are traded in a whole qty")
    _check_simple(request, "options orders")


def _check_stock(request: OrderRequest) -> None:
    extends = request.type == "limit" and request.time_in_force in ("day", "gtc")
    if request.extended_hours and not extends:
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if request.time_in_force in ("opg", "cls") and request.type not in ("market", "limit"):
        raise unprocessable(f"{request.time_in_force} orders must be market or limit orders")
    if request.type == "trailing_stop" and request.time_in_force not in ("day", "gtc"):
        raise unprocessable("trailing stop orders must be DAY or GTC orders")
    is_simple = request.order_class in SIMPLE
    if request.notional is not None or (request.qty is not None and request.qty % 1):
        if request.time_in_force != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if not is_simple or request.type == "trailing_stop":
            raise unprocessable("fractional orders must be simple orders")
    if is_simple:
        _check_simple(request, "simple orders", may_extend=True)
    else:
        _check_complex(request)


def _check_complex(request: OrderRequest) -> None:
    name, profit, loss = request.order_class, request.take_profit, request.stop_loss
    if request.time_in_force not in ("day", "gtc") or request.extended_hours:
        raise unprocessable("complex orders must be DAY or GTC orders of regular hours")
    if request.type == "trailing_stop":
        raise unprocessable("trailing stop orders must be simple orders")
    if name == "oco" and request.type != "limit":
        raise unprocessable("oco orders must be limit orders")
    if name == "bracket" and profit is None:
        raise unprocessable("bracket orders require take_profit.limit_price")
    if name in ("bracket", "oco") and loss is None:
        raise unprocessable(f"{name} orders require stop_loss.stop_price")
    if name == "oto" and (profit is None) == (loss is None):
        raise unprocessable("oto orders require either take_profit or stop_loss")
    if profit is not None and loss is not None:
        is_long = (request.side == "buy") != (name == "oco")
        if (profit.limit_price - loss.stop_price) * (1 if is_long else -1) <= 0:
            relation = ">" if is_long else "<"
            raise unprocessable(f"take_profit.limit_price must be {relation} stop_loss.stop_price")


def _check_simple(request: OrderRequest, orders: str, *, may_extend: bool = False) -> None:
    if request.take_profit is not None or request.stop_loss is not None:
        raise unprocessable(f"{orders} must not have take_profit or stop_loss")
    if request.extended_hours and not may_extend:
        raise unprocessable(f"extended hours not supported for {orders}")


def _check_positive(name: str, value: Decimal | None) -> None:
    if value is not None and value <= 0:
        raise malformed(f"{name} must be > 0")
