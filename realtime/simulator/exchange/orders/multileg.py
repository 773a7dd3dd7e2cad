"""Multi-leg option orders: two to four legs that fill together at a net price, or not at all.

The net price is the cost of one unit: the sum of bought legs minus sold legs, each by its ratio. A
positive limit is the maximum debit, a negative one the minimum credit.
"""

from collections.abc import Mapping
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import (
    compute_balances,
    reserve_net,
    update_reservation,
)
from realtime.simulator.exchange.decimals import ZERO, format_decimal, is_whole
from realtime.simulator.exchange.errors import (
    forbidden,
    malformed,
    unprocessable,
)
from realtime.simulator.exchange.orders.account_checks import (
    insufficient_buying_power,
    insufficient_qty,
    position_intent,
)
from realtime.simulator.exchange.orders.availability import available_qty
from realtime.simulator.exchange.orders.groups import handle_group_fill
from realtime.simulator.exchange.orders.lifecycle import stamp_update
from realtime.simulator.exchange.orders.option_cover import check_spread_cover
from realtime.simulator.exchange.orders.order import LEG, LIMIT, MARKET, Order
from realtime.simulator.exchange.orders.order_request import LegRequest, OrderRequest
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import publish_multileg_fill
from realtime.simulator.exchange.venue.assets import NO_ASSET, Asset
from realtime.simulator.exchange.venue.execution import book_execution, update_fill_status

_LEVEL_FOR_SPREADS = 3


def new_multileg(state: ExchangeState, account: Account, request: OrderRequest) -> Order:
    """Return an order for the request with its legs, not yet in any book."""
    _check_shape(request)
    assets = [_option(state, leg) for leg in request.legs]
    submitted = account.ids.next_time()
    order = Order(
        id=account.ids.uuid(),
        label=account.label,
        client_order_id=request.client_order_id or account.ids.uuid(),
        number=state.next_number(),
        asset=NO_ASSET,
        side="buy",
        type=request.type,
        time_in_force=request.time_in_force,
        order_class="mleg",
        status="pending_new",
        submitted_at=submitted,
        created_at=account.ids.next_time(),
        updated_at=account.ids.next_time(),
        expires_at=state.market.day_end(state.now()),
        qty=request.qty,
        limit_price=request.limit_price,
    )
    order.legs = [
        new_leg(state, account, order, asset, leg)
        for asset, leg in zip(assets, request.legs, strict=True)
    ]
    return order


def new_leg(
    state: ExchangeState, account: Account, parent: Order, asset: Asset, request: LegRequest
) -> Order:
    """Return one leg of a multi-leg order."""
    intent = position_intent(account, asset, request.side, request.position_intent or None)
    return Order(
        id=account.ids.uuid(),
        label=account.label,
        client_order_id=account.ids.uuid(),
        number=state.next_number(),
        asset=asset,
        side=request.side,
        type=parent.type,
        time_in_force=parent.time_in_force,
        order_class="mleg",
        status=parent.status,
        submitted_at=parent.submitted_at,
        created_at=parent.created_at,
        updated_at=parent.updated_at,
        expires_at=parent.expires_at,
        qty=(parent.qty or ZERO) * request.ratio_qty,
        ratio_qty=request.ratio_qty,
        position_intent=intent,
        parent=parent,
        role=LEG,
    )


def check_multileg(
    state: ExchangeState, account: Account, order: Order, *, replacing: Order | None = None
) -> None:
    """Raise ApiError for missing options level, contracts to close, cover or money."""
    if account.options_level < _LEVEL_FOR_SPREADS:
        raise forbidden("account not eligible for level 3 options trading")
    for leg in order.legs or ():
        if leg.position_intent.endswith("_to_close"):
            _check_contracts(state, account, leg)
    if _is_uncovered(order):
        raise forbidden("account not eligible to trade uncovered option contracts")
    check_spread_cover(state, account, order.legs or [])
    net = order.limit_price
    if net is None:
        net = net_price(order, state.prices.last)
    reserve_net(order, net)
    cost = _cost(order, net)
    power = compute_balances(account, state.prices.last, replacing=replacing).options_buying_power
    if cost > power:
        raise insufficient_buying_power(power, cost)


