"""Option spreads: two to four legs that fill together, at a net price, or not at all.

The net is what one unit costs: bought legs count up, sold legs down, each by its ratio. A limit
above zero is the most a debit may cost, one below zero the least a credit must bring.
"""

from collections.abc import Mapping
from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import count_money, reserve_net, update_reservation
from realtime.simulator.exchange.decimals import ZERO, is_whole, plain
from realtime.simulator.exchange.errors import (
    forbidden,
    malformed,
    unprocessable,
)
from realtime.simulator.exchange.orders.account_checks import (
    insufficient_buying_power,
    position_intent,
)
from realtime.simulator.exchange.orders.availability import available_qty
from realtime.simulator.exchange.orders.groups import after_fill
from realtime.simulator.exchange.orders.lifecycle import touch
from realtime.simulator.exchange.orders.option_cover import check_spread_cover
from realtime.simulator.exchange.orders.order import LEG, LIMIT, MARKET, Order
from realtime.simulator.exchange.orders.order_request import LegTicket, Ticket
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.trade_events import announce_multileg_fill
from realtime.simulator.exchange.venue.assets import NO_ASSET, Asset
from realtime.simulator.exchange.venue.execution import book, settle_status

_LEVEL_FOR_SPREADS = 3


def new_multileg(floor: Floor, account: Account, ticket: Ticket) -> Order:
    """Return an order for the ticket with its legs, not yet in any book."""
    _check_shape(ticket)
    assets = [_option(floor, leg) for leg in ticket.legs]
    submitted = account.identity.stamp()
    order = Order(
        id=account.identity.uuid(),
        label=account.label,
        client_order_id=ticket.client_order_id or account.identity.uuid(),
        number=floor.next_number(),
        asset=NO_ASSET,
        side="buy",
        type=ticket.type,
        time_in_force=ticket.time_in_force,
        order_class="mleg",
        status="pending_new",
        submitted_at=submitted,
        created_at=account.identity.stamp(),
        updated_at=account.identity.stamp(),
        expires_at=floor.market.day_end(floor.now()),
        qty=ticket.qty,
        limit_price=ticket.limit_price,
    )
    order.legs = [
        new_leg(floor, account, order, asset, leg)
        for asset, leg in zip(assets, ticket.legs, strict=True)
    ]
    return order


def new_leg(
    floor: Floor, account: Account, parent: Order, asset: Asset, ticket: LegTicket
) -> Order:
    """Return one leg of a multi-leg order."""
    intent = position_intent(account, asset, ticket.side, ticket.position_intent or None)
    return Order(
        id=account.identity.uuid(),
        label=account.label,
        client_order_id=account.identity.uuid(),
        number=floor.next_number(),
        asset=asset,
        side=ticket.side,
        type=parent.type,
        time_in_force=parent.time_in_force,
        order_class="mleg",
        status=parent.status,
        submitted_at=parent.submitted_at,
        created_at=parent.created_at,
        updated_at=parent.updated_at,
        expires_at=parent.expires_at,
        qty=(parent.qty or ZERO) * ticket.ratio_qty,
        ratio_qty=ticket.ratio_qty,
        position_intent=intent,
        parent=parent,
        role=LEG,
    )


def check_multileg(
    floor: Floor, account: Account, order: Order, *, without: Order | None = None
) -> None:
    """Refuse a spread for want of a level, of contracts to close, of cover or of money."""
    if account.options_level < _LEVEL_FOR_SPREADS:
        raise forbidden("account not eligible for level 3 options trading")
    for leg in order.legs or ():
        if leg.position_intent.endswith("_to_close"):
            _check_contracts(floor, account, leg)
    if _is_uncovered(order):
        raise forbidden("account not eligible to trade uncovered option contracts")
    check_spread_cover(floor, account, order.legs or [])
    net = order.limit_price
    if net is None:
        net = net_price(order, floor.prices.last)
    reserve_net(order, net)
    cost = _cost(order, net)
    power = count_money(account, floor.prices.last, without=without).options_buying_power
    if cost > power:
        raise insufficient_buying_power(power, cost)


