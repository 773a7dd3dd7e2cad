"""The life of one order: sent, queued, working, ended. What its group does is in groups.py."""

from heapq import heappush

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.orders.order import Order
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.trade_events import (
    announce,
    announce_pending_new,
    announce_refusal,
)

# Time in force of the auctions: such orders wait for a bell, not for a price.
AUCTIONS = ("opg", "cls")


def register(floor: Floor, account: Account, order: Order) -> None:
    """Put a new order into the account's books and note when it ends by itself."""
    if order.expires_at is not None and not (order.ratio_qty and order.parent):
        heappush(floor.expiries, (order.expires_at, order.number, order))
    account.orders[order.id] = order
    account.by_client_order_id[order.client_order_id] = order
    account.open_orders[order.id] = order


def send(floor: Floor, account: Account, order: Order) -> None:
    """Announce a new order: on its way to the venue, or queued until a bell."""
    at = account.identity.stamp()
    if goes_to_venue(floor, order):
        order.status = "pending_new"
        announce_pending_new(floor, account, order, at)
    else:
        order.status = "accepted"
        announce(floor, account, order, "accepted", at)


def goes_to_venue(floor: Floor, order: Order) -> bool:
    """Tell whether the venue takes this order now, or it has to be queued."""
    asset = order.legs[0].asset if order.is_multileg and order.legs else order.asset
    if asset.is_crypto:
        return True
    phase = floor.market.phase(floor.now())
    return order.time_in_force not in AUCTIONS and floor.may_trade(order, phase)


def resume(floor: Floor, account: Account, order: Order) -> None:
    """Make the order `new` at the venue and let it trade. Also after a pause."""
    at = touch(account, order)
    order.status = "partially_filled" if order.filled_qty else "new"
    for leg in order.legs or () if order.is_multileg else ():
        leg.status, leg.updated_at = "new", order.updated_at
    announce(floor, account, order, "new", at)
    floor.books.enter(order)


def end(
    floor: Floor, account: Account, order: Order, status: str, *, is_silent: bool = False
) -> None:
    """Bring the order to a terminal status other than filled."""
    at = touch(account, order)
    for ended in (order, *(order.legs or ())) if order.is_multileg else (order,):
        ended.status = status
        ended.updated_at = order.updated_at
        _note_end(ended, status, at)
        account.open_orders.pop(ended.id, None)
    floor.books.remove(order)
    if not is_silent:
        announce(floor, account, order, status, at)
    reject_replacement(floor, account, order)


def reject_replacement(floor: Floor, account: Account, order: Order) -> None:
    """Refuse the order that was waiting to replace this one: there is nothing to replace."""
    refused, order.replacement = order.replacement, None
    if refused is None or refused.is_terminal:
        return
    end(floor, account, refused, "rejected", is_silent=True)
    at = refused.failed_at or refused.updated_at
    reason = f'order is already in "{order.status}" state'
    announce_refusal(floor, account, refused, "order_replace_rejected", at, reason)


def touch(account: Account, order: Order) -> int:
    """Return when something happens to the order, and move its `updated_at` past that."""
    at = account.identity.stamp()
    order.updated_at = account.identity.stamp()
    return at


def _note_end(order: Order, status: str, at: int) -> None:
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
