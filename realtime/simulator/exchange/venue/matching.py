"""One matching step: which orders trade at the current prices, and how much of each.

An order trades at the last price. About one in ten takes several steps to fill.
"""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import collar
from realtime.simulator.exchange.decimals import ONE, floor_to_nano, is_whole
from realtime.simulator.exchange.orders.groups import close_group, trigger_stop_loss
from realtime.simulator.exchange.orders.lifecycle import close_order, set_working
from realtime.simulator.exchange.orders.multileg import match_multileg
from realtime.simulator.exchange.orders.order import (
    LIMIT,
    SELL,
    STOP,
    STOP_LIMIT,
    TRAILING_STOP,
    WORKING,
    Order,
)
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.venue.execution import execute
from realtime.simulator.exchange.venue.market_hours import CLOSED, REGULAR
from realtime.simulator.exchange.venue.order_book import OrderBook

_IN_PARTS = 0.1
_GOES_ON_IN_PARTS = 0.5
_PERCENT = Decimal("0.01")


def match_all(state: ExchangeState) -> None:
    """Match all orders."""
    phase = state.market.phase(state.now())
    for symbol, book in list(state.books.by_symbol.items()):
        if book.is_empty:
            continue
        asset = state.listing.by_symbol[symbol]
        if phase == CLOSED and not asset.is_crypto:
            continue
        _match_symbol(state, book, state.prices.last[symbol], phase)
    if phase == REGULAR:
        match_multileg(state)


def auction(state: ExchangeState, account: Account, order: Order) -> None:
    """Execute an auction order in full, or cancel it."""
    set_working(state, account, order)
    order.in_parts = False
    _try(state, account, order, state.prices.last[order.asset.symbol])
    if not order.is_terminal:
        close_group(state, account, order, "canceled")


def _match_symbol(state: ExchangeState, book: OrderBook, price: Decimal, phase: str) -> None:
    for order in list(book.trailing.values()):
        _trail(book, order, price)
    book.activate_reached(price)
    for order in list(book.active.values()):
        if order.id in book.active and state.may_trade(order, phase):
            account = state.accounts[order.label]
            _try(state, account, order, price)


def _trail(book: OrderBook, order: Order, price: Decimal) -> None:
    """Move a trailing stop with the price; trigger it when the price reverses."""
    assert order.hwm is not None
    assert order.stop_price is not None
    if price > order.hwm if order.side == SELL else price < order.hwm:
        order.hwm = price
        order.stop_price = trailing_stop_price(order)
    if price <= order.stop_price if order.side == SELL else price >= order.stop_price:
        del book.trailing[order.id]
        order.triggered = True
        book.active[order.id] = order


def trailing_stop_price(order: Order) -> Decimal:
    """Return the stop price of a trailing stop for its high-water mark."""
    assert order.hwm is not None
    trail = order.trail_price
    if trail is None:
        trail = order.hwm * (order.trail_percent or Decimal(0)) * _PERCENT
    price = order.hwm - trail if order.side == SELL else order.hwm + trail
    return price.quantize(Decimal("0.01") if price >= ONE else Decimal("0.0001"))


def _try(state: ExchangeState, account: Account, order: Order, price: Decimal) -> None:
    if order.armed:
        trigger_stop_loss(state, account, order)
    if order.status not in WORKING:
        return  # stopped or suspended: it stays in the book
    if order.is_unfired_stop:
        order.triggered = True
    if not _accepts(order, price):
        if order.time_in_force in ("ioc", "fok"):
            close_order(state, account, order, "canceled")
        elif order.type in (LIMIT, STOP_LIMIT):
            order.was_resting = True
            state.books.get(order).wait_for_price(order)
        return
    execute(state, account, order, _portion(account, order, price), price)
    if order.time_in_force == "ioc" and not order.is_terminal:
        close_order(state, account, order, "canceled")


def _accepts(order: Order, price: Decimal) -> bool:
    if order.type in (LIMIT, STOP_LIMIT):
        assert order.limit_price is not None
        return price <= order.limit_price if order.is_buy else price >= order.limit_price
    if order.type in (STOP, TRAILING_STOP) and order.is_buy and order.stop_price is not None:
        return price <= order.stop_price * collar(order.stop_price)
    return True


def _portion(account: Account, order: Order, price: Decimal) -> Decimal:
    """Return how much trades in this step: usually everything."""
    remaining = order.remaining(price)
    if order.notional is not None or order.time_in_force == "fok":
        return remaining
    is_first = order.in_parts is None
    if is_first:
        order.in_parts = account.rng.random() < _IN_PARTS
    if not order.in_parts:
        return remaining
    if not is_first and account.rng.random() >= _GOES_ON_IN_PARTS:
        return remaining
    if is_whole(remaining) and not order.asset.is_crypto:
        return Decimal(account.rng.randint(1, int(remaining) - 1)) if remaining > 1 else ONE
    return floor_to_nano(remaining * account.rng.randint(20, 80) * _PERCENT) or remaining
