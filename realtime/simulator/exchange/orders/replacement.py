"""Replacement of an order: PATCH /v2/orders/{id}.

The new order has another id and no fills; its default quantity is what the old one had left.
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
from realtime.simulator.exchange.orders.groups import replace_in_group, start_order
from realtime.simulator.exchange.orders.lifecycle import (
    add_order,
    can_send_now,
    close_order,
    stamp_update,
)
from realtime.simulator.exchange.orders.multileg import check_multileg, check_net_increment
from realtime.simulator.exchange.orders.order import (
    LEG,
    NOT_REPLACEABLE,
    TRAILING_STOP,
    UNSENT,
    Order,
)
from realtime.simulator.exchange.orders.order_request import (
    OrderRequest,
    parse_client_order_id,
    parse_limit_price,
    parse_positive,
    parse_time_in_force,
)
from realtime.simulator.exchange.orders.submission import expiry
from realtime.simulator.exchange.orders.validation import check_shape
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import publish
from realtime.simulator.exchange.venue.matching import trailing_stop_price

_CHANGES = (
    "qty",
    "limit_price",
    "stop_price",
    "trail",
    "time_in_force",
    "client_order_id",
)


def replace(state: ExchangeState, account: Account, order: Order, body: object) -> Document:
    """Replace an order; return the new order as it was when it was sent. Raises ApiError."""
    if not isinstance(body, Mapping):
        raise malformed("request body format is invalid")
    check_may_trade(account)
    _check_replaceable(order)
    client_order_id = parse_client_order_id(body)
    check_client_order_id(account, client_order_id)
    new = _successor(state, account, order, body, client_order_id)
    _check_new(state, account, order, new)
    if new.status == "pending_new" and not can_send_now(state, new):
        new.status = "accepted"
    if account.holds_replaces and order.status != "held":
        return _hold_replacement(state, account, order, new)
    for member in (new, *(new.legs or ())):
        add_order(state, account, member)
    result = rest_order(new, with_legs=True, micros=False)
    _carry_out(state, account, order, new)
    return result


def hold_replaces(state: ExchangeState, account: Account, *, on: bool) -> None:
    """Hold replacements in `pending_replace`; switching off carries them out."""
    account.holds_replaces = on
    if on:
        return
    for order in list(account.open_orders.values()):
        new, order.replacement = order.replacement, None
        if new is None:
            continue
        if new.is_terminal:  # canceled while it waited: the old order continues
            order.status = "partially_filled" if order.filled_qty else "new"
            stamp_update(account, order)
        else:
            _carry_out(state, account, order, new)


def _hold_replacement(state: ExchangeState, account: Account, order: Order, new: Order) -> Document:
    for member in (new, *(new.legs or ())):
        add_order(state, account, member)
    order.replacement = new
    at = stamp_update(account, order)
    order.status = "pending_replace"
    publish(state, account, order, "pending_replace", at)
    return rest_order(new, with_legs=True, micros=False)


def _carry_out(state: ExchangeState, account: Account, order: Order, new: Order) -> None:
    was_held, was_armed = order.status == "held", order.armed
    order.replaced_by = new.id
    replace_in_group(state, account, order, new)
    close_order(state, account, order, "replaced")
    if was_held:
        new.status, new.armed = "held", was_armed
        if was_armed:
            state.books.add(new)
    elif can_send_now(state, new):
        start_order(state, account, new)
    else:
        new.status = "accepted"  # the market may have closed while it waited
        publish(state, account, new, "accepted", stamp_update(account, new))


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
    state: ExchangeState,
    account: Account,
    order: Order,
    body: Mapping[str, object],
    client_order_id: str | None,
) -> Order:
    """Return a new order with the changes, not yet in any book."""
    _check_changes(order, body)
    time_in_force = parse_time_in_force(body) or order.time_in_force
    submitted = account.ids.next_time()
    new = with_fields(
        order,
        id=account.ids.uuid(),
        client_order_id=client_order_id or account.ids.uuid(),
        number=state.next_number(),
        status="held" if order.status == "held" else "pending_new",
        submitted_at=submitted,
        created_at=account.ids.next_time(),
        updated_at=account.ids.next_time(),
        time_in_force=time_in_force,
        expires_at=expiry(state, order.asset, time_in_force, extended=order.extended_hours),
        qty=parse_positive(body, "qty") or order.remaining(ZERO),
        limit_price=_limit(order, body),
        stop_price=parse_positive(body, "stop_price") or order.stop_price,
        replaces=order.id,
        filled_qty=ZERO,
        filled_value=ZERO,
        cancel_requested_at=None,
        triggered=False,
        armed=False,
        was_resting=False,
        in_parts=None,
        queue_version=0,
        replacement=None,
        legs=None,
        cached_document=None,
    )
    _change_trail(new, parse_positive(body, "trail"))
    if order.is_multileg:
        new.legs = [_leg_successor(state, account, leg, new) for leg in order.legs or ()]
    return new


def _limit(order: Order, body: Mapping[str, object]) -> Decimal | None:
    limit = parse_limit_price(body, is_net=order.is_multileg)
    return order.limit_price if limit is None else limit


def _leg_successor(state: ExchangeState, account: Account, leg: Order, parent: Order) -> Order:
    return with_fields(
        leg,
        id=account.ids.uuid(),
        client_order_id=account.ids.uuid(),
        number=state.next_number(),
        status=parent.status,
        submitted_at=parent.submitted_at,
        created_at=parent.created_at,
        updated_at=parent.updated_at,
        expires_at=parent.expires_at,
        qty=(parent.qty or ZERO) * (leg.ratio_qty or ZERO),
        replaces=leg.id,
        parent=parent,
        cached_document=None,
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
    fields = [name for name in _CHANGES if body.get(name) not in (None, "")]
    if body.get("notional") not in (None, ""):
        raise unprocessable("notional can only be replaced for ipo orders")
    if "qty" in fields and order.qty is not None and not is_whole(order.qty):
        raise unprocessable("qty of fractional orders cannot be changed")
    if "trail" in fields and order.type != TRAILING_STOP:
        raise unprocessable("trail can only be replaced for trailing stop orders")
    for name in ("limit_price", "stop_price"):
        has_it = getattr(order, name) is not None and order.type != TRAILING_STOP
        if name in fields and not has_it:
            raise unprocessable(f"{order.type} orders must not have {name}")
    if not any(_is_changed(order, body, name) for name in fields):
        raise unprocessable("order parameters are not changed")


def _is_changed(order: Order, body: Mapping[str, object], name: str) -> bool:
    """Return whether a field of the body differs from the order."""
    match name:
        case "client_order_id":
            return True  # it was checked to be new
        case "time_in_force":
            return parse_time_in_force(body) != order.time_in_force
        case "limit_price":
            return parse_limit_price(body, is_net=order.is_multileg) != order.limit_price
        case "trail":
            trail = order.trail_percent if order.trail_price is None else order.trail_price
            return parse_positive(body, name) != trail
        case _:
            current: Decimal | None = getattr(order, name)
            return parse_positive(body, name) != current


def _check_new(state: ExchangeState, account: Account, old: Order, new: Order) -> None:
    if new.is_multileg:
        if not is_whole(new.qty or ZERO):
            raise unprocessable("qty must be integer for options trading")
        check_net_increment(new.limit_price)
        check_multileg(state, account, new, replacing=old)
        return
    check_shape(_order_request(new), new.asset)
    if new.status != "held":
        check_order(state, account, new, replacing=old)


def _order_request(order: Order) -> OrderRequest:
    """Return the order as a simple order request, for validation."""
    is_trailing = order.type == TRAILING_STOP
    return OrderRequest(
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
