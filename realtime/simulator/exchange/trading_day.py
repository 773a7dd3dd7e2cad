"""Opening and close of the trading day: effects on orders, positions and accounts."""

from decimal import Decimal
from heapq import heappop

from realtime.simulator.exchange.accounts.account import Account, LastClose
from realtime.simulator.exchange.accounts.margin import compute_balances, exposure
from realtime.simulator.exchange.decimals import ZERO, format_decimal
from realtime.simulator.exchange.option_expiry import expire_contracts
from realtime.simulator.exchange.orders.groups import close_group, start_order
from realtime.simulator.exchange.orders.lifecycle import can_send_now, set_working, stamp_update
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.timestamps import new_york_date
from realtime.simulator.exchange.trade_events import publish
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.exchange.venue.market_hours import EXTENDED, OPENING, REGULAR
from realtime.simulator.exchange.venue.matching import auction


def process_bells(state: ExchangeState) -> None:
    """Process opening and closing bells since the last call, then expire orders."""
    now = state.now()
    for at, bell in state.market.bells(state.bells_until, now):
        if bell == OPENING:
            open_session(state)
        else:
            close_session(state, at, stops_trading=not state.market.never_closes)
    state.bells_until = now
    _expire_due(state, now)
    phase = state.market.phase(now)
    if phase == EXTENDED != state.last_phase:
        _send_extended(state)
    state.last_phase = phase


def set_market_mode(state: ExchangeState, mode: str) -> None:
    """Change the market's mode; process the bell if that opens or closes the session.

    Before the first step there is no trading day to end.
    """
    before = state.market.phase(state.now())
    state.market.mode = mode
    after = state.market.phase(state.now())
    if before == after or not state.prices.minutes:
        return
    if after == REGULAR:
        open_session(state)
    elif before == REGULAR:
        close_session(state, state.now(), stops_trading=True)
        _expire_day_orders(state)


def end_day(state: ExchangeState) -> None:
    """End the trading day regardless of the clock, and begin the next."""
    close_session(state, state.now(), stops_trading=False)
    open_session(state)


def open_session(state: ExchangeState) -> None:
    """Send queued orders to the venue; opening-auction orders trade now or end."""
    for account, order in _open_orders(state):
        if order.is_terminal or order.asset.is_crypto:
            continue
        if order.status == "done_for_day":
            set_working(state, account, order)
        elif order.status == "accepted" and order.time_in_force == "opg":
            auction(state, account, order)
        elif order.status == "accepted" and can_send_now(state, order):
            start_order(state, account, order)


def close_session(state: ExchangeState, at: int, *, stops_trading: bool) -> None:
    """Hold the closing auction and end the day; long-lived orders pause if trading stops."""
    for account, order in _open_orders(state):
        if order.is_terminal or order.asset.is_crypto:
            continue
        if order.status == "accepted" and order.time_in_force == "cls":
            auction(state, account, order)
        elif stops_trading and order.time_in_force == "gtc" and order.status == "partially_filled":
            state.books.remove(order)
            happened = stamp_update(account, order)
            order.status = "done_for_day"
            publish(state, account, order, "done_for_day", happened)
    expire_contracts(state, new_york_date(at))
    state.prices.end_day(at)
    for account in state.accounts.values():
        _end_account_day(state, account, at)


def _send_extended(state: ExchangeState) -> None:
    """Send the queued orders that may trade in extended hours."""
    for account, order in _open_orders(state):
        if order.status == "accepted" and can_send_now(state, order):
            start_order(state, account, order)


def _open_orders(state: ExchangeState) -> list[tuple[Account, Order]]:
    return [(a, order) for a in state.accounts.values() for order in a.open_orders.values()]


def _expire_due(state: ExchangeState, now: int) -> None:
    while state.expiries and state.expiries[0][0] <= now:
        _, _, order = heappop(state.expiries)
        if not order.is_terminal:
            close_group(state, state.accounts[order.label], order, "expired")


def _expire_day_orders(state: ExchangeState) -> None:
    """End day orders before their expiry time: the session was closed."""
    for account, order in _open_orders(state):
        is_of_the_day = order.time_in_force not in ("gtc", "opg") and not order.asset.is_crypto
        was_sent = order.status not in ("accepted", "held")
        if is_of_the_day and was_sent and not order.is_terminal:
            close_group(state, account, order, "expired")


def _end_account_day(state: ExchangeState, account: Account, at: int) -> None:
    for position in account.positions.values():
        position.end_day()
    _charge_fees(state, account)
    account.positions = {p.asset.symbol: p for p in account.holdings()}
    balances = compute_balances(account, state.prices.last)
    account.deposits_today = ZERO
    account.last_close = LastClose(
        day=new_york_date(at).isoformat(),
        equity=balances.equity,
        maintenance_margin=balances.maintenance_margin,
        exposure=exposure(account),
    )


def _charge_fees(state: ExchangeState, account: Account) -> None:
    """Record the day's crypto fees as activities; they were deducted with each trade."""
    for symbol, (coins, cash) in account.fees.items():
        asset = state.listing.by_symbol[symbol]
        price = state.prices.last[symbol]
        at = account.ids.next_time()
        if coins and not state.quirks.crypto_fee_in_position:
            cash += _take_coins(account, asset, coins, price, at)
        account.activity_log.record(
            "CFEE",
            at,
            account.ids.uuid(),
            net_amount=format_decimal(-cash),
            symbol=asset.position_symbol,
            qty=format_decimal(-coins),
            price=format_decimal(price),
            description="Coin Pair Transaction Fee",
        )
    account.fees.clear()


def _take_coins(account: Account, asset: Asset, coins: Decimal, price: Decimal, at: int) -> Decimal:
    """Deduct a fee from the position; return the part deducted in cash instead."""
    position = account.position_of(asset)
    taken = min(coins, max(position.qty, ZERO))
    position.adjust(-taken, price)
    cash = (coins - taken) * price
    account.cash -= cash
    account.record_flow(at, asset.symbol, -taken, cash=-cash)
    return cash
