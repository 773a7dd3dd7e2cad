"""Later changes by venue or back office: busts, corrections, splits, symbol changes, cash."""

from decimal import ROUND_DOWN, Decimal

from msgspec.structs import replace as with_fields

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import update_reservation
from realtime.simulator.exchange.decimals import ZERO, format_decimal, round_to_cents
from realtime.simulator.exchange.orders.lifecycle import close_order, stamp_update
from realtime.simulator.exchange.orders.order import LEG, Execution, Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import publish_reversal
from realtime.simulator.exchange.venue.assets import Asset

# Rare statuses set by a venue; the order keeps its place in the book but does not trade until
# it is `new` again.
RARE_STATUSES = ("stopped", "suspended", "calculated", "accepted_for_bidding", "done_for_day")


def bust(state: ExchangeState, account: Account, execution_id: str) -> None:
    """Undo an execution. A filled order is open again, but no longer trades."""
    execution = _get_execution(account, execution_id)
    order = execution.order
    at = stamp_update(account, order)
    execution.is_busted = True
    _reverse(account, execution, at)
    if order.status == "filled":
        order.status = "partially_filled" if order.filled_qty else "new"
        order.filled_at = None
        account.open_orders[order.id] = order
    account.activity_log.remove_fill(execution)
    publish_reversal(
        state,
        account,
        execution,
        "trade_bust",
        at,
        previous_id=execution.id,
        execution_id=account.ids.uuid(),
    )


def correct(state: ExchangeState, account: Account, execution_id: str, price: Decimal) -> None:
    """Change the price of an execution, which gets a new id."""
    old = _get_execution(account, execution_id)
    order = old.order
    at = stamp_update(account, order)
    gross = order.signed((price - old.price) * old.qty * order.asset.multiplier)
    new = with_fields(old, id=account.ids.uuid(), price=price, at=at)
    new.cash_delta = old.cash_delta - gross
    old.is_busted = True
    account.executions[new.id] = new
    account.cash -= gross
    account.record_flow(at, order.asset.symbol, ZERO, cash=-gross)
    order.filled_value += (price - old.price) * old.qty
    position = account.position_of(order.asset)
    if old in position.today:
        position.today[position.today.index(old)] = new
        position.rebuild()
    account.activity_log.remove_fill(old)
    account.activity_log.record_fill(new)
    publish_reversal(
        state, account, new, "trade_correct", at, previous_id=old.id, execution_id=new.id
    )


def split(state: ExchangeState, asset: Asset, ratio: int, *, reverse: bool = False) -> None:
    """Split a stock `ratio` for 1, or 1 for `ratio` if `reverse`; no event is sent.

    Prices and positions follow. Resting orders are adjusted by a forward split and canceled by a
    reverse one (FINRA rule 5330).
    """
    new, old = (1, ratio) if reverse else (ratio, 1)
    if ratio < 2 or not asset.is_equity:
        raise ValueError(f"cannot split {asset.symbol} {new} for {old}")
    state.prices.split(asset.symbol, Decimal(new) / old)
    for account in state.accounts.values():
        for order in [o for o in account.open_orders.values() if o.asset is asset]:
            if reverse:
                close_order(state, account, order, "canceled", is_silent=True)
            else:
                _split_order(state, account, order, Decimal(ratio))
        if account.get_qty(asset):
            _split_position(state, account, asset, new, old)


def rename(state: ExchangeState, asset: Asset, symbol: str) -> None:
    """Change a stock's symbol: positions follow, its orders end; no event is sent."""
    if not asset.is_equity:
        raise ValueError(f"cannot rename {asset.symbol}")
    renamed = state.listing.rename(asset, symbol)
    state.prices.rename(asset.symbol, symbol)
    for account in state.accounts.values():
        for order in [o for o in account.open_orders.values() if o.asset is asset]:
            close_order(state, account, order, "canceled", is_silent=True)
        if qty := account.get_qty(asset):
            _rename_position(account, asset, renamed, qty)


def transfer_cash(account: Account, amount: Decimal) -> None:
    """Deposit, or withdraw if negative."""
    at = account.ids.next_time()
    account.cash += amount
    account.deposits_today += amount
    account.record_flow(at, "", ZERO, cash=amount, is_deposit=True)
    account.activity_log.record(
        "CSD" if amount >= 0 else "CSW",
        at,
        account.ids.uuid(),
        net_amount=format_decimal(amount),
        description="",
    )


