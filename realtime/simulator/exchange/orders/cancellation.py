"""Cancellation of one order or all: `canceled` immediately, or `pending_cancel` while held."""

import re

from realtime.simulator.exchange.accounts.account import Account
from realtime.simulator.exchange.documents import rest_order
from realtime.simulator.exchange.errors import (
    ApiError,
    Document,
    malformed,
    not_found,
    unprocessable,
)
from realtime.simulator.exchange.orders.groups import close_group
from realtime.simulator.exchange.orders.lifecycle import stamp_update
from realtime.simulator.exchange.orders.order import LEG, Order
from realtime.simulator.exchange.state import ExchangeState
from realtime.simulator.exchange.trade_events import publish

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def get_order(account: Account, order_id: str) -> Order:
    """Return the account's order; raises ApiError for a malformed or an unknown id."""
    order_id = order_id.lower()
    if not _UUID.fullmatch(order_id):
        raise malformed("order_id is missing")
    order = account.orders.get(order_id)
    if order is None:
        raise not_found(f"order not found for {order_id}")
    return order


def get_order_by_client_order_id(account: Account, client_order_id: str) -> Order:
    """Return the account's order of this client order id; raises ApiError."""
    if not client_order_id:
        raise malformed("client_order_id is missing")
    order = account.by_client_order_id.get(client_order_id)
    if order is None:
        raise not_found(f"order not found for {client_order_id[:128]}")
    return order


def cancel(state: ExchangeState, account: Account, order: Order) -> None:
    """Cancel an order and its group; raises ApiError if it has ended or is being changed."""
    _request(account, order)
    _carry_out(state, account, order)


def cancel_all(state: ExchangeState, account: Account) -> list[Document]:
    """Cancel every open order; the result shows each as `pending_cancel`."""
    # An order whose group was just canceled is no longer open.
    return [
        _canceled(state, account, order)
        for order in list(account.open_orders.values())
        if not order.is_terminal and order.status != "held" and order.role != LEG
    ]


def hold_cancels(state: ExchangeState, account: Account, *, on: bool) -> None:
    """Hold cancels in `pending_cancel`; switching off carries them out."""
    account.holds_cancels = on
    if on:
        return
    for order in list(account.open_orders.values()):
        if order.cancel_requested_at is not None and not order.is_terminal:
            close_group(state, account, order, "canceled")


def _canceled(state: ExchangeState, account: Account, order: Order) -> Document:
    try:
        _request(account, order)
    except ApiError as error:
        return {"id": order.id, "status": error.status, "body": error.body}
    item: Document = {"id": order.id, "status": 200}
    if state.quirks.cancel_all_body:
        body = rest_order(order, with_legs=False, micros=state.quirks.rest_micros)
        item["body"] = {**body, "status": "pending_cancel"}
    _carry_out(state, account, order)
    return item


def _request(account: Account, order: Order) -> None:
    if order.role == LEG:
        raise unprocessable("cannot cancel individual legs of a mleg order")
    if order.is_terminal or order.status in ("pending_cancel", "pending_replace"):
        raise unprocessable(f'order is already in "{order.status}" state')
    order.cancel_requested_at = account.ids.next_time()


def _carry_out(state: ExchangeState, account: Account, order: Order) -> None:
    if not account.holds_cancels:
        close_group(state, account, order, "canceled")
        return
    at = stamp_update(account, order)
    order.status = "pending_cancel"
    publish(state, account, order, "pending_cancel", at)
