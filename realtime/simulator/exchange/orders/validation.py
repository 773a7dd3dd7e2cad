"""What an order may look like, by its type, class and kind of asset. All refusals are 422."""

from decimal import Decimal

from realtime.simulator.exchange.decimals import ONE, is_whole, plain
from realtime.simulator.exchange.errors import malformed, unprocessable
from realtime.simulator.exchange.orders.order import (
    BUY,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
)
from realtime.simulator.exchange.orders.order_request import Ticket
from realtime.simulator.exchange.venue.assets import Asset, min_order_size

# type → (prices it must have, prices it may have)
_PRICES = {
    MARKET: (),
    LIMIT: ("limit_price",),
    STOP: ("stop_price",),
    STOP_LIMIT: ("limit_price", "stop_price"),
    TRAILING_STOP: (),
}
# The broker's inner names of the classes, which its messages use.
_INNER_CLASS = {"bracket": "otoco", "oco": "oco", "oto": "oto"}
_MIN_NOTIONAL = ONE
_MAX_DECIMALS = 9
_CENT = Decimal("0.01")


def check_shape(ticket: Ticket, asset: Asset) -> None:
    """Refuse an order that this asset, type or class does not allow."""
    _check_size(ticket)
    _check_prices(ticket)
    if asset.is_crypto:
        _check_crypto(ticket, asset)
    elif asset.is_option:
        _check_option(ticket)
    else:
        _check_equity(ticket)
    for name in ("limit_price", "stop_price", "take_profit_limit", "stop_loss_stop"):
        price = getattr(ticket, name)
        if price is not None:
            check_increment(asset, _FIELD_NAMES.get(name, name), price)
    if ticket.stop_loss_limit is not None:
        check_increment(asset, "stop_loss.limit_price", ticket.stop_loss_limit)


_FIELD_NAMES = {
    "take_profit_limit": "take_profit.limit_price",
    "stop_loss_stop": "stop_loss.stop_price",
}


def check_increment(asset: Asset, name: str, price: Decimal) -> None:
    """Refuse a price between two steps: cents from a dollar up, hundredths of cents below."""
    decimals = _MAX_DECIMALS if asset.is_crypto else 2 if price >= ONE else 4
    if price != round(price, decimals):
        raise unprocessable(
            f"invalid {name} {plain(price)}. sub-penny increment does not fulfill minimum pricing"
            " criteria"
        )


def check_exits(ticket: Ticket, base: Decimal) -> None:
    """Refuse exits on the wrong side; `base` is the price the entry, or the market, stands at."""
    limit, stop = ticket.take_profit_limit, ticket.stop_loss_stop
    is_long = (ticket.side == "buy") != (ticket.order_class == "oco")
    sign = 1 if is_long else -1
    if limit is not None and stop is not None and sign * (limit - stop) <= 0:
        relation = ">" if is_long else "<"
        raise unprocessable(
            f"take_profit.limit_price must be {relation} stop_loss.stop_price",
        )
    if limit is not None and ticket.order_class != "oco" and sign * (limit - base) < _CENT:
        relation, sign_word = (">=", "+") if is_long else ("<=", "-")
        raise unprocessable(
            f"take_profit.limit_price must be {relation} base_price {sign_word} 0.01",
            base_price=plain(base),
            limit_price=plain(limit),
        )
    if stop is not None and sign * (base - stop) < _CENT:
        relation, sign_word = ("<=", "-") if is_long else (">=", "+")
        raise unprocessable(
            f"stop_loss.stop_price must be {relation} base_price {sign_word} 0.01",
            base_price=plain(base),
            stop_price=plain(stop),
        )


def _check_size(ticket: Ticket) -> None:
    if ticket.qty is None and ticket.notional is None:
        raise malformed("qty or notional is required")
    if ticket.qty is not None and ticket.notional is not None:
        raise malformed("only one of qty or notional is accepted")
    if ticket.qty is not None and ticket.qty != round(ticket.qty, _MAX_DECIMALS):
        raise unprocessable(f"qty can only have up to {_MAX_DECIMALS} decimal places")
    if ticket.notional is not None and ticket.notional != round(ticket.notional, 2):
        raise unprocessable("notional value must be limited to 2 decimal places")


