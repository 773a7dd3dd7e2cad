"""Expiry of options: worthless ones are removed, others settle in shares at the strike.

Nothing is sent on the stream: OPEXP, OPEXC and OPASN are in the activities only.
"""

from datetime import date
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import ZERO, format_decimal
from realtime.simulator.exchange.orders.groups import close_group
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.venue.assets import Asset, Contract


def expire_contracts(state: ExchangeState, day: date) -> None:
    """Settle and retire every contract whose last day this is."""
    for asset in state.listing.options():
        terms = asset.contract
        if terms is None or terms.expiry > day:
            continue
        for account in state.accounts.values():
            for order in list(account.open_orders.values()):
                if order.asset is asset and not order.is_terminal:
                    close_group(state, account, order.parent or order, "expired")
            if account.get_qty(asset):
                _settle(state, account, asset, terms)
        state.listing.retire(asset)


def _settle(state: ExchangeState, account: Account, asset: Asset, terms: Contract) -> None:
    position = account.position_of(asset)
    contracts = position.qty
    spot = state.prices.last[terms.underlying]
    is_in_money = spot > terms.strike if terms.is_call else spot < terms.strike
    kind = "OPEXP" if not is_in_money else "OPEXC" if contracts > 0 else "OPASN"
    at = account.ids.next_time()
    position.adjust(-contracts, ZERO)
    account.record_flow(at, asset.symbol, -contracts)
    account.activity_log.record(
        kind,
        at,
        account.ids.uuid(),
        net_amount="0",
        symbol=asset.symbol,
        qty=format_decimal(-contracts),
        description="option expired" if kind == "OPEXP" else "option settled in shares",
    )
    if is_in_money:
        shares = contracts * asset.multiplier * (1 if terms.is_call else -1)
        _deliver(state, account, terms, shares)


def _deliver(state: ExchangeState, account: Account, terms: Contract, shares: Decimal) -> None:
    stock = state.listing.by_symbol[terms.underlying]
    at = account.ids.next_time()
    cash = -shares * terms.strike
    account.position_of(stock).adjust(shares, terms.strike)
    account.cash += cash
    account.record_flow(at, stock.symbol, shares, cash=cash)
    account.activity_log.record(
        "OPTRD",
        at,
        account.ids.uuid(),
        net_amount=format_decimal(cash),
        symbol=stock.symbol,
        qty=format_decimal(shares),
        price=format_decimal(terms.strike),
        description="shares delivered for options",
    )
