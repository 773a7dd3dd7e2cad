"""Cover of written options: shares or a bought call for a call, cash for a put."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import compute_balances
from realtime.simulator.exchange.decimals import ZERO
from realtime.simulator.exchange.errors import forbidden
from realtime.simulator.exchange.orders.availability import (
    CONTRACT_SHARES,
    available_qty,
    contract_balance,
)
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.venue.assets import Contract

_UNCOVERED = "account not eligible to trade uncovered option contracts"


def check_cover(
    state: ExchangeState, account: Account, order: Order, *, replacing: Order | None = None
) -> None:
    """Raise ApiError if selling leaves a written option uncovered; `replacing` is replaced."""
    terms, sold = order.asset.contract, order.qty or ZERO
    assert terms is not None
    is_closing = order.position_intent == "sell_to_close"
    uncovered = _count_uncovered(account, terms, sold, replacing) if is_closing else sold
    may_write = is_closing or account.options_level >= 1
    if not may_write or (
        uncovered and not _is_secured(state, account, terms, uncovered, replacing)
    ):
        raise forbidden(_UNCOVERED)


def check_spread_cover(state: ExchangeState, account: Account, legs: list[Order]) -> None:
    """Raise ApiError for a spread that sells the cover of another written option."""
    sold: dict[tuple[str, bool], Decimal] = {}
    for leg in legs:
        terms = leg.asset.contract
        assert terms is not None
        kind = (terms.underlying, terms.is_call)
        sold[kind] = sold.get(kind, ZERO) - leg.signed(leg.qty or ZERO)
    for leg in legs:
        terms = leg.asset.contract
        assert terms is not None
        uncovered = _count_uncovered(account, terms, sold[terms.underlying, terms.is_call], None)
        if uncovered and not _is_secured(state, account, terms, uncovered, None):
            raise forbidden(_UNCOVERED)


def _count_uncovered(
    account: Account, terms: Contract, sold: Decimal, replacing: Order | None
) -> Decimal:
    """Return how many written contracts become uncovered when bought ones are sold."""
    balance = contract_balance(
        account, terms.underlying, is_call=terms.is_call, replacing=replacing
    )
    return max(sold - max(balance, ZERO), ZERO)


def _is_secured(
    state: ExchangeState,
    account: Account,
    terms: Contract,
    contracts: Decimal,
    replacing: Order | None,
) -> bool:
    """Return whether free shares (call) or free money (put) cover the contracts."""
    last, shares = state.prices.last, contracts * CONTRACT_SHARES
    if not terms.is_call:
        balances = compute_balances(account, last, replacing=replacing)
        return balances.options_buying_power >= terms.strike * shares
    stock = state.listing.by_symbol[terms.underlying]
    if account.get_qty(stock) <= 0:
        return False
    return available_qty(account, stock, last[stock.symbol], replacing) >= shares
