"""The bells: what the opening and the closing do to orders, positions and accounts."""

from decimal import Decimal
from heapq import heappop

from realtime.simulator.exchange.accounts.account import Account, Yesterday
from realtime.simulator.exchange.accounts.margin import count_money, exposure
from realtime.simulator.exchange.decimals import ZERO, plain
from realtime.simulator.exchange.option_expiry import expire_contracts
from realtime.simulator.exchange.orders.groups import end_group, start_work
from realtime.simulator.exchange.orders.lifecycle import goes_to_venue, resume, touch
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.timestamps import new_york_date
from realtime.simulator.exchange.trade_events import announce
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.exchange.venue.market_hours import EXTENDED, OPENING, REGULAR
from realtime.simulator.exchange.venue.matching import auction


def ring_bells(floor: Floor) -> None:
    """Ring every bell since the last time, then end the orders that are due."""
    now = floor.now()
    for at, bell in floor.market.bells(floor.rung_until, now):
        if bell == OPENING:
            open_session(floor)
        else:
            close_session(floor, at, stops_trading=not floor.market.never_closes)
    floor.rung_until = now
    _expire_due(floor, now)
    phase = floor.market.phase(now)
    if phase == EXTENDED != floor.last_phase:
        _send_extended(floor)
    floor.last_phase = phase


def change_hours(floor: Floor, mode: str) -> None:
    """Change the market's mode; if that opens or closes the session, the bell rings.

    Before the first step there is no day yet that a bell could end.
    """
    before = floor.market.phase(floor.now())
    floor.market.mode = mode
    after = floor.market.phase(floor.now())
    if before == after or not floor.prices.minutes:
        return
    if after == REGULAR:
        open_session(floor)
    elif before == REGULAR:
        close_session(floor, floor.now(), stops_trading=True)
        _expire_day_orders(floor)


def end_day(floor: Floor) -> None:
    """End the trading day whatever the clock says, and begin the next."""
    close_session(floor, floor.now(), stops_trading=False)
    open_session(floor)


def open_session(floor: Floor) -> None:
    """Send queued orders to the venue; opening-auction orders trade now or never."""
    for account, order in _open_orders(floor):
        if order.is_terminal or order.asset.is_crypto:
            continue
        if order.status == "done_for_day":
            resume(floor, account, order)
        elif order.status == "accepted" and order.time_in_force == "opg":
            auction(floor, account, order)
        elif order.status == "accepted" and goes_to_venue(floor, order):
            start_work(floor, account, order)


def close_session(floor: Floor, at: int, *, stops_trading: bool) -> None:
    """Hold the closing auction and end the day; long-lived orders pause if trading stops."""
    for account, order in _open_orders(floor):
        if order.is_terminal or order.asset.is_crypto:
            continue
        if order.status == "accepted" and order.time_in_force == "cls":
            auction(floor, account, order)
        elif stops_trading and order.time_in_force == "gtc" and order.status == "partially_filled":
            floor.books.remove(order)
            happened = touch(account, order)
            order.status = "done_for_day"
            announce(floor, account, order, "done_for_day", happened)
    expire_contracts(floor, new_york_date(at))
    floor.prices.end_day(at)
    for account in floor.accounts.values():
        _end_account_day(floor, account, at)


def _send_extended(floor: Floor) -> None:
    """Send the queued orders that may trade before the opening or after the close."""
    for account, order in _open_orders(floor):
        if order.status == "accepted" and goes_to_venue(floor, order):
            start_work(floor, account, order)


def _open_orders(floor: Floor) -> list[tuple[Account, Order]]:
    return [(a, order) for a in floor.accounts.values() for order in a.open_orders.values()]


def _expire_due(floor: Floor, now: int) -> None:
    while floor.expiries and floor.expiries[0][0] <= now:
        _, _, order = heappop(floor.expiries)
        if not order.is_terminal:
            end_group(floor, floor.accounts[order.label], order, "expired")


def _expire_day_orders(floor: Floor) -> None:
    """End the day's orders although the clock has not reached their end: the session closed."""
    for account, order in _open_orders(floor):
        is_of_the_day = order.time_in_force not in ("gtc", "opg") and not order.asset.is_crypto
        was_sent = order.status not in ("accepted", "held")
        if is_of_the_day and was_sent and not order.is_terminal:
            end_group(floor, account, order, "expired")


def _end_account_day(floor: Floor, account: Account, at: int) -> None:
    for position in account.positions.values():
        position.end_day()
    _charge_fees(floor, account)
    account.positions = {p.asset.symbol: p for p in account.holdings()}
    money = count_money(account, floor.prices.last)
    account.yesterday = Yesterday(
        day=new_york_date(at).isoformat(),
        equity=money.equity,
        maintenance_margin=money.maintenance_margin,
        exposure=exposure(account),
    )


def _charge_fees(floor: Floor, account: Account) -> None:
    """Write the day's crypto fees into the journal; they left the books with each trade."""
    for symbol, (coins, cash) in account.fees.items():
        asset = floor.listing.by_symbol[symbol]
        price = floor.prices.last[symbol]
        at = account.identity.stamp()
        if coins and not floor.quirks.crypto_fee_in_position:
            cash += _take_coins(account, asset, coins, price, at)
        account.journal.record(
            "CFEE",
            at,
            account.identity.uuid(),
            net_amount=plain(-cash),
            symbol=asset.position_symbol,
            qty=plain(-coins),
            price=plain(price),
            description="Coin Pair Transaction Fee",
        )
    account.fees.clear()


def _take_coins(account: Account, asset: Asset, coins: Decimal, price: Decimal, at: int) -> Decimal:
    """Take a fee out of the position; return what had to be taken in cash instead."""
    position = account.position_of(asset)
    taken = min(coins, max(position.qty, ZERO))
    position.adjust(-taken, price)
    cash = (coins - taken) * price
    account.cash -= cash
    account.note_flow(at, asset.symbol, -taken, cash=-cash)
    return cash
