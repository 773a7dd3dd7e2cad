"""One step of the venue: which orders the prices let trade, and how much of each.

An order trades at the last price. About one in ten takes several steps to fill.
"""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import collar
from realtime.simulator.exchange.decimals import ONE, is_whole, nano_down
from realtime.simulator.exchange.orders.groups import end_group, fire
from realtime.simulator.exchange.orders.lifecycle import end, resume
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
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.venue.execution import execute
from realtime.simulator.exchange.venue.market_hours import CLOSED, REGULAR
from realtime.simulator.exchange.venue.order_book import SymbolBook

_IN_PARTS = 0.1
_GOES_ON_IN_PARTS = 0.5
_PERCENT = Decimal("0.01")


def match_all(floor: Floor) -> None:
    """Let every order trade that can."""
    phase = floor.market.phase(floor.now())
    for symbol, book in list(floor.books.by_symbol.items()):
        if book.is_empty:
            continue
        asset = floor.listing.by_symbol[symbol]
        if phase == CLOSED and not asset.is_crypto:
            continue
        _match_symbol(floor, book, floor.prices.last[symbol], phase)
    if phase == REGULAR:
        match_multileg(floor)


def auction(floor: Floor, account: Account, order: Order) -> None:
    """Let an order trade at the bell, in full or not at all."""
    resume(floor, account, order)
    order.in_parts = False
    _try(floor, account, order, floor.prices.last[order.asset.symbol])
    if not order.is_terminal:
        end_group(floor, account, order, "canceled")


def _match_symbol(floor: Floor, book: SymbolBook, price: Decimal, phase: str) -> None:
    for order in list(book.trailing.values()):
        _trail(book, order, price)
    book.pull(price)
    for order in list(book.active.values()):
        if order.id in book.active and floor.may_trade(order, phase):
            account = floor.accounts[order.label]
            _try(floor, account, order, price)


def _trail(book: SymbolBook, order: Order, price: Decimal) -> None:
    """Let a trailing stop follow the price, and fire it when the price comes back."""
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
    """Return where a trailing stop stands for its high-water mark."""
    assert order.hwm is not None
    trail = order.trail_price
    if trail is None:
        trail = order.hwm * (order.trail_percent or Decimal(0)) * _PERCENT
    price = order.hwm - trail if order.side == SELL else order.hwm + trail
    return price.quantize(Decimal("0.01") if price >= ONE else Decimal("0.0001"))


def _try(floor: Floor, account: Account, order: Order, price: Decimal) -> None:
    if order.armed:
        fire(floor, account, order)
    if order.status not in WORKING:
        return  # stopped or suspended: it keeps its place
    if order.is_unfired_stop:
        order.triggered = True
    if not _accepts(order, price):
        if order.time_in_force in ("ioc", "fok"):
            end(floor, account, order, "canceled")
        elif order.type in (LIMIT, STOP_LIMIT):
            order.was_resting = True
            floor.books.of(order).rest(order)
        return
    execute(floor, account, order, _portion(account, order, price), price)
    if order.time_in_force == "ioc" and not order.is_terminal:
        end(floor, account, order, "canceled")


def _accepts(order: Order, price: Decimal) -> bool:
    if order.type in (LIMIT, STOP_LIMIT):
        assert order.limit_price is not None
        return price <= order.limit_price if order.is_buy else price >= order.limit_price
    if order.type in (STOP, TRAILING_STOP) and order.is_buy and order.stop_price is not None:
        return price <= order.stop_price * collar(order.stop_price)
    return True


def _portion(account: Account, order: Order, price: Decimal) -> Decimal:
    """Return how much trades at this step: nearly always everything."""
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
    return nano_down(remaining * account.rng.randint(20, 80) * _PERCENT) or remaining
