"""The last day of an option: worthless ones vanish, the others turn into shares at the strike.

None of it is an event on the stream: OPEXP, OPEXC and OPASN are found in the activities only.
"""

from datetime import date
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import ZERO, plain
from realtime.simulator.exchange.orders.groups import end_group
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.venue.assets import Asset, Contract


def expire_contracts(floor: Floor, day: date) -> None:
    """Settle and retire every contract whose last day this is."""
    for asset in floor.listing.options():
        terms = asset.contract
        if terms is None or terms.expiry > day:
            continue
        for account in floor.accounts.values():
            for order in list(account.open_orders.values()):
                if order.asset is asset and not order.is_terminal:
                    end_group(floor, account, order.parent or order, "expired")
            if account.held(asset):
                _settle(floor, account, asset, terms)
        floor.listing.retire(asset)


def _settle(floor: Floor, account: Account, asset: Asset, terms: Contract) -> None:
    position = account.position_of(asset)
    contracts = position.qty
    spot = floor.prices.last[terms.underlying]
    is_in_money = spot > terms.strike if terms.is_call else spot < terms.strike
    kind = "OPEXP" if not is_in_money else "OPEXC" if contracts > 0 else "OPASN"
    at = account.identity.stamp()
    position.adjust(-contracts, ZERO)
    account.note_flow(at, asset.symbol, -contracts)
    account.journal.record(
        kind,
        at,
        account.identity.uuid(),
        net_amount="0",
        symbol=asset.symbol,
        qty=plain(-contracts),
        description="option expired" if kind == "OPEXP" else "option settled in shares",
    )
    if is_in_money:
        shares = contracts * asset.multiplier * (1 if terms.is_call else -1)
        _deliver(floor, account, terms, shares)


def _deliver(floor: Floor, account: Account, terms: Contract, shares: Decimal) -> None:
    stock = floor.listing.by_symbol[terms.underlying]
    at = account.identity.stamp()
    cash = -shares * terms.strike
    account.position_of(stock).adjust(shares, terms.strike)
    account.cash += cash
    account.note_flow(at, stock.symbol, shares, cash=cash)
    account.journal.record(
        "OPTRD",
        at,
        account.identity.uuid(),
        net_amount=plain(cash),
        symbol=stock.symbol,
        qty=plain(shares),
        price=plain(terms.strike),
        description="shares delivered for options",
    )
