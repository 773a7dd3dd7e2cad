"""The events of the trading stream: what happened, and the whole order after it."""

from decimal import Decimal

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.decimals import plain
from realtime.simulator.exchange.documents import frame_order
from realtime.simulator.exchange.errors import Document
from realtime.simulator.exchange.orders.order import Execution, Order
from realtime.simulator.exchange.state import Floor, TradeUpdate
from realtime.simulator.exchange.timestamps import MICROSECOND, new_york_date, rfc3339
from realtime.simulator.exchange.venue.calendar import next_trading_day


def announce(floor: Floor, account: Account, order: Order, event: str, at: int) -> None:
    """Send an event that carries an execution id, as most do."""
    data = _frame(floor, account, order, event, at)
    data["execution_id"] = account.identity.uuid()
    _send(floor, account, data)


def announce_pending_new(floor: Floor, account: Account, order: Order, at: int) -> None:
    """Send `pending_new`, which has no execution id unless the quirk says so."""
    data = _frame(floor, account, order, "pending_new", at)
    if floor.quirks.execution_id_on_pending_new:
        data["execution_id"] = account.identity.uuid()
    _send(floor, account, data)


def announce_refusal(
    floor: Floor, account: Account, order: Order, event: str, at: int, reason: str
) -> None:
    """Send `order_cancel_rejected` or `order_replace_rejected`."""
    data = _frame(floor, account, order, event, at)
    data["reason"] = reason
    _send(floor, account, data)


def announce_fill(floor: Floor, account: Account, execution: Execution) -> None:
    """Send `fill` or `partial_fill`; price and quantity are this execution's alone."""
    order = execution.order
    event = "fill" if order.status == "filled" else "partial_fill"
    data = _frame(floor, account, order, event, execution.at)
    data["price"] = plain(execution.price)
    data["qty"] = plain(execution.qty)
    data["position_qty"] = plain(account.held(execution.asset))
    data["execution_id"] = execution.id
    data["swap_rate"] = "1"
    data["settle_date"] = settle_date(execution)
    _send(floor, account, data)


def announce_multileg_fill(
    floor: Floor, account: Account, order: Order, executions: list[Execution], net: Decimal
) -> None:
    """Send the fill of a multi-leg order: one execution a leg, no id of its own."""
    at = executions[-1].at
    data = _frame(floor, account, order, "fill", at)
    data["price"] = plain(net)
    data["qty"] = plain(order.filled_qty)
    data["position_qtys"] = {e.asset.symbol: plain(account.held(e.asset)) for e in executions}
    data["legs"] = [
        {
            "execution_id": execution.id,
            "qty": plain(execution.qty),
            "price": plain(execution.price),
            "order_id": execution.order.id,
            "symbol": execution.asset.symbol,
            "timestamp": rfc3339(execution.at),
        }
        for execution in executions
    ]
    _send(floor, account, data)


def announce_change(
    floor: Floor,
    account: Account,
    execution: Execution,
    event: str,
    at: int,
    *,
    previous_id: str,
    execution_id: str,
) -> None:
    """Send `trade_bust` or `trade_correct` about an earlier execution."""
    data = _frame(floor, account, execution.order, event, at)
    data["price"] = plain(execution.price)
    data["qty"] = plain(execution.qty)
    data["position_qty"] = plain(account.held(execution.asset))
    data["execution_id"] = execution_id
    data["previous_execution_id"] = previous_id
    if event == "trade_bust":
        data["reason"] = "TRADE_BUST"
    _send(floor, account, data)


def settle_date(execution: Execution) -> str:
    """Return the settlement day: the same for crypto, the next trading day for the rest."""
    day = new_york_date(execution.at)
    return (day if execution.asset.is_crypto else next_trading_day(day)).isoformat()


def _frame(floor: Floor, account: Account, order: Order, event: str, at: int) -> Document:
    with_legs = floor.quirks.parent_legs_in_frame
    if floor.quirks.legacy_frames:
        return {
            "event": event,
            "timestamp": rfc3339(at),
            "order": frame_order(order, with_legs=with_legs),
        }
    published = account.identity.stamp()
    return {
        "at": rfc3339(published // MICROSECOND * MICROSECOND),
        "event_id": account.identity.event_id(published),
        "event": event,
        "timestamp": rfc3339(at),
        "order": frame_order(order, with_legs=with_legs),
    }


def _send(floor: Floor, account: Account, data: Document) -> None:
    account.seq += 1
    if floor.on_update is not None:
        floor.on_update(TradeUpdate(account.label, data))