def _check_prices(ticket: Ticket) -> None:
    # The take-profit's limit stands in for the limit of a one-cancels-other order.
    needs_none = ticket.order_class == "oco" and ticket.take_profit_limit is not None
    for name in _PRICES[ticket.type]:
        if getattr(ticket, name) is None and not (needs_none and name == "limit_price"):
            raise unprocessable(f"{ticket.type.replace('_', ' ')} orders require {_words(name)}")
    for name in ("limit_price", "stop_price"):
        if getattr(ticket, name) is not None and name not in _PRICES[ticket.type]:
            raise unprocessable(f"{ticket.type} orders must not have {name}")
    trails = [p for p in (ticket.trail_price, ticket.trail_percent) if p is not None]
    if ticket.type == TRAILING_STOP and len(trails) != 1:
        raise unprocessable("trailing stop orders require either trail_price or trail_percent")
    if ticket.type != TRAILING_STOP and trails:
        raise unprocessable(f"{ticket.type} orders must not have trail_price or trail_percent")
    if ticket.trail_percent is not None and ticket.trail_percent >= 100:
        raise unprocessable("trail_percent must be < 100")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _check_crypto(ticket: Ticket, asset: Asset) -> None:
    if not ticket.is_simple:
        name = _INNER_CLASS.get(ticket.order_class, ticket.order_class)
        raise unprocessable(f"crypto orders not allowed for advanced order_class: {name}")
    if ticket.type not in (MARKET, LIMIT, STOP_LIMIT):
        raise unprocessable("invalid order type for crypto order")
    if ticket.time_in_force not in ("gtc", "ioc"):
        raise unprocessable("invalid crypto time_in_force")
    if ticket.extended_hours:
        raise unprocessable("extended hours not supported for crypto orders")
    least = min_order_size(asset)
    # What is left of a coin may always be sold.
    if ticket.side == BUY and ticket.qty is not None and ticket.qty < least:
        raise unprocessable(f"qty must be >= {plain(least)}")
    if ticket.notional is not None and ticket.notional < _MIN_NOTIONAL:
        raise unprocessable("notional amount must be >= 1.00")


def _check_option(ticket: Ticket) -> None:
    if not ticket.is_simple:
        raise unprocessable("complex orders not supported for options trading")
    if ticket.type not in (MARKET, LIMIT):
        raise unprocessable("invalid order type for options trading")
    if ticket.time_in_force != "day":
        raise unprocessable("invalid time in force for options trading")
    if ticket.extended_hours:
        raise unprocessable("extended hours not supported for options trading")
    if ticket.notional is not None:
        raise unprocessable("notional orders not supported for options trading")
    if ticket.qty is not None and not is_whole(ticket.qty):
        raise unprocessable("qty must be integer for options trading")


def _check_equity(ticket: Ticket) -> None:
    may_extend = ticket.type == LIMIT and ticket.time_in_force in ("day", "gtc")
    if ticket.extended_hours and not may_extend:
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if ticket.time_in_force in ("opg", "cls") and ticket.type not in (MARKET, LIMIT):
        raise unprocessable(f"{ticket.time_in_force} orders must be market or limit orders")
    if ticket.type == TRAILING_STOP and ticket.time_in_force not in ("day", "gtc"):
        raise unprocessable("trailing stop orders must be DAY or GTC orders")
    if ticket.notional is not None and ticket.notional < _MIN_NOTIONAL:
        raise unprocessable("notional amount must be >= 1.00")
    if _is_fractional(ticket):
        _check_fractional(ticket)
    if not ticket.is_simple:
        _check_complex(ticket)


def _is_fractional(ticket: Ticket) -> bool:
    return ticket.notional is not None or (ticket.qty is not None and not is_whole(ticket.qty))


def _check_fractional(ticket: Ticket) -> None:
    if ticket.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if not ticket.is_simple:
        raise unprocessable("fractional orders must be simple orders")
    if ticket.type == TRAILING_STOP:
        raise unprocessable("fractional orders cannot be trailing stop orders")


def _check_complex(ticket: Ticket) -> None:
    name = ticket.order_class
    if ticket.time_in_force not in ("day", "gtc"):
        raise unprocessable("complex orders must be DAY or GTC orders")
    if ticket.extended_hours:
        raise unprocessable("complex orders not supported in extended hours")
    if ticket.type == TRAILING_STOP:
        raise unprocessable("trailing stop orders must be simple orders")
    has_profit = ticket.take_profit_limit is not None
    has_loss = ticket.stop_loss_stop is not None
    if name == "oco" and ticket.type != LIMIT:
        raise unprocessable("oco orders must be limit orders")
    if name == "bracket" and not has_profit:
        raise unprocessable("bracket orders require take_profit.limit_price")
    if name == "oco" and not has_profit and ticket.limit_price is None:
        raise unprocessable("oco orders require take_profit.limit_price")
    if name in ("bracket", "oco") and not has_loss:
        raise unprocessable(f"{name} orders require stop_loss.stop_price")
    if name == "oto" and has_profit == has_loss:
        raise unprocessable("oto orders require either take_profit or stop_loss")
