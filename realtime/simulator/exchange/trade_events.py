"""Events of the trading stream: the event, and the whole order after it."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import format_decimal
from realtime.simulator.exchange.documents import frame_order
from realtime.simulator.exchange.errors import Document
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.state import ExchangeState, TradeUpdate
from realtime.simulator.exchange.timestamps import MICROSECOND, format_rfc3339, new_york_date
from realtime.simulator.exchange.venue.calendar import next_trading_day


def publish(state: ExchangeState, account: Account, order: Order, event: str, at: int) -> None:
    """Send an event that carries an execution id, as most do."""
    data = _frame(state, account, order, event, at)
    data["execution_id"] = account.ids.uuid()
    _send(state, account, data)


def publish_pending_new(state: ExchangeState, account: Account, order: Order, at: int) -> None:
    """Send `pending_new`, which has no execution id unless that quirk is on."""
    data = _frame(state, account, order, "pending_new", at)
    if state.quirks.execution_id_on_pending_new:
        data["execution_id"] = account.ids.uuid()
    _send(state, account, data)


def publish_rejection(
    state: ExchangeState, account: Account, order: Order, event: str, at: int, reason: str
) -> None:
    """Send `order_cancel_rejected` or `order_replace_rejected`."""
    data = _frame(state, account, order, event, at)
    data["reason"] = reason
    _send(state, account, data)


def publish_fill(state: ExchangeState, account: Account, execution: Execution) -> None:
    """Send `fill` or `partial_fill`; price and quantity are those of this execution."""
    order = execution.order
    event = "fill" if order.status == "filled" else "partial_fill"
    data = _frame(state, account, order, event, execution.at)
    data["price"] = format_decimal(execution.price)
    data["qty"] = format_decimal(execution.qty)
    data["position_qty"] = format_decimal(account.get_qty(execution.asset))
    data["execution_id"] = execution.id
    data["swap_rate"] = "1"
    data["settle_date"] = settle_date(execution)
    _send(state, account, data)


def publish_multileg_fill(
    state: ExchangeState, account: Account, order: Order, executions: list[Execution], net: Decimal
) -> None:
    """Send the fill of a multi-leg order: one execution per leg, no execution id."""
    at = executions[-1].at
    data = _frame(state, account, order, "fill", at)
    data["price"] = format_decimal(net)
    data["qty"] = format_decimal(order.filled_qty)
    data["position_qtys"] = {
        e.asset.symbol: format_decimal(account.get_qty(e.asset)) for e in executions
    }
    data["legs"] = [
        {
            "execution_id": execution.id,
            "qty": format_decimal(execution.qty),
            "price": format_decimal(execution.price),
            "order_id": execution.order.id,
            "symbol": execution.asset.symbol,
            "timestamp": format_rfc3339(execution.at),
        }
        for execution in executions
    ]
    _send(state, account, data)


def publish_reversal(
    state: ExchangeState,
    account: Account,
    execution: Execution,
    event: str,
    at: int,
    *,
    previous_id: str,
    execution_id: str,
) -> None:
    """Send `trade_bust` or `trade_correct` about an earlier execution."""
    data = _frame(state, account, execution.order, event, at)
    data["price"] = format_decimal(execution.price)
    data["qty"] = format_decimal(execution.qty)
    data["position_qty"] = format_decimal(account.get_qty(execution.asset))
    data["execution_id"] = execution_id
    data["previous_execution_id"] = previous_id
    if event == "trade_bust":
        data["reason"] = "TRADE_BUST"
    _send(state, account, data)


def settle_date(execution: Execution) -> str:
    """Return the settlement day: the same for crypto, the next trading day for the rest."""
    day = new_york_date(execution.at)
    return (day if execution.asset.is_crypto else next_trading_day(day)).isoformat()


def _frame(state: ExchangeState, account: Account, order: Order, event: str, at: int) -> Document:
    with_legs = state.quirks.parent_legs_in_frame
    if state.quirks.legacy_frames:
        return {
            "event": event,
            "timestamp": format_rfc3339(at),
            "order": frame_order(order, with_legs=with_legs),
        }
    published = account.ids.next_time()
    return {
        "at": format_rfc3339(published // MICROSECOND * MICROSECOND),
        "event_id": account.ids.event_id(published),
        "event": event,
        "timestamp": format_rfc3339(at),
        "order": frame_order(order, with_legs=with_legs),
    }


def _send(state: ExchangeState, account: Account, data: Document) -> None:
    account.seq += 1
    if state.on_update is not None:
        state.on_update(TradeUpdate(account.label, data))