def match_multileg(state: ExchangeState) -> None:
    """Fill every spread whose net price is within its limit."""
    for order in list(state.books.multileg.values()):
        if order.status not in ("new", "pending_cancel", "pending_replace"):
            continue
        net = net_price(order, state.prices.last)
        if order.type == MARKET or (order.limit_price is not None and net <= order.limit_price):
            _fill(state, state.accounts[order.label], order, net)


def net_price(order: Order, last: Mapping[str, Decimal]) -> Decimal:
    """Return the cost of one unit at the last prices; negative is a credit."""
    return sum(
        (leg.signed(leg.ratio_qty or ZERO) * last[leg.asset.symbol] for leg in order.legs or ()),
        ZERO,
    )


def _fill(state: ExchangeState, account: Account, order: Order, net: Decimal) -> None:
    at = stamp_update(account, order)
    qty = order.qty or ZERO
    executions = []
    for leg in order.legs or ():
        price = state.prices.last[leg.asset.symbol]
        execution = book_execution(state, account, leg, leg.qty or ZERO, price, at)
        leg.updated_at = order.updated_at
        update_fill_status(state, account, leg, at, is_done=True)
        account.activity_log.record_fill(execution)
        executions.append(execution)
    order.filled_qty += qty
    order.filled_value += qty * net
    update_reservation(order)
    update_fill_status(state, account, order, at, is_done=True)
    publish_multileg_fill(state, account, order, executions, net)
    handle_group_fill(state, account, order)


def _check_shape(request: OrderRequest) -> None:
    if request.qty is None or request.notional is not None:
        raise malformed("qty is required for mleg orders")
    if not is_whole(request.qty):
        raise unprocessable("qty must be integer for options trading")
    if request.type not in (MARKET, LIMIT):
        raise unprocessable("invalid order type for mleg orders")
    if request.time_in_force != "day":
        raise unprocessable("invalid time in force for options trading")
    if request.extended_hours:
        raise unprocessable("extended hours not supported for options trading")
    if request.type == LIMIT and request.limit_price is None:
        raise unprocessable("limit orders require limit price")
    if request.type == MARKET and request.limit_price is not None:
        raise unprocessable("market orders must not have limit_price")
    check_net_increment(request.limit_price)


def check_net_increment(limit: Decimal | None) -> None:
    """Raise ApiError for a net limit with fractions of a cent."""
    if limit is not None and limit != round(limit, 2):
        raise unprocessable(
            f"invalid limit_price {format_decimal(limit)}. sub-penny increment does not fulfill"
            " minimum pricing criteria"
        )


def _option(state: ExchangeState, leg: LegRequest) -> Asset:
    asset = state.listing.get_tradable(leg.symbol)
    if not asset.is_option:
        raise unprocessable("mleg orders are only supported for options")
    return asset


def _check_contracts(state: ExchangeState, account: Account, leg: Order) -> None:
    requested = leg.qty or ZERO
    available = available_qty(account, leg.asset, state.prices.last[leg.asset.symbol])
    if requested > available:
        raise insufficient_qty(account, leg.asset, requested, available, [])


def _is_uncovered(order: Order) -> bool:
    """Return whether a written leg has no bought leg of the same kind."""
    balance: dict[tuple[str, bool], Decimal] = {}
    for leg in order.legs or ():
        terms = leg.asset.contract
        if terms is not None and leg.position_intent.endswith("_to_open"):
            kind = (terms.underlying, terms.is_call)
            balance[kind] = balance.get(kind, ZERO) + leg.signed(leg.ratio_qty or ZERO)
    return any(left < 0 for left in balance.values())


def _cost(order: Order, net: Decimal) -> Decimal:
    """Return the debit, or for a credit the widest strike difference minus the credit."""
    if net >= 0:
        return order.reserved
    opening = [leg for leg in order.legs or () if leg.position_intent.endswith("_to_open")]
    strikes = [leg.asset.contract.strike for leg in opening if leg.asset.contract is not None]
    if not strikes:
        return ZERO
    unit = (order.qty or ZERO) * NO_ASSET.multiplier
    return max((max(strikes) - min(strikes) + net) * unit, ZERO)