def set_status(state: ExchangeState, account: Account, order: Order, status: str) -> int:
    """Set one of the rare statuses and return when; the caller announces it."""
    if status not in RARE_STATUSES or order.is_terminal or order.status == "held":
        raise ValueError(f'order is "{order.status}", it cannot become "{status}"')
    at = stamp_update(account, order)
    order.status = status
    state.books.remove(order)
    return at


def _get_execution(account: Account, execution_id: str) -> Execution:
    execution = account.executions.get(execution_id)
    if execution is None or execution.is_busted:
        raise ValueError(f'no execution "{execution_id}" in force')
    if execution.order.role == LEG:
        raise ValueError("an execution of a multi-leg order cannot be changed alone")
    return execution


def _reverse(account: Account, execution: Execution, at: int) -> None:
    order = execution.order
    order.filled_qty -= execution.qty
    order.filled_value -= execution.qty * execution.price
    update_reservation(order)
    account.cash -= execution.cash_delta
    account.record_flow(
        at, order.asset.symbol, -execution.position_delta, cash=-execution.cash_delta
    )
    coins, cash = account.fees.get(order.asset.symbol, (ZERO, ZERO))
    if coins or cash:
        left = (max(coins - execution.fee_qty, ZERO), max(cash - execution.fee_cash, ZERO))
        account.fees[order.asset.symbol] = left
    position = account.position_of(order.asset)
    if execution in position.today:
        position.rebuild()
    else:
        position.adjust(-execution.position_delta, execution.price)


def _split_order(state: ExchangeState, account: Account, order: Order, ratio: Decimal) -> None:
    if order.filled_qty or order.notional is not None:
        close_order(state, account, order, "canceled", is_silent=True)
        return
    state.books.remove(order)
    order.qty = order.qty * ratio if order.qty is not None else None
    for name in ("limit_price", "stop_price", "trail_price", "hwm"):
        value = getattr(order, name)
        if value is not None:
            setattr(order, name, round(value / ratio, 4 if value / ratio < 1 else 2))
    order.reserve_price /= ratio
    order.cached_document = None
    stamp_update(account, order)
    if order.armed or order.status in ("new", "pending_cancel", "pending_replace"):
        state.books.add(order)


def _rename_position(account: Account, asset: Asset, renamed: Asset, qty: Decimal) -> None:
    at = account.ids.next_time()
    account.positions[renamed.symbol] = account.positions[asset.symbol].renamed(renamed)
    account.record_flow(at, asset.symbol, -qty)
    account.record_flow(at, renamed.symbol, qty)
    _record_share_activity(
        account, "NC", at, renamed, qty, f"{asset.symbol} is now {renamed.symbol}"
    )


def _split_position(
    state: ExchangeState, account: Account, asset: Asset, new: int, old: int
) -> None:
    at = account.ids.next_time()
    position = account.positions[asset.symbol]
    before = position.qty
    position.split(Decimal(new), Decimal(old))
    account.record_flow(at, asset.symbol, position.qty - before)
    _record_share_activity(
        account, "SPLIT", at, asset, position.qty - before, f"{new} for {old} split"
    )
    fraction = position.qty - position.qty.to_integral_value(ROUND_DOWN)
    if fraction and (position.qty < 0 or not asset.fractionable):
        _pay_fraction(state, account, asset, fraction)


def _pay_fraction(state: ExchangeState, account: Account, asset: Asset, fraction: Decimal) -> None:
    """Replace the fraction of a share that a reverse split left with cash."""
    at = account.ids.next_time()
    price = state.prices.last[asset.symbol]
    account.positions[asset.symbol].adjust(-fraction, price)
    cash = round_to_cents(fraction * price)
    account.cash += cash
    account.record_flow(at, asset.symbol, -fraction, cash=cash)
    account.activity_log.record(
        "REORG",
        at,
        account.ids.uuid(),
        net_amount=format_decimal(cash),
        symbol=asset.symbol,
        qty=format_decimal(-fraction),
        price=format_decimal(price),
        description="cash in lieu of fractional shares",
    )


def _record_share_activity(
    account: Account, kind: str, at: int, asset: Asset, qty: Decimal, description: str
) -> None:
    """Record an activity for shares that moved without cash."""
    account.activity_log.record(
        kind,
        at,
        account.ids.uuid(),
        net_amount="0",
        symbol=asset.symbol,
        qty=format_decimal(qty),
        description=description,
    )
