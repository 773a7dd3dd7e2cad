"""From a ticket to an order in the books: POST /v2/orders."""

from realtime.simulator.exchange.accounts import Account
from realtime.simulator.exchange.assets import Asset
from realtime.simulator.exchange.checks import (
    check_client_order_id,
    check_may_trade,
    check_order,
    position_intent,
)
from realtime.simulator.exchange.documents import rest_order
from realtime.simulator.exchange.floor import Floor
from realtime.simulator.exchange.matching import trailing_stop_price
from realtime.simulator.exchange.orders import TRAILING_STOP, Order
from realtime.simulator.exchange.refusal import Document
from realtime.simulator.exchange.rules import check_shape
from realtime.simulator.exchange.tickets import Ticket, read_ticket
from realtime.simulator.exchange.timestamps import DAY
from realtime.simulator.exchange.trading import register, send, start_work

_GTC_DAYS = 90


def submit(floor: Floor, account: Account, body: object) -> Document:
    """Take an order, or refuse it; the answer shows it as it was when it was sent."""
    ticket = read_ticket(body)
    check_may_trade(account)
    check_client_order_id(account, ticket.client_order_id)
    order = new_order(floor, account, ticket)
    check_order(floor, account, order)
    register(account, order)
    send(floor, account, order)
    answer = rest_order(order, with_legs=True, micros=False)
    if order.status == "pending_new":
        start_work(floor, account, order)
    return answer


def new_order(floor: Floor, account: Account, ticket: Ticket) -> Order:
    """Return an order for the ticket, not yet in any book."""
    asset = floor.listing.tradable(ticket.symbol)
    check_shape(ticket, asset)
    intent = position_intent(account, asset, ticket.side, ticket.position_intent)
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
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        extended_hours=ticket.extended_hours,
        position_intent=intent,
    )
    if order.type == TRAILING_STOP:
        order.hwm = floor.prices.last[asset.symbol]
        order.stop_price = trailing_stop_price(order)
    return order


def expiry(floor: Floor, asset: Asset, time_in_force: str, *, extended: bool) -> int:
    """Return when the order ends by itself: the session's close, or the close 90 days on."""
    now = floor.now()
    if time_in_force == "gtc":
        now += _GTC_DAYS * DAY
    return floor.market.day_end(now, extended=extended and asset.is_equity)
