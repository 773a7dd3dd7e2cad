"""PATCH /v2/orders/{id}: the old order gives way to a new one with another id.

The new order trades from zero; if no quantity is given it takes what the old one had left.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace as with_fields

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import ZERO, is_whole
from realtime.simulator.exchange.documents import rest_order
from realtime.simulator.exchange.errors import Document, malformed, unprocessable
from realtime.simulator.exchange.orders.account_checks import (
    check_client_order_id,
    check_may_trade,
    check_order,
)
from realtime.simulator.exchange.orders.groups import start_work, supersede
from realtime.simulator.exchange.orders.lifecycle import end, goes_to_venue, register, touch
from realtime.simulator.exchange.orders.multileg import check_multileg, check_net_increment
from realtime.simulator.exchange.orders.order import (
    LEG,
    NOT_REPLACEABLE,
    TRAILING_STOP,
    UNSENT,
    Order,
)
from realtime.simulator.exchange.orders.order_request import (
    Ticket,
    read_client_order_id,
    read_limit,
    read_positive,
    read_time_in_force,
)
from realtime.simulator.exchange.orders.submission import expiry
from realtime.simulator.exchange.orders.validation import check_shape
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.trade_events import announce
from realtime.simulator.exchange.venue.matching import trailing_stop_price

_CHANGES = (
    "qty",
    "limit_price",
    "stop_price",
    "trail",
    "time_in_force",
    "client_order_id",
)


def replace(floor: Floor, account: Account, order: Order, body: object) -> Document:
    """Replace an order, or refuse; the answer is the new order as it was when it was sent."""
    if not isinstance(body, Mapping):
        raise malformed("request body format is invalid")
    check_may_trade(account)
    _check_replaceable(order)
    client_order_id = read_client_order_id(body)
    check_client_order_id(account, client_order_id)
    new = _successor(floor, account, order, body, client_order_id)
    _check_new(floor, account, order, new)
    if new.status == "pending_new" and not goes_to_venue(floor, new):
        new.status = "accepted"
    if account.holds_replaces and order.status != "held":
        return _wait(floor, account, order, new)
    for member in (new, *(new.legs or ())):
        register(floor, account, member)
    answer = rest_order(new, with_legs=True, micros=False)
    _give_way(floor, account, order, new)
    return answer


def hold_replaces(floor: Floor, account: Account, *, on: bool) -> None:
    """Let replaces wait in `pending_replace`; switching off carries them out."""
    account.holds_replaces = on
    if on:
        return
    for order in list(account.open_orders.values()):
        new, order.replacement = order.replacement, None
        if new is None:
            continue
        if new.is_terminal:  # canceled while it waited: the old order goes on
            order.status = "partially_filled" if order.filled_qty else "new"
            touch(account, order)
        else:
            _give_way(floor, account, order, new)


def _wait(floor: Floor, account: Account, order: Order, new: Order) -> Document:
    for member in (new, *(new.legs or ())):
        register(floor, account, member)
    order.replacement = new
    at = touch(account, order)
    order.status = "pending_replace"
    announce(floor, account, order, "pending_replace", at)
    return rest_order(new, with_legs=True, micros=False)


def _give_way(floor: Floor, account: Account, order: Order, new: Order) -> None:
    was_held, was_armed = order.status == "held", order.armed
    order.replaced_by = new.id
    supersede(floor, account, order, new)
    end(floor, account, order, "replaced")
    if was_held:
        new.status, new.armed = "held", was_armed
        if was_armed:
            floor.books.enter(new)
    elif goes_to_venue(floor, new):
        start_work(floor, account, new)
    else:
        new.status = "accepted"  # the market may have closed while it waited
        announce(floor, account, new, "accepted", touch(account, new))


def _check_replaceable(order: Order) -> None:
    if order.status in UNSENT:
        raise malformed("unable to replace order, order isn't sent to exchange yet")
    if order.is_terminal or order.status in NOT_REPLACEABLE:
        raise unprocessable(f'order is already in "{order.status}" state')
    if order.role == LEG:
        raise unprocessable("order chain not fully replaced")
    if order.notional is not None:
        raise unprocessable("notional orders cannot be replaced")


def _successor(
    floor: Floor,
    account: Account,
    order: Order,
    body: Mapping[str, object],
    client_order_id: str | None,
) -> Order:
    """Return a fresh order with the changes applied, not yet in any book."""
    _check_changes(order, body)
    time_in_force = read_time_in_force(body) or order.time_in_force
    submitted = account.identity.stamp()
    new = with_fields(
        order,
        id=account.identity.uuid(),
        client_order_id=client_order_id or account.identity.uuid(),
        number=floor.next_number(),
        status="held" if order.status == "held" else "pending_new",
        submitted_at=submitted,
        created_at=account.identity.stamp(),
        updated_at=account.identity.stamp(),
        time_in_force=time_in_force,
        expires_at=expiry(floor, order.asset, time_in_force, extended=order.extended_hours),
        qty=read_positive(body, "qty") or order.remaining(ZERO),
        limit_price=_limit(order, body),
        stop_price=read_positive(body, "stop_price") or order.stop_price,
        replaces=order.id,
        filled_qty=ZERO,
        filled_value=ZERO,
        cancel_requested_at=None,
        triggered=False,
        armed=False,
        was_resting=False,
        in_parts=None,
        resting_ticket=0,
        replacement=None,
        legs=None,
        face=None,
    )
    _change_trail(new, read_positive(body, "trail"))
    if order.is_multileg:
        new.legs = [_leg_successor(floor, account, leg, new) for leg in order.legs or ()]
    return new


def _limit(order: Order, body: Mapping[str, object]) -> Decimal | None:
    limit = read_limit(body, is_net=order.is_multileg)
    return order.limit_price if limit is None else limit


def _leg_successor(floor: Floor, account: Account, leg: Order, parent: Order) -> Order:
    return with_fields(
        leg,
        id=account.identity.uuid(),
        client_order_id=account.identity.uuid(),
        number=floor.next_number(),
        status=parent.status,
        submitted_at=parent.submitted_at,
        created_at=parent.created_at,
        updated_at=parent.updated_at,
        expires_at=parent.expires_at,
        qty=(parent.qty or ZERO) * (leg.ratio_qty or ZERO),
        replaces=leg.id,
        parent=parent,
        face=None,
    )


def _change_trail(order: Order, trail: Decimal | None) -> None:
    if order.type != TRAILING_STOP:
        return
    if trail is not None and order.trail_price is not None:
        order.trail_price = trail
    elif trail is not None:
        order.trail_percent = trail
    order.stop_price = trailing_stop_price(order)


def _check_changes(order: Order, body: Mapping[str, object]) -> None:
    given = [name for name in _CHANGES if body.get(name) not in (None, "")]
    if body.get("notional") not in (None, ""):
        raise unprocessable("notional can only be replaced for ipo orders")
    if not given:
        raise unprocessable("order parameters are not changed")
    if "qty" in given and order.qty is not None and not is_whole(order.qty):
        raise unprocessable("qty of fractional orders cannot be changed")
    if "trail" in given and order.type != TRAILING_STOP:
        raise unprocessable("trail can only be replaced for trailing stop orders")
    for name in ("limit_price", "stop_price"):
        has_it = getattr(order, name) is not None and order.type != TRAILING_STOP
        if name in given and not has_it:
            raise unprocessable(f"{order.type} orders must not have {name}")


def _check_new(floor: Floor, account: Account, old: Order, new: Order) -> None:
    if new.is_multileg:
        if not is_whole(new.qty or ZERO):
            raise unprocessable("qty must be integer for options trading")
        check_net_increment(new.limit_price)
        check_multileg(floor, account, new, without=old)
        return
    check_shape(_ticket(new), new.asset)
    if new.status != "held":
        check_order(floor, account, new, without=old)


def _ticket(order: Order) -> Ticket:
    """Return the order as a simple ticket, to check its shape by the rules of new ones."""
    is_trailing = order.type == TRAILING_STOP
    return Ticket(
        symbol=order.asset.symbol,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force,
        qty=order.qty,
        limit_price=order.limit_price,
        stop_price=None if is_trailing else order.stop_price,
        trail_price=order.trail_price,
        trail_percent=order.trail_percent,
        extended_hours=order.extended_hours,
    )