def match_multileg(floor: Floor) -> None:
    """Fill every spread whose net price is within its limit."""
    for order in list(floor.books.multileg.values()):
        if order.status not in ("new", "pending_cancel", "pending_replace"):
            continue
        net = net_price(order, floor.prices.last)
        if order.type == MARKET or (order.limit_price is not None and net <= order.limit_price):
            _fill(floor, floor.accounts[order.label], order, net)


def net_price(order: Order, last: Mapping[str, Decimal]) -> Decimal:
    """Return what one unit costs at the last prices; negative is a credit."""
    return sum(
        (leg.signed(leg.ratio_qty or ZERO) * last[leg.asset.symbol] for leg in order.legs or ()),
        ZERO,
    )


def _fill(floor: Floor, account: Account, order: Order, net: Decimal) -> None:
    at = touch(account, order)
    qty = order.qty or ZERO
    executions = []
    for leg in order.legs or ():
        price = floor.prices.last[leg.asset.symbol]
        execution = book(floor, account, leg, leg.qty or ZERO, price, at)
        leg.updated_at = order.updated_at
        settle_status(floor, account, leg, at, is_done=True)
        account.journal.record_fill(execution)
        executions.append(execution)
    order.filled_qty += qty
    order.filled_value += qty * net
    update_reservation(order)
    settle_status(floor, account, order, at, is_done=True)
    announce_multileg_fill(floor, account, order, executions, net)
    after_fill(floor, account, order)


def _check_shape(ticket: Ticket) -> None:
    if ticket.qty is None or ticket.notional is not None:
        raise malformed("qty is required for mleg orders")
    if not is_whole(ticket.qty):
        raise unprocessable("qty must be integer for options trading")
    if ticket.type not in (MARKET, LIMIT):
        raise unprocessable("invalid order type for mleg orders")
    if ticket.time_in_force != "day":
        raise unprocessable("invalid time in force for options trading")
    if ticket.extended_hours:
        raise unprocessable("extended hours not supported for options trading")
    if ticket.type == LIMIT and ticket.limit_price is None:
        raise unprocessable("limit orders require limit price")
    if ticket.type == MARKET and ticket.limit_price is not None:
        raise unprocessable("market orders must not have limit_price")
    check_net_increment(ticket.limit_price)


def check_net_increment(limit: Decimal | None) -> None:
    """Refuse a net limit between two cents."""
    if limit is not None and limit != round(limit, 2):
        raise unprocessable(
            f"invalid limit_price {plain(limit)}. sub-penny increment does not fulfill minimum"
            " pricing criteria"
        )


def _option(floor: Floor, leg: LegTicket) -> Asset:
    asset = floor.listing.tradable(leg.symbol)
    if not asset.is_option:
        raise unprocessable("mleg orders are only supported for options")
    return asset


def _check_contracts(floor: Floor, account: Account, leg: Order) -> None:
    wanted = leg.qty or ZERO
    available = available_qty(account, leg.asset, floor.prices.last[leg.asset.symbol])
    if wanted > available:
        held = abs(account.held(leg.asset))
        raise forbidden(
            f"insufficient qty available for order (requested: {plain(wanted)}, "
            f"available: {plain(available)})",
            available=plain(available),
            existing_qty=plain(held),
            held_for_orders=plain(held - available),
            related_orders=[],
            symbol=leg.asset.symbol,
        )


def _is_uncovered(order: Order) -> bool:
    """Tell whether a written leg has no bought leg of the same kind beside it."""
    balance: dict[tuple[str, bool], Decimal] = {}
    for leg in order.legs or ():
        terms = leg.asset.contract
        if terms is not None and leg.position_intent.endswith("_to_open"):
            kind = (terms.underlying, terms.is_call)
            balance[kind] = balance.get(kind, ZERO) + leg.signed(leg.ratio_qty or ZERO)
    return any(left < 0 for left in balance.values())


def _cost(order: Order, net: Decimal) -> Decimal:
    """Return the debit, or for a credit the widest gap between strikes less what it brings."""
    if net >= 0:
        return order.reserved
    opening = [leg for leg in order.legs or () if leg.position_intent.endswith("_to_open")]
    strikes = [leg.asset.contract.strike for leg in opening if leg.asset.contract is not None]
    if not strikes:
        return ZERO
    unit = (order.qty or ZERO) * NO_ASSET.multiplier
    return max((max(strikes) - min(strikes) + net) * unit, ZERO)
