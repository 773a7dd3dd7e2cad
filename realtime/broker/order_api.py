"""The calls that move money, beside the readings of `rest.py`: one request each, never repeated.

`LinkError` means that nobody knows whether it happened (`NotSent` and `RateLimited`: it did not);
whoever calls then asks for the order by its `client_order_id` before it believes anything.
"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import quote

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder

from realtime.broker import codec as wire
from realtime.broker.http_client import HttpClient, HttpReply
from realtime.broker.lenient_decoder import MISFIT
from realtime.broker.rest_client import read
from realtime.core.model import Order, Position
from realtime.errors import BrokerError, LinkError, ProtocolViolation

ORDER_S = 10.0
"""Limit of a call that places, changes or cancels; the broker answers in 0.1 s."""

LOOKUP_S = 5.0
"""Limit of asking what became of an order: it is asked again."""

_encode = Encoder().encode


class OrderReply(Struct, frozen=True):
    """The broker's order, and its name for the request."""

    order: Order
    request_id: str | None


class _Item(Struct):
    """One line of a 207."""

    id: str
    status: int
    body: Raw = Raw(b"null")


_ITEMS = Decoder(list[_Item])


class CancelReply(Struct, frozen=True):
    """What the broker says of one order of a cancel-all."""

    order_id: str
    status: int
    body: bytes


class OrderApi:
    """One account's orders at the broker."""

    def __init__(self, channel: HttpClient) -> None:
        self.channel = channel

    async def submit(self, body: Mapping[str, object]) -> OrderReply:
        """Place an order."""
        return _order(await self._tell("POST", "/v2/orders", "order", body))

    async def replace(self, order_id: str, body: Mapping[str, object]) -> OrderReply:
        """Replace an order; the answer is its successor."""
        return _order(await self._tell("PATCH", _path(order_id), "order", body))

    async def cancel(self, order_id: str) -> None:
        """Ask for an order to be canceled."""
        await self._tell("DELETE", _path(order_id), "urgent")

    async def cancel_all(self) -> tuple[CancelReply, ...]:
        """Ask for every open order to be canceled."""
        said = await self._tell("DELETE", "/v2/orders", "urgent")
        try:
            items = _ITEMS.decode(said.body)
        except MISFIT as error:
            raise LinkError("the answer to a cancel-all cannot be read") from error
        return tuple(CancelReply(item.id, item.status, bytes(item.body)) for item in items)

    async def by_client_order_id(self, client_order_id: str) -> OrderReply | None:
        """Ask for an order by our own id; None when the broker knows none."""
        path = "/v2/orders:by_client_order_id"
        return await self._find(path, {"client_order_id": client_order_id, "nested": "true"})

    async def by_id(self, order_id: str) -> OrderReply | None:
        """Ask for an order by the broker's id; None when it knows none."""
        return await self._find(_path(order_id), {"nested": "true"})

    async def open_orders(self) -> tuple[Order, ...]:
        """Ask for what works at the broker now, up to 500; legs stand in their parents."""
        query = {"status": "open", "limit": "500", "nested": "true"}
        said = await self.channel.ask("GET", "/v2/orders", query, "urgent", limit_s=LOOKUP_S)
        return read(wire.decode_orders, said.body)

    async def positions(self) -> tuple[Position, ...]:
        """Ask for all positions, before the turn of other readings."""
        said = await self.channel.ask("GET", "/v2/positions", {}, "urgent", limit_s=LOOKUP_S)
        return read(wire.decode_positions, said.body)

    async def _find(self, path: str, query: Mapping[str, str]) -> OrderReply | None:
        try:
            said = await self.channel.ask("GET", path, query, "urgent", limit_s=LOOKUP_S)
        except BrokerError as error:
            if error.status == 404 and error.code is not None:
                return None
            raise
        return _order(said)

    async def _tell(
        self,
        method: str,
        path: str,
        lane: Literal["order", "urgent"],
        body: Mapping[str, object] | None = None,
    ) -> HttpReply:
        sent = None if body is None else _encode(body)
        return await self.channel.ask(method, path, {}, lane, body=sent, limit_s=ORDER_S)


def _path(order_id: str) -> str:
    return f"/v2/orders/{quote(order_id, safe='')}"


def _order(said: HttpReply) -> OrderReply:
    try:
        return OrderReply(wire.decode_order(said.body), said.request_id)
    except ProtocolViolation as error:
        # It said yes, and we cannot read to what: it has to be asked for.
        raise LinkError("the broker's order cannot be read") from error
