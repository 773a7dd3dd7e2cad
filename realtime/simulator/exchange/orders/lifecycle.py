"""Lifecycle of one order: sent, queued, working, ended. Groups are in groups.py."""

from heapq import heappush

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import (
    publish,
    publish_pending_new,
    publish_rejection,
)

# Time in force of auction orders: they wait for the opening or closing bell, not for a price.
AUCTIONS = ("opg", "cls")


def add_order(state: ExchangeState, account: Account, order: Order) -> None:
    """Add a new order to the account and schedule its expiry."""
    if order.expires_at is not None and not (order.ratio_qty and order.parent):
        heappush(state.expiries, (order.expires_at, order.number, order))
    account.orders[order.id] = order
    account.by_client_order_id[order.client_order_id] = order
    account.open_orders[order.id] = order


def send_order(state: ExchangeState, account: Account, order: Order) -> None:
    """Publish a new order: sent to the venue, or queued until the session opens."""
    at = account.ids.next_time()
    if can_send_now(state, order):
        order.status = "pending_new"
        publish_pending_new(state, account, order, at)
    else:
        order.status = "accepted"
        publish(state, account, order, "accepted", at)


def can_send_now(state: ExchangeState, order: Order) -> bool:
    """Return whether the venue accepts this order now, or it must be queued."""
    asset = order.legs[0].asset if order.is_multileg and order.legs else order.asset
    if asset.is_crypto:
        return True
    phase = state.market.phase(state.now())
    return order.time_in_force not in AUCTIONS and state.may_trade(order, phase)


def set_working(state: ExchangeState, account: Account, order: Order) -> None:
    """Make the order `new` at the venue, also after a suspension."""
    at = stamp_update(account, order)
    order.status = "partially_filled" if order.filled_qty else "new"
    for leg in order.legs or () if order.is_multileg else ():
        leg.status, leg.updated_at = "new", order.updated_at
    publish(state, account, order, "new", at)
    state.books.add(order)


def close_order(
    state: ExchangeState, account: Account, order: Order, status: str, *, is_silent: bool = False
) -> None:
    """Bring the order to a terminal status other than filled."""
    at = stamp_update(account, order)
    for ended in (order, *(order.legs or ())) if order.is_multileg else (order,):
        ended.status = status
        ended.updated_at = order.updated_at
        _set_end_time(ended, status, at)
        account.open_orders.pop(ended.id, None)
    state.books.remove(order)
    if not is_silent:
        publish(state, account, order, status, at)
    reject_replacement(state, account, order)


def reject_replacement(state: ExchangeState, account: Account, order: Order) -> None:
    """Reject the order that was waiting to replace this one, which has ended."""
    refused, order.replacement = order.replacement, None
    if refused is None or refused.is_terminal:
        return
    close_order(state, account, refused, "rejected", is_silent=True)
    at = refused.failed_at or refused.updated_at
    reason = f'order is already in "{order.status}" state'
    publish_rejection(state, account, refused, "order_replace_rejected", at, reason)


def stamp_update(account: Account, order: Order) -> int:
    """Return the time of a change of the order, and move its `updated_at` past it."""
    at = account.ids.next_time()
    order.updated_at = account.ids.next_time()
    return at


def _set_end_time(order: Order, status: str, at: int) -> None:
    match status:
        case "canceled":
            order.canceled_at = at
        case "expired":
            order.expired_at = at
        case "rejected":
            order.failed_at = at
        case "replaced":
            order.replaced_at = at
        case _:
            raise AssertionError(f"{status} is not an end")
