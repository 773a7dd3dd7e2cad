"""Submission of an order: POST /v2/orders."""

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
from realtime.simulator.exchange.orders.groups import start_order
from realtime.simulator.exchange.orders.lifecycle import add_order, send_order
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
from realtime.simulator.exchange.orders.order_request import OrderRequest, parse_order_request
from realtime.simulator.exchange.orders.validation import check_exits, check_shape
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.timestamps import DAY
from realtime.simulator.exchange.venue.assets import Asset
from realtime.simulator.exchange.venue.matching import trailing_stop_price

_GTC_DAYS = 90


def submit(state: ExchangeState, account: Account, body: object) -> Document:
    """Accept an order and return it as it was when it was sent; raises ApiError."""
    request = parse_order_request(body)
    check_may_trade(account)
    check_client_order_id(account, request.client_order_id)
    order = _new_checked_order(state, account, request)
    for member in (order, *(order.legs or ())):
        add_order(state, account, member)
    send_order(state, account, order)
    result = rest_order(order, with_legs=True, micros=False)
    if order.status == "pending_new":
        start_order(state, account, order)
    return result


def expiry(state: ExchangeState, asset: Asset, time_in_force: str, *, extended: bool) -> int:
    """Return when the order expires: the session's close, or the close in 90 days."""
    now = state.now()
    if time_in_force == "gtc":
        now += _GTC_DAYS * DAY
    if time_in_force == "opg":
        now = state.market.next_open(now)
    return state.market.day_end(now, extended=extended and asset.is_equity)


def _new_checked_order(state: ExchangeState, account: Account, request: OrderRequest) -> Order:
    """Return the checked order with its legs, not yet in any book."""
    if request.order_class == "mleg":
        order = new_multileg(state, account, request)
        check_multileg(state, account, order)
        return order
    order = _new_order(state, account, request)
    if not request.is_simple:
        _check_exit_prices(state, order, request)
    check_order(state, account, order)
    if not request.is_simple:
        order.legs = _exits(state, account, order, request)
    return order


def _new_order(state: ExchangeState, account: Account, request: OrderRequest) -> Order:
    asset = state.listing.get_tradable(request.symbol)
    check_shape(request, asset)
    intent = position_intent(account, asset, request.side, request.position_intent)
    is_pair = request.order_class == "oco"
    submitted = account.ids.next_time()
    order = Order(
        id=account.ids.uuid(),
        label=account.label,
        client_order_id=request.client_order_id or account.ids.uuid(),
        number=state.next_number(),
        asset=asset,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        order_class="simple" if asset.is_option else request.order_class,
        status="pending_new",
        submitted_at=submitted,
        created_at=account.ids.next_time(),
        updated_at=account.ids.next_time(),
        expires_at=expiry(state, asset, request.time_in_force, extended=request.extended_hours),
        qty=request.qty,
        notional=request.notional,
        limit_price=(request.take_profit_limit or request.limit_price)
        if is_pair
        else request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        extended_hours=request.extended_hours,
        position_intent=intent,
        role=TAKE_PROFIT if is_pair else ENTRY,
    )
    if order.type == TRAILING_STOP:
        order.hwm = state.prices.last[asset.symbol]
        order.stop_price = trailing_stop_price(order)
    return order


def _check_exit_prices(state: ExchangeState, order: Order, request: OrderRequest) -> None:
    market = state.prices.last[order.asset.symbol]
    if request.order_class == "oco":
        if order.position_intent.endswith("_to_open"):
            raise unprocessable("oco orders must be exit orders")
        check_exits(request, market)
        return
    check_exits(request, request.limit_price or request.stop_price or market)


def _exits(
    state: ExchangeState, account: Account, entry: Order, request: OrderRequest
) -> list[Order]:
    """Return the legs, which wait as `held`."""
    legs = []
    if request.take_profit_limit is not None and request.order_class != "oco":
        legs.append(_exit(state, account, entry, TAKE_PROFIT, limit=request.take_profit_limit))
    if request.stop_loss_stop is not None:
        legs.append(
            _exit(
                state,
                account,
                entry,
                STOP_LOSS,
                stop=request.stop_loss_stop,
                limit=request.stop_loss_limit,
            )
        )
    return legs


def _exit(
    state: ExchangeState,
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
        id=account.ids.uuid(),
        label=account.label,
        client_order_id=account.ids.uuid(),
        number=state.next_number(),
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
