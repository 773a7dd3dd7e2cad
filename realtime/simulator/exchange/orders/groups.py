"""Orders that belong together: bracket, one-cancels-other, one-triggers-other.

Only one leg of an exit pair works at the venue: the take-profit. The stop-loss stays `held` while
the exchange watches its price; touched, it cancels the take-profit and goes to the venue itself.

    bracket   entry → take-profit + stop-loss (pair)
    oco       take-profit (the parent) + stop-loss, a pair from the start
    oto       entry → one leg, either kind
"""

from msgspec.structs import replace

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.orders.lifecycle import (
    end,
    goes_to_venue,
    register,
    reject_replacement,
    resume,
    send,
    touch,
)
from realtime.simulator.exchange.orders.order import ENTRY, STOP_LOSS, TAKE_PROFIT, Order
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.trade_events import announce_refusal


def start_work(floor: Floor, account: Account, order: Order) -> None:
    """Let the venue take the order, or reject it if that was asked for."""
    if account.rejects_next:
        account.rejects_next = False
        end_group(floor, account, order, "rejected")
        return
    resume(floor, account, order)
    if order.order_class == "oco":
        _watch(floor, order)


def end_group(floor: Floor, account: Account, order: Order, status: str) -> None:
    """End an order, and with it everything that cannot live without it."""
    end(floor, account, order, status)
    for relative in _dependents(order):
        _end_relative(floor, account, relative, "expired" if status == "expired" else "canceled")


def after_fill(floor: Floor, account: Account, order: Order) -> None:
    """React to a fill of an order that has relatives, or a cancel or replace on the way."""
    if order.status == "filled":
        _refuse_late_changes(floor, account, order)
        if order.role == ENTRY and order.legs and not order.is_multileg:
            _activate_exits(floor, account, order)
    other = partner(order)
    if other is None or order.role != TAKE_PROFIT:
        return
    if order.status == "filled":
        _end_relative(floor, account, other, "canceled")
    else:
        shrink(floor, account, other, to=order)


def fire(floor: Floor, account: Account, order: Order) -> None:
    """Send a watched stop-loss to the venue, because its price was touched."""
    other = partner(order)
    if other is not None:
        end(floor, account, other, "canceled")
    order.armed = False
    order.triggered = True
    resume(floor, account, order)


def partner(order: Order) -> Order | None:
    """Return the other half of an exit pair while it is open."""
    parent = order.parent or order
    if parent.order_class == "oco":
        pair = [parent, *(parent.legs or ())]
    elif parent.order_class == "bracket" and order is not parent:
        pair = parent.legs or []
    else:
        return None
    return next((o for o in pair if o is not order and not o.is_terminal), None)


def supersede(floor: Floor, account: Account, old: Order, new: Order) -> None:
    """Put a new order into the family place of an old one."""
    parent = old.parent
    if parent is not None and parent.legs is not None:
        parent.legs = [new if leg is old else leg for leg in parent.legs]
    new.parent = parent
    if old.legs and not old.is_multileg:
        new.legs, old.legs = old.legs, None
        for leg in new.legs:
            leg.parent = new
            if leg.filled_qty == 0 and not leg.is_terminal:
                leg.qty, leg.face = new.qty, None


def shrink(floor: Floor, account: Account, stop: Order, *, to: Order) -> None:
    """Replace a held stop-loss by one for what the take-profit has left."""
    if stop.status != "held" or to.qty is None:
        return
    now = account.identity.stamp()
    smaller = replace(
        stop,
        id=account.identity.uuid(),
        client_order_id=account.identity.uuid(),
        number=floor.next_number(),
        submitted_at=now,
        created_at=account.identity.stamp(),
        updated_at=account.identity.stamp(),
        qty=to.qty - to.filled_qty,
        replaces=stop.id,
        resting_ticket=0,
        face=None,
    )
    stop.replaced_by = smaller.id
    supersede(floor, account, stop, smaller)
    end(floor, account, stop, "replaced", is_silent=not floor.quirks.bracket_cancel_frame)
    register(floor, account, smaller)
    _watch(floor, smaller)


def _activate_exits(floor: Floor, account: Account, entry: Order) -> None:
    legs = [leg for leg in entry.legs or () if leg.status == "held"]
    if entry.order_class == "oto":
        for leg in legs:
            _send_exit(floor, account, leg)
        return
    for leg in legs:
        if leg.role == TAKE_PROFIT:
            _send_exit(floor, account, leg)
        else:
            _watch(floor, leg)


def _send_exit(floor: Floor, account: Account, leg: Order) -> None:
    """Send a leg whose entry has filled: no `pending_new`, it was accepted long ago."""
    if goes_to_venue(floor, leg):
        resume(floor, account, leg)
    else:
        touch(account, leg)
        send(floor, account, leg)


def _watch(floor: Floor, leg: Order) -> None:
    """Watch the price of a held stop-loss; an order without one is an OCO's parent."""
    for stop in leg.legs or () if leg.order_class == "oco" and leg.parent is None else (leg,):
        if stop.role == STOP_LOSS and stop.status == "held":
            stop.armed = True
            floor.books.enter(stop)


def _dependents(order: Order) -> list[Order]:
    if order.role == ENTRY:
        legs = () if order.is_multileg else order.legs or ()
        return [leg for leg in legs if not leg.is_terminal]
    entry = order.parent if order.parent is not None and order.parent.role == ENTRY else None
    return [o for o in (partner(order), entry) if o is not None and not o.is_terminal]


def _end_relative(floor: Floor, account: Account, order: Order, status: str) -> None:
    was_held = order.status == "held"
    silent = was_held and not floor.quirks.bracket_cancel_frame
    end(floor, account, order, status, is_silent=silent)


def _refuse_late_changes(floor: Floor, account: Account, order: Order) -> None:
    """Tell that a cancel or a replace came too late: the order has filled."""
    if order.cancel_requested_at is not None:
        order.cancel_requested_at = None
        at = touch(account, order)
        reason = "TOO_LATE_TO_CANCEL"
        announce_refusal(floor, account, order, "order_cancel_rejected", at, reason)
    reject_replacement(floor, account, order)
