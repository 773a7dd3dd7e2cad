"""Cancel one order or all: usually straight to `canceled`, sometimes by way of `pending_cancel`."""

import re

from realtime.simulator.exchange.accounts import Account
from realtime.simulator.exchange.documents import rest_order
from realtime.simulator.exchange.floor import Floor
from realtime.simulator.exchange.orders import Order
from realtime.simulator.exchange.refusal import Document, malformed, not_found, unprocessable
from realtime.simulator.exchange.trading import end

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def find_order(account: Account, order_id: str) -> Order:
    """Return the account's order, or refuse: a malformed id is another refusal than an unknown."""
    order_id = order_id.lower()
    if not _UUID.fullmatch(order_id):
        raise malformed("order_id is missing")
    order = account.orders.get(order_id)
    if order is None:
        raise not_found(f"order not found for {order_id}")
    return order


def find_by_client_order_id(account: Account, client_order_id: str) -> Order:
    """Return the account's order of this client order id, or refuse."""
    if not client_order_id:
        raise malformed("client_order_id is missing")
    order = account.by_client_order_id.get(client_order_id)
    if order is None:
        raise not_found(f"order not found for {client_order_id[:128]}")
    return order


def cancel(floor: Floor, account: Account, order: Order) -> None:
    """Cancel an order, or refuse if it has ended or is being replaced."""
    if order.is_terminal or order.status in ("pending_cancel", "pending_replace"):
        raise unprocessable(f'order is already in "{order.status}" state')
    order.cancel_requested_at = account.identity.stamp()
    end(floor, account, order, "canceled")


def cancel_all(floor: Floor, account: Account) -> list[Document]:
    """Cancel every open order that can be; the answer has one item each."""
    answer: list[Document] = []
    for order in list(account.open_orders.values()):
        if order.is_terminal or order.parent is not None:
            continue
        cancel(floor, account, order)
        item: Document = {"id": order.id, "status": 200}
        if floor.quirks.cancel_all_body:
            item["body"] = rest_order(order, with_legs=False, micros=floor.quirks.rest_micros)
        answer.append(item)
    return answer
