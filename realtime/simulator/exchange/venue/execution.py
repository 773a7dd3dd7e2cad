"""Execution of a trade: order, position, cash, fee, activity and event."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import update_reservation
from realtime.simulator.exchange.decimals import ZERO, ceil_to_nano
from realtime.simulator.exchange.orders.groups import handle_group_fill
from realtime.simulator.exchange.orders.lifecycle import stamp_update
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import publish_fill

# Crypto tier → (maker, taker) fee as a fraction.
_CRYPTO_FEES = {
    1: (Decimal("0.0015"), Decimal("0.0025")),
    2: (Decimal("0.0012"), Decimal("0.0022")),
    3: (Decimal("0.0010"), Decimal("0.0020")),
    4: (Decimal("0.0008"), Decimal("0.0018")),
    5: (Decimal("0.0005"), Decimal("0.0015")),
    6: (Decimal("0.0002"), Decimal("0.0013")),
    7: (Decimal("0.0002"), Decimal("0.0012")),
    8: (Decimal("0"), Decimal("0.0010")),
}


def execute(
    state: ExchangeState, account: Account, order: Order, qty: Decimal, price: Decimal
) -> None:
    """Fill a quantity of the order at a price, publish it, and update its group."""
    execution = book_execution(state, account, order, qty, price, stamp_update(account, order))
    update_fill_status(state, account, order, execution.at, is_done=not order.remaining(price) > 0)
    account.activity_log.record_fill(execution)
    publish_fill(state, account, execution)
    handle_group_fill(state, account, order)


def update_fill_status(
    state: ExchangeState, account: Account, order: Order, at: int, *, is_done: bool
) -> None:
    """Set the status after a fill; a filled order leaves the order book."""
    if not is_done:
        order.status = "partially_filled"
        return
    order.status = "filled"
    order.filled_at = at
    account.open_orders.pop(order.id, None)
    state.books.remove(order)


def book_execution(
    state: ExchangeState, account: Account, order: Order, qty: Decimal, price: Decimal, at: int
) -> Execution:
    """Apply one trade of the order to position and cash."""
    execution = _new_execution(state, account, order, qty, price, at)
    order.filled_qty += qty
    order.filled_value += qty * price
    update_reservation(order)
    account.cash += execution.cash_delta
    account.executions[execution.id] = execution
    account.record_flow(at, order.asset.symbol, execution.position_delta, cash=execution.cash_delta)
    account.position_of(order.asset).apply(execution)
    if execution.fee_qty or execution.fee_cash:
        coins, cash = account.fees.get(order.asset.symbol, (ZERO, ZERO))
        account.fees[order.asset.symbol] = (
            coins + execution.fee_qty,
            cash + execution.fee_cash,
        )
    return execution


def _new_execution(
    state: ExchangeState, account: Account, order: Order, qty: Decimal, price: Decimal, at: int
) -> Execution:
    gross = qty * price * order.asset.multiplier
    rate = _fee_rate(account, order)
    fee_qty = ceil_to_nano(qty * rate) if order.is_buy else ZERO
    fee_cash = ZERO if order.is_buy else gross * rate
    kept = fee_qty if state.quirks.crypto_fee_in_position else ZERO
    return Execution(
        id=account.ids.uuid(),
        order=order,
        asset=order.asset,
        qty=qty,
        price=price,
        at=at,
        position_delta=order.signed(qty) - kept,
        cash_delta=-order.signed(gross) - fee_cash,
        fee_qty=fee_qty,
        fee_cash=fee_cash,
    )


def _fee_rate(account: Account, order: Order) -> Decimal:
    if not order.asset.is_crypto:
        return ZERO
    maker, taker = _CRYPTO_FEES[max(1, min(account.spec.crypto_tier, 8))]
    return maker if order.was_resting else taker
