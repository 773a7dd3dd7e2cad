"""Order groups: bracket, one-cancels-other, one-triggers-other.

Only one leg of an exit pair is at the venue: the take-profit. The stop-loss stays `held` while the
exchange watches its price; when reached, it cancels the take-profit and is sent to the venue.

    bracket   entry → take-profit + stop-loss (pair)
    oco       take-profit (the parent) + stop-loss, a pair from the start
    oto       entry → one leg, either kind
"""

from msgspec.structs import replace

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.orders.lifecycle import (
    add_order,
    can_send_now,
    close_order,
    reject_replacement,
    send_order,
    set_working,
    stamp_update,
)
from realtime.simulator.exchange.orders.order import ENTRY, STOP_LOSS, TAKE_PROFIT, Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import publish_rejection


def start_order(state: ExchangeState, account: Account, order: Order) -> None:
    """Make the order working at the venue, or reject it if `rejects_next` is set."""
    if account.rejects_next:
        account.rejects_next = False
        close_group(state, account, order, "rejected")
        return
    set_working(state, account, order)
    if order.order_class == "oco":
        _watch_stop_loss(state, order)


def close_group(state: ExchangeState, account: Account, order: Order, status: str) -> None:
    """End an order and the orders of its group that depend on it."""
    close_order(state, account, order, status)
    for relative in _dependents(order):
        _close_related(state, account, relative, "expired" if status == "expired" else "canceled")


def handle_group_fill(state: ExchangeState, account: Account, order: Order) -> None:
    """Update the group after a fill; reject pending cancels and replacements."""
    if order.status == "filled":
        _reject_late_changes(state, account, order)
        if order.role == ENTRY and order.legs and not order.is_multileg:
            _activate_exits(state, account, order)
    other = paired_exit(order)
    if other is None or order.role != TAKE_PROFIT:
        return
    if order.status == "filled":
        _close_related(state, account, other, "canceled")
    else:
        reduce_stop_loss(state, account, other, to=order)


def trigger_stop_loss(state: ExchangeState, account: Account, order: Order) -> None:
    """Send a watched stop-loss to the venue: its price was reached."""
    other = paired_exit(order)
    if other is not None:
        close_order(state, account, other, "canceled")
    order.armed = False
    order.triggered = True
    set_working(state, account, order)


def paired_exit(order: Order) -> Order | None:
    """Return the other order of an exit pair while it is open."""
    parent = order.parent or order
    if parent.order_class == "oco":
        pair = [parent, *(parent.legs or ())]
    elif parent.order_class == "bracket" and order is not parent:
        pair = parent.legs or []
    else:
        return None
    return next((o for o in pair if o is not order and not o.is_terminal), None)


def replace_in_group(state: ExchangeState, account: Account, old: Order, new: Order) -> None:
    """Put a new order into an old one's place in the group."""
    parent = old.parent
    if parent is not None and parent.legs is not None:
        parent.legs = [new if leg is old else leg for leg in parent.legs]
    new.parent = parent
    if old.legs and not old.is_multileg:
        new.legs, old.legs = old.legs, None
        for leg in new.legs:
            leg.parent = new
            if leg.filled_qty == 0 and not leg.is_terminal:
                leg.qty, leg.cached_document = new.qty, None


def reduce_stop_loss(state: ExchangeState, account: Account, stop: Order, *, to: Order) -> None:
    """Replace a held stop-loss with one for the take-profit's remaining quantity."""
    if stop.status != "held" or to.qty is None:
        return
    now = account.ids.next_time()
    smaller = replace(
        stop,
        id=account.ids.uuid(),
        client_order_id=account.ids.uuid(),
        number=state.next_number(),
        submitted_at=now,
        created_at=account.ids.next_time(),
        updated_at=account.ids.next_time(),
        qty=to.qty - to.filled_qty,
        replaces=stop.id,
        queue_version=0,
        cached_document=None,
    )
    stop.replaced_by = smaller.id
    replace_in_group(state, account, stop, smaller)
    close_order(state, account, stop, "replaced", is_silent=not state.quirks.bracket_cancel_frame)
    add_order(state, account, smaller)
    _watch_stop_loss(state, smaller)


def _activate_exits(state: ExchangeState, account: Account, entry: Order) -> None:
    legs = [leg for leg in entry.legs or () if leg.status == "held"]
    if entry.order_class == "oto":
        for leg in legs:
            _send_exit(state, account, leg)
        return
    for leg in legs:
        if leg.role == TAKE_PROFIT:
            _send_exit(state, account, leg)
        else:
            _watch_stop_loss(state, leg)


def _send_exit(state: ExchangeState, account: Account, leg: Order) -> None:
    """Send a leg whose entry has filled, without `pending_new`: it was accepted before."""
    if can_send_now(state, leg):
        set_working(state, account, leg)
    else:
        stamp_update(account, leg)
        send_order(state, account, leg)


def _watch_stop_loss(state: ExchangeState, leg: Order) -> None:
    """Watch the price of a held stop-loss; an order without one is an OCO's parent."""
    for stop in leg.legs or () if leg.order_class == "oco" and leg.parent is None else (leg,):
        if stop.role == STOP_LOSS and stop.status == "held":
            stop.armed = True
            state.books.add(stop)


def _dependents(order: Order) -> list[Order]:
    if order.role == ENTRY:
        legs = () if order.is_multileg else order.legs or ()
        return [leg for leg in legs if not leg.is_terminal]
    entry = order.parent if order.parent is not None and order.parent.role == ENTRY else None
    return [o for o in (paired_exit(order), entry) if o is not None and not o.is_terminal]


def _close_related(state: ExchangeState, account: Account, order: Order, status: str) -> None:
    was_held = order.status == "held"
    silent = was_held and not state.quirks.bracket_cancel_frame
    close_order(state, account, order, status, is_silent=silent)


def _reject_late_changes(state: ExchangeState, account: Account, order: Order) -> None:
    """Publish that a cancel or a replacement was too late: the order has filled."""
    if order.cancel_requested_at is not None:
        order.cancel_requested_at = None
        at = stamp_update(account, order)
        reason = "TOO_LATE_TO_CANCEL"
        publish_rejection(state, account, order, "order_cancel_rejected", at, reason)
    reject_replacement(state, account, order)
