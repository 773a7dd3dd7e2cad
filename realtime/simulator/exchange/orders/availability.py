"""Available quantity: not claimed by open orders, not locked under written calls."""

from collections.abc import Iterator
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import ONE, ZERO
from realtime.simulator.exchange.orders.order import BUY, SELL, Order
from realtime.simulator.exchange.venue.assets import Asset, Contract

# A contract covers a hundred shares.
CONTRACT_SHARES = Decimal(100)


def closing_orders(account: Account, asset: Asset, replacing: Order | None = None) -> list[Order]:
    """Return the open orders that would reduce the position; a held leg claims no shares."""
    side = SELL if account.get_qty(asset) > 0 else BUY
    return [
        order
        for order in account.open_orders.values()
        if order.asset is asset
        and order.side == side
        and order.status != "held"
        and order is not replacing
    ]


def available_qty(
    account: Account, asset: Asset, price: Decimal, replacing: Order | None = None
) -> Decimal:
    """Return the unsigned available quantity; `replacing` is an order being replaced."""
    claimed = sum((o.remaining(price) for o in closing_orders(account, asset, replacing)), ZERO)
    return max(
        abs(account.get_qty(asset)) - claimed - locked_shares(account, asset, replacing), ZERO
    )


def locked_shares(account: Account, asset: Asset, replacing: Order | None = None) -> Decimal:
    """Return the shares locked by written calls on a stock, open orders included."""
    if "has_options" not in asset.attributes or account.get_qty(asset) <= 0:
        return ZERO
    calls = max(-contract_balance(account, asset.symbol, is_call=True, replacing=replacing), ZERO)
    for order in _option_orders(account, asset.symbol, is_call=True):
        if order.position_intent == "sell_to_open" and order is not replacing:
            calls += order.remaining(ONE)
    return calls * CONTRACT_SHARES


def contract_balance(
    account: Account, underlying: str, *, is_call: bool, replacing: Order | None = None
) -> Decimal:
    """Return bought minus written contracts: below zero, some are uncovered.

    A bought contract that is being sold covers nothing any more; a written one that is being
    bought back needs no cover.
    """
    balance = ZERO
    for position in account.holdings():
        if _is_of(position.asset.contract, underlying, is_call=is_call):
            balance += position.qty
    for order in _option_orders(account, underlying, is_call=is_call):
        if order.position_intent.endswith("_to_close") and order is not replacing:
            balance += order.signed(order.remaining(ONE))
    return balance


def _option_orders(account: Account, underlying: str, *, is_call: bool) -> Iterator[Order]:
    """Yield open single-leg orders of an underlying: the legs of a spread cover each other."""
    for order in account.open_orders.values():
        if order.parent is None and _is_of(order.asset.contract, underlying, is_call=is_call):
            yield order


def _is_of(terms: Contract | None, underlying: str, *, is_call: bool) -> bool:
    return terms is not None and (terms.underlying, terms.is_call) == (underlying, is_call)
