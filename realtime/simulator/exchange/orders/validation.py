"""Validation of order requests by type, class and asset class. All errors are 422."""

from decimal import Decimal

from realtime.simulator.exchange.decimals import ONE, format_decimal, is_whole
from realtime.simulator.exchange.errors import malformed, unprocessable
from realtime.simulator.exchange.orders.order import (
    BUY,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
)
from realtime.simulator.exchange.orders.order_request import OrderRequest
from realtime.simulator.exchange.venue.assets import Asset, min_order_size

# type → (prices it must have, prices it may have)
_PRICES = {
    MARKET: (),
    LIMIT: ("limit_price",),
    STOP: ("stop_price",),
    STOP_LIMIT: ("limit_price", "stop_price"),
    TRAILING_STOP: (),
}
# The broker's internal names of the order classes, used in its messages.
_INNER_CLASS = {"bracket": "otoco", "oco": "oco", "oto": "oto"}
_MIN_NOTIONAL = ONE
_MAX_DECIMALS = 9
_CENT = Decimal("0.01")


def check_shape(request: OrderRequest, asset: Asset) -> None:
    """Raise ApiError for an order that the asset, type or class does not allow."""
    _check_size(request)
    _check_prices(request)
    if asset.is_crypto:
        _check_crypto(request, asset)
    elif asset.is_option:
        _check_option(request)
    else:
        _check_equity(request)
    for name in ("limit_price", "stop_price", "take_profit_limit", "stop_loss_stop"):
        price = getattr(request, name)
        if price is not None:
            check_increment(asset, _FIELD_NAMES.get(name, name), price)
    if request.stop_loss_limit is not None:
        check_increment(asset, "stop_loss.limit_price", request.stop_loss_limit)


_FIELD_NAMES = {
    "take_profit_limit": "take_profit.limit_price",
    "stop_loss_stop": "stop_loss.stop_price",
}


def check_increment(asset: Asset, name: str, price: Decimal) -> None:
    """Raise ApiError for a price off the tick: cents from a dollar up, else hundredths of cents."""
    decimals = _MAX_DECIMALS if asset.is_crypto else 2 if price >= ONE else 4
    if price != round(price, decimals):
        raise unprocessable(
            f"invalid {name} {format_decimal(price)}. sub-penny increment does not fulfill"
            " minimum pricing criteria"
        )


def check_exits(request: OrderRequest, base: Decimal) -> None:
    """Raise ApiError for exits on the wrong side of `base`, the entry or market price."""
    limit, stop = request.take_profit_limit, request.stop_loss_stop
    is_long = (request.side == "buy") != (request.order_class == "oco")
    sign = 1 if is_long else -1
    if limit is not None and stop is not None and sign * (limit - stop) <= 0:
        relation = ">" if is_long else "<"
        raise unprocessable(
            f"take_profit.limit_price must be {relation} stop_loss.stop_price",
        )
    if limit is not None and request.order_class != "oco" and sign * (limit - base) < _CENT:
        relation, sign_word = (">=", "+") if is_long else ("<=", "-")
        raise unprocessable(
            f"take_profit.limit_price must be {relation} base_price {sign_word} 0.01",
            base_price=format_decimal(base),
            limit_price=format_decimal(limit),
        )
    if stop is not None and sign * (base - stop) < _CENT:
        relation, sign_word = ("<=", "-") if is_long else (">=", "+")
        raise unprocessable(
            f"stop_loss.stop_price must be {relation} base_price {sign_word} 0.01",
            base_price=format_decimal(base),
            stop_price=format_decimal(stop),
        )


def _check_size(request: OrderRequest) -> None:
    if request.qty is None and request.notional is None:
        raise malformed("qty or notional is required")
    if request.qty is not None and request.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if request.qty is not None and request.qty != round(request.qty, _MAX_DECIMALS):
        raise unprocessable(f"qty can only have up to {_MAX_DECIMALS} decimal places")
    if request.notional is not None and request.notional != round(request.notional, 2):
        raise unprocessable("notional value must be limited to 2 decimal places")


