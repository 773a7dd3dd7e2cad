"""From a ticket to an order in the books: POST /v2/orders."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.documents import rest_order
from realtime.simulator.exchange.errors import Document, unprocessable
from realtime.simulator.exchange.orders.account_checks import (
    check_client_order_id,
    check_may_trade,
    check_order,
    position_intent,
)
from realtime.simulator.exchange.orders.groups import start_work
from realtime.simulator.exchange.orders.lifecycle import register, send
from realtime.simulator.exchange.orders.multileg import check_multileg, new_multileg
from realtime.simulator.exchange.orders.order import (
    ENTRY,
    LIMIT,
    STOP,
    STOP_LIMIT,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING_STOP,
    Order,
)
from realtime.simulator.exchange.orders.order_request import Ticket, read_ticket
from realtime.simulator.exchange.orders.validation import check_exits, check_shape
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.timestamps import DAY
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.exchange.venue.matching import trailing_stop_price

_GTC_DAYS = 90


def submit(floor: Floor, account: Account, body: object) -> Document:
    """Take an order, or refuse it; the answer shows it as it was when it was sent."""
    ticket = read_ticket(body)
    check_may_trade(account)
    check_client_order_id(account, ticket.client_order_id)
    order = _admit(floor, account, ticket)
    for member in (order, *(order.legs or ())):
        register(floor, account, member)
    send(floor, account, order)
    answer = rest_order(order, with_legs=True, micros=False)
    if order.status == "pending_new":
        start_work(floor, account, order)
    return answer


def expiry(floor: Floor, asset: Asset, time_in_force: str, *, extended: bool) -> int:
    """Return when the order ends by itself: the session's close, or the close 90 days on."""
    now = floor.now()
    if time_in_force == "gtc":
        now += _GTC_DAYS * DAY
    if time_in_force == "opg":
        now = floor.market.next_open(now)
    return floor.market.day_end(now, extended=extended and asset.is_equity)


def _admit(floor: Floor, account: Account, ticket: Ticket) -> Order:
    """Return the order with its legs, checked, not yet in any book."""
    if ticket.order_class == "mleg":
        order = new_multileg(floor, account, ticket)
        check_multileg(floor, account, order)
        return order
    order = _new_order(floor, account, ticket)
    if not ticket.is_simple:
        _check_exit_prices(floor, order, ticket)
    check_order(floor, account, order)
    if not ticket.is_simple:
        order.legs = _exits(floor, account, order, ticket)
    return order


def _new_order(floor: Floor, account: Account, ticket: Ticket) -> Order:
    asset = floor.listing.tradable(ticket.symbol)
    check_shape(ticket, asset)
    intent = position_intent(account, asset, ticket.side, ticket.position_intent)
    is_pair = ticket.order_class == "oco"
    submitted = account.identity.stamp()
    order = Order(
        id=account.identity.uuid(),
        label=account.label,
        client_order_id=ticket.client_order_id or account.identity.uuid(),
        number=floor.next_number(),
        asset=asset,
        side=ticket.side,
        type=ticket.type,
        time_in_force=ticket.time_in_force,
        order_class="simple" if asset.is_option else ticket.order_class,
        status="pending_new",
        submitted_at=submitted,
        created_at=account.identity.stamp(),
        updated_at=account.identity.stamp(),
        expires_at=expiry(floor, asset, ticket.time_in_force, extended=ticket.extended_hours),
        qty=ticket.qty,
        notional=ticket.notional,
        limit_price=(ticket.take_profit_limit or ticket.limit_price)
        if is_pair
        else ticket.limit_price,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        extended_hours=ticket.extended_hours,
        position_intent=intent,
        role=TAKE_PROFIT if is_pair else ENTRY,
    )
    if order.type == TRAILING_STOP:
        order.hwm = floor.prices.last[asset.symbol]
        order.stop_price = trailing_stop_price(order)
    return order


def _check_exit_prices(floor: Floor, order: Order, ticket: Ticket) -> None:
    market = floor.prices.last[order.asset.symbol]
    if ticket.order_class == "oco":
        if order.position_intent.endswith("_to_open"):
            raise unprocessable("oco orders must be exit orders")
        check_exits(ticket, market)
        return
    check_exits(ticket, ticket.limit_price or ticket.stop_price or market)


def _exits(floor: Floor, account: Account, entry: Order, ticket: Ticket) -> list[Order]:
    """Return the legs: they have ids at once and wait as `held`."""
    legs = []
    if ticket.take_profit_limit is not None and ticket.order_class != "oco":
        legs.append(_exit(floor, account, entry, TAKE_PROFIT, limit=ticket.take_profit_limit))
    if ticket.stop_loss_stop is not None:
        legs.append(
            _exit(
                floor,
                account,
                entry,
                STOP_LOSS,
                stop=ticket.stop_loss_stop,
                limit=ticket.stop_loss_limit,
            )
        )
    return legs


def _exit(
    floor: Floor,
    account: Account,
    entry: Order,
    role: str,
    *,
    stop: Decimal | None = None,
    limit: Decimal | None = None,
) -> Order:
    is_pair = entry.order_class == "oco"
    opposite = "sell" if entry.is_buy else "buy"
    side = entry.side if is_pair else opposite
    kind = LIMIT if stop is None else STOP if limit is None else STOP_LIMIT
    return Order(
        id=account.identity.uuid(),
        label=account.label,
        client_order_id=account.identity.uuid(),
        number=floor.next_number(),
        asset=entry.asset,
        side=side,
        type=kind,
        time_in_force=entry.time_in_force,
        order_class=entry.order_class,
        status="held",
        submitted_at=entry.submitted_at,
        created_at=entry.created_at,
        updated_at=entry.updated_at,
        expires_at=entry.expires_at,
        qty=entry.qty,
        limit_price=limit,
        stop_price=stop,
        position_intent=f"{side}_to_close",
        parent=entry,
        role=role,
    )
