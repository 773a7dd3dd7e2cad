"""A trade happens: the order, the position, the cash, the fee, the journal, the event."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.accounts.margin import update_reservation
from realtime.simulator.exchange.decimals import ZERO, nano_up
from realtime.simulator.exchange.orders.groups import after_fill
from realtime.simulator.exchange.orders.lifecycle import touch
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.state import Floor
from realtime.simulator.exchange.trade_events import announce_fill

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


def execute(floor: Floor, account: Account, order: Order, qty: Decimal, price: Decimal) -> None:
    """Fill a quantity of the order at a price, announce it, and let its group react."""
    execution = book(floor, account, order, qty, price, touch(account, order))
    settle_status(floor, account, order, execution.at, is_done=not order.remaining(price) > 0)
    account.journal.record_fill(execution)
    announce_fill(floor, account, execution)
    after_fill(floor, account, order)


def settle_status(floor: Floor, account: Account, order: Order, at: int, *, is_done: bool) -> None:
    """Set the status after a fill; a filled order leaves the books."""
    if not is_done:
        order.status = "partially_filled"
        return
    order.status = "filled"
    order.filled_at = at
    account.open_orders.pop(order.id, None)
    floor.books.remove(order)


def book(
    floor: Floor, account: Account, order: Order, qty: Decimal, price: Decimal, at: int
) -> Execution:
    """Move position and cash by one trade of the order."""
    execution = _measure(floor, account, order, qty, price, at)
    order.filled_qty += qty
    order.filled_value += qty * price
    update_reservation(order)
    account.cash += execution.cash_delta
    account.executions[execution.id] = execution
    account.note_flow(at, order.asset.symbol, execution.position_delta, cash=execution.cash_delta)
    account.position_of(order.asset).apply(execution)
    if execution.fee_qty or execution.fee_cash:
        coins, cash = account.fees.get(order.asset.symbol, (ZERO, ZERO))
        account.fees[order.asset.symbol] = (
            coins + execution.fee_qty,
            cash + execution.fee_cash,
        )
    return execution


def _measure(
    floor: Floor, account: Account, order: Order, qty: Decimal, price: Decimal, at: int
) -> Execution:
    gross = qty * price * order.asset.multiplier
    rate = _fee_rate(account, order)
    fee_qty = nano_up(qty * rate) if order.is_buy else ZERO
    fee_cash = ZERO if order.is_buy else gross * rate
    kept = fee_qty if floor.quirks.crypto_fee_in_position else ZERO
    return Execution(
        id=account.identity.uuid(),
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