def _check_prices(request: OrderRequest) -> None:
    # The take-profit's limit is the limit of a one-cancels-other order.
    needs_none = request.order_class == "oco" and request.take_profit_limit is not None
    for name in _PRICES[request.type]:
        if getattr(request, name) is None and not (needs_none and name == "limit_price"):
            raise unprocessable(f"{request.type.replace('_', ' ')} orders require {_words(name)}")
    for name in ("limit_price", "stop_price"):
        if getattr(request, name) is not None and name not in _PRICES[request.type]:
            raise unprocessable(f"{request.type} orders must not have {name}")
    trails = [p for p in (request.trail_price, request.trail_percent) if p is not None]
    if request.type == TRAILING_STOP and len(trails) != 1:
        raise unprocessable("trailing stop orders require either trail_price or trail_percent")
    if request.type != TRAILING_STOP and trails:
        raise unprocessable(f"{request.type} orders must not have trail_price or trail_percent")
    if request.trail_percent is not None and request.trail_percent >= 100:
        raise unprocessable("trail_percent must be < 100")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _check_crypto(request: OrderRequest, asset: Asset) -> None:
    if not request.is_simple:
        name = _INNER_CLASS.get(request.order_class, request.order_class)
        raise unprocessable(f"crypto orders not allowed for advanced order_class: {name}")
    if request.type not in (MARKET, LIMIT, STOP_LIMIT):
        raise unprocessable("invalid order type for crypto order")
    if request.time_in_force not in ("gtc", "ioc"):
        raise unprocessable("invalid crypto time_in_force")
    if request.extended_hours:
        raise unprocessable("extended hours not supported for crypto orders")
    least = min_order_size(asset)
    # A remainder of a coin may always be sold.
    if request.side == BUY and request.qty is not None and request.qty < least:
        raise unprocessable(f"qty must be >= {format_decimal(least)}")
    if request.notional is not None and request.notional < _MIN_NOTIONAL:
        raise unprocessable("notional amount must be >= 1.00")


def _check_option(request: OrderRequest) -> None:
    if not request.is_simple:
        raise unprocessable("complex orders not supported for options trading")
    if request.type not in (MARKET, LIMIT):
        raise unprocessable("invalid order type for options trading")
    if request.time_in_force != "day":
        raise unprocessable("invalid time in force for options trading")
    if request.extended_hours:
        raise unprocessable("extended hours not supported for options trading")
    if request.notional is not None:
        raise unprocessable("notional orders not supported for options trading")
    if request.qty is not None and not is_whole(request.qty):
        raise unprocessable("qty must be integer for options trading")


def _check_equity(request: OrderRequest) -> None:
    may_extend = request.type == LIMIT and request.time_in_force in ("day", "gtc")
    if request.extended_hours and not may_extend:
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if request.time_in_force in ("opg", "cls") and request.type not in (MARKET, LIMIT):
        raise unprocessable(f"{request.time_in_force} orders must be market or limit orders")
    if request.type == TRAILING_STOP and request.time_in_force not in ("day", "gtc"):
        raise unprocessable("trailing stop orders must be DAY or GTC orders")
    if request.notional is not None and request.notional < _MIN_NOTIONAL:
        raise unprocessable("notional amount must be >= 1.00")
    if _is_fractional(request):
        _check_fractional(request)
    if not request.is_simple:
        _check_complex(request)


def _is_fractional(request: OrderRequest) -> bool:
    return request.notional is not None or (request.qty is not None and not is_whole(request.qty))


def _check_fractional(request: OrderRequest) -> None:
    if request.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if not request.is_simple:
        raise unprocessable("fractional orders must be simple orders")
    if request.type == TRAILING_STOP:
        raise unprocessable("fractional orders cannot be trailing stop orders")


def _check_complex(request: OrderRequest) -> None:
    name = request.order_class
    if request.time_in_force not in ("day", "gtc"):
        raise unprocessable("complex orders must be DAY or GTC orders")
    if request.extended_hours:
        raise unprocessable("complex orders not supported in extended hours")
    if request.type == TRAILING_STOP:
        raise unprocessable("trailing stop orders must be simple orders")
    has_profit = request.take_profit_limit is not None
    has_loss = request.stop_loss_stop is not None
    if name == "oco" and request.type != LIMIT:
        raise unprocessable("oco orders must be limit orders")
    if name == "bracket" and not has_profit:
        raise unprocessable("bracket orders require take_profit.limit_price")
    if name == "oco" and not has_profit and request.limit_price is None:
        raise unprocessable("oco orders require take_profit.limit_price")
    if name in ("bracket", "oco") and not has_loss:
        raise unprocessable(f"{name} orders require stop_loss.stop_price")
    if name == "oto" and has_profit == has_loss:
        raise unprocessable("oto orders require either take_profit or stop_loss")
