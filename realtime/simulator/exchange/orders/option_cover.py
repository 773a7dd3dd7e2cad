"""Written options never stand alone: shares or a bought call under a call, cash under a put."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import count_money
from realtime.simulator.exchange.decimals import ZERO
from realtime.simulator.exchange.errors import forbidden
from realtime.simulator.exchange.orders.availability import (
    CONTRACT_SHARES,
    available_qty,
    contract_balance,
)
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.venue.assets import Contract

_UNCOVERED = "account not eligible to trade uncovered option contracts"


def check_cover(
    floor: Floor, account: Account, order: Order, *, without: Order | None = None
) -> None:
    """Refuse to sell an option if a written one were bare then; `without` is being replaced."""
    terms, sold = order.asset.contract, order.qty or ZERO
    assert terms is not None
    is_closing = order.position_intent == "sell_to_close"
    bare = _bared(account, terms, sold, without) if is_closing else sold
    may_write = is_closing or account.options_level >= 1
    if not may_write or (bare and not _is_secured(floor, account, terms, bare, without)):
        raise forbidden(_UNCOVERED)


def check_spread_cover(floor: Floor, account: Account, legs: list[Order]) -> None:
    """Refuse a spread that sells what a written option outside of it leans on."""
    sold: dict[tuple[str, bool], Decimal] = {}
    for leg in legs:
        terms = leg.asset.contract
        assert terms is not None
        kind = (terms.underlying, terms.is_call)
        sold[kind] = sold.get(kind, ZERO) - leg.signed(leg.qty or ZERO)
    for leg in legs:
        terms = leg.asset.contract
        assert terms is not None
        bare = _bared(account, terms, sold[terms.underlying, terms.is_call], None)
        if bare and not _is_secured(floor, account, terms, bare, None):
            raise forbidden(_UNCOVERED)


def _bared(account: Account, terms: Contract, sold: Decimal, without: Order | None) -> Decimal:
    """Return how many written contracts lose their cover when bought ones are sold."""
    balance = contract_balance(account, terms.underlying, is_call=terms.is_call, without=without)
    return max(sold - max(balance, ZERO), ZERO)


def _is_secured(
    floor: Floor, account: Account, terms: Contract, contracts: Decimal, without: Order | None
) -> bool:
    """Tell whether free shares (under a call) or free money (under a put) cover the contracts."""
    last, shares = floor.prices.last, contracts * CONTRACT_SHARES
    if not terms.is_call:
        money = count_money(account, last, without=without)
        return money.options_buying_power >= terms.strike * shares
    stock = floor.listing.by_symbol[terms.underlying]
    if account.held(stock) <= 0:
        return False
    return available_qty(account, stock, last[stock.symbol], without) >= shares
