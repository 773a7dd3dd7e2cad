"""Checks of an order against the account: shares, buying power, permissions, wash trades."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import compute_balances, reserve
from realtime.simulator.exchange.decimals import ZERO, format_decimal, is_whole, round_to_cents
from realtime.simulator.exchange.errors import (
    ApiError,
    forbidden,
    malformed,
    unprocessable,
)
from realtime.simulator.exchange.orders.availability import available_qty, closing_orders
from realtime.simulator.exchange.orders.option_cover import check_cover
from realtime.simulator.exchange.orders.order import BUY, LIMIT, SELL, Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.venue.assets import Asset

_LEVEL_TO_BUY = 2


def check_may_trade(account: Account) -> None:
    """Raise ApiError while trading is suspended by the user."""
    if account.configuration.suspend_trade:
        raise forbidden("new orders are rejected by user request")


def check_client_order_id(account: Account, client_order_id: str | None) -> None:
    """Raise ApiError for a client order id that was used before."""
    if client_order_id is not None and client_order_id in account.by_client_order_id:
        raise malformed("client_order_id must be unique")


def check_order(
    state: ExchangeState, account: Account, order: Order, *, replacing: Order | None = None
) -> None:
    """Raise ApiError for missing shares, permission or money; `replacing` is the replaced order."""
    asset = order.asset
    price = state.prices.last[asset.symbol]
    _check_fractions(account, order)
    held = account.get_qty(asset)
    if (order.is_buy and held < 0) or (not order.is_buy and held > 0):
        _check_available(account, order, price, replacing)
        if asset.is_option and not order.is_buy:
            check_cover(state, account, order, replacing=replacing)
    else:
        _check_one_side(account, order, replacing)
    if not order.is_buy and held <= 0:
        _check_sell_to_open(state, account, order, price, replacing)
    if asset.is_option and order.is_buy and account.options_level < _LEVEL_TO_BUY:
        raise forbidden("account not eligible for level 2 options trading")
    if order.order_class in ("", "simple") and not asset.is_option:
        check_wash_trade(account, order, replacing)
    check_buying_power(state, account, order, replacing=replacing)


def position_intent(account: Account, asset: Asset, side: str, requested: str | None) -> str:
    """Return the position intent; raises ApiError if the request specifies another one."""
    held = account.get_qty(asset)
    if side == BUY:
        inferred = "buy_to_close" if held < 0 else "buy_to_open"
    else:
        inferred = "sell_to_close" if held > 0 else "sell_to_open"
    if asset.is_crypto and side == SELL:
        inferred = "sell_to_close"
    if requested is not None and requested != inferred:
        raise unprocessable(
            f"position intent mismatch, inferred: {inferred}, specified: {requested}"
        )
    return inferred


def check_buying_power(
    state: ExchangeState, account: Account, order: Order, *, replacing: Order | None = None
) -> None:
    """Set the order's reservation; raise ApiError if it exceeds the buying power."""
    last = state.prices.last
    reserve(order, last[order.asset.symbol])
    cost = order.reserved
    if not cost:
        return
    power = compute_balances(account, last, replacing=replacing).buying_power_for(order.asset)
    if cost <= power:
        return
    if order.asset.is_crypto:
        raise _insufficient_balance("USD", cost, power)
    raise insufficient_buying_power(power, cost)


def insufficient_buying_power(buying_power: Decimal, cost_basis: Decimal) -> ApiError:
    """Return the 403 of an order that costs more than the account may spend."""
    return forbidden(
        "insufficient buying power",
        buying_power=format_decimal(buying_power),
        cost_basis=format_decimal(cost_basis),
    )


def insufficient_qty(
    account: Account, asset: Asset, requested: Decimal, available: Decimal, related: list[str]
) -> ApiError:
    """Return the 403 of an order that closes more than is available."""
    held = abs(account.get_qty(asset))
    return forbidden(
        f"insufficient qty available for order (requested: {format_decimal(requested)}, "
        f"available: {format_decimal(available)})",
        available=format_decimal(available),
        existing_qty=format_decimal(held),
        held_for_orders=format_decimal(held - available),
        related_orders=related,
        symbol=asset.symbol,
    )


def check_wash_trade(account: Account, order: Order, replacing: Order | None = None) -> None:
    """Raise ApiError for an order that could trade with another one of the account."""
    for other in account.open_orders.values():
        if other.asset is not order.asset or other.side == order.side or other is replacing:
            continue
        if other.status == "held" or not _could_meet(order, other):
            continue
        kind = "limit" if other.type == LIMIT else "market/stop"
        raise forbidden(
            "potential wash trade detected. use complex orders",
            existing_order_id=other.id,
            reject_reason=f"opposite side {kind} order exists",
        )


def _check_one_side(account: Account, order: Order, replacing: Order | None) -> None:
    """Raise ApiError for an order that opens the other side than an open order does.

    The broker rejects it whatever the prices (Alpaca-API#82; still reported in 2026).
    """
    opposite = "sell_to_open" if order.is_buy else "buy_to_open"
    for other in account.open_orders.values():
        if other.asset is not order.asset or other is replacing or other.status == "held":
            continue
        if order.asset.is_equity and other.position_intent == opposite:
            wanted, existing = ("long buy", "short sell")[:: 1 if order.is_buy else -1]
            raise forbidden(f"cannot open a {wanted} while a {existing} order is open")


def _could_meet(order: Order, other: Order) -> bool:
    if order.type != LIMIT or other.type != LIMIT:
        return True
    bid, ask = (order, other) if order.is_buy else (other, order)
    assert bid.limit_price is not None
    assert ask.limit_price is not None
    return bid.limit_price >= ask.limit_price


def _check_fractions(account: Account, order: Order) -> None:
    asset = order.asset
    is_fractional = order.notional is not None or (
        order.qty is not None and not is_whole(order.qty)
    )
    if not is_fractional or not asset.is_equity:
        return
    if not asset.fractionable:
        raise forbidden(f"asset {asset.symbol} is not fractionable")
    if not account.configuration.fractional_trading:
        raise forbidden("account is not enabled for fractional trading")
    if not order.is_buy and account.get_qty(asset) <= 0:
        raise unprocessable("fractional orders cannot be sold short")


def _check_available(
    account: Account, order: Order, price: Decimal, replacing: Order | None
) -> None:
    asset = order.asset
    requested = order.remaining(price)
    available = available_qty(account, asset, price, replacing)
    if requested <= available:
        return
    if asset.is_crypto:
        raise _insufficient_balance(asset.symbol.split("/")[0], requested, available)
    related = [o.id for o in closing_orders(account, asset, replacing)]
    raise insufficient_qty(account, asset, requested, available, related)


def _check_sell_to_open(
    state: ExchangeState, account: Account, order: Order, price: Decimal, replacing: Order | None
) -> None:
    asset = order.asset
    if asset.is_crypto:
        raise _insufficient_balance(asset.symbol.split("/")[0], order.remaining(price), ZERO)
    if asset.is_option:
        check_cover(state, account, order, replacing=replacing)
        return
    if not account.may_short:
        raise forbidden("account is not allowed to short")
    if not asset.shortable:
        raise unprocessable(f'asset "{asset.symbol}" cannot be sold short')


def _insufficient_balance(coin: str, requested: Decimal, available: Decimal) -> ApiError:
    requested = round_to_cents(requested) if coin == "USD" else requested
    return forbidden(
        f"insufficient balance for {coin} (requested: {format_decimal(requested)}, "
        f"available: {format_decimal(available)})",
        available=format_decimal(available),
        balance=format_decimal(available),
        symbol=coin,
    )
