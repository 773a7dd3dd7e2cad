"""Requests that move money, beside the reads of `rest_client`: one request each, never repeated.

`LinkError` means that the result is unknown (`NotSent` and `RateLimited`: nothing happened); the
caller then looks the order up by its `client_order_id`.
"""

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Raw, Struct
from msgspec.json import Decoder, Encoder

from realtime.broker import codec
from realtime.broker.http_client import Departure, HttpClient, HttpResponse
from realtime.broker.lenient_decoder import DECODE_ERRORS
from realtime.broker.rest_client import decode_response
from realtime.core.model import Order, Position
from realtime.errors import BrokerError, LinkError, NotSent, ProtocolViolation

ORDER_TIMEOUT_S = 10.0
"""Limit of a request that places, replaces or cancels; the broker answers in 0.1 s."""

LOOKUP_TIMEOUT_S = 5.0
"""Limit of the lookup of an order; it is repeated."""

_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The broker's are UUIDs. Nothing else becomes a path, wherever it comes from."""

_encode = Encoder().encode


class OrderResponse(Struct, frozen=True):
    """The broker's order, and its id of the request."""

    order: Order
    request_id: str | None
    body: bytes = b""
    """The order as the broker wrote it."""


class _MultiStatusItem(Struct):
    """One item of a 207 response."""

    id: str
    status: int
    body: Raw = Raw(b"null")


_MULTI_STATUS = Decoder(list[_MultiStatusItem])


class CancelResult(Struct, frozen=True):
    """The broker's result for one order of a cancel-all."""

    order_id: str
    status: int
    body: bytes


class OrderApi:
    """One account's orders at the broker."""

    def __init__(self, http: HttpClient) -> None:
        self.http = http

    async def submit(
        self, body: Mapping[str, object], departure: Departure | None = None
    ) -> OrderResponse:
        """Place an order."""
        return _decode_order(await self._send("POST", "/v2/orders", "order", body, departure))

    async def replace(
        self, order_id: str, body: Mapping[str, object], departure: Departure | None = None
    ) -> OrderResponse:
        """Replace an order; the response is its successor."""
        path = _order_path(order_id)
        return _decode_order(await self._send("PATCH", path, "order", body, departure))

    async def cancel(self, order_id: str) -> None:
        """Request that an order be canceled."""
        await self._send("DELETE", _order_path(order_id), "urgent")

    async def cancel_all(self) -> tuple[CancelResult, ...]:
        """Request that every open order be canceled."""
        response = await self._send("DELETE", "/v2/orders", "urgent")
        try:
            items = _MULTI_STATUS.decode(response.body)
        except DECODE_ERRORS as error:
            raise LinkError("the response to a cancel-all cannot be decoded") from error
        return tuple(CancelResult(item.id, item.status, bytes(item.body)) for item in items)

    async def find_by_client_order_id(
        self, client_order_id: str, lane: Literal["urgent", "lookup"] = "urgent"
    ) -> OrderResponse | None:
        """Look up an order by our own id; None when the broker knows none.

        `urgent` is for an order in doubt; a client's question goes into the lane `lookup`.
        """
        path = "/v2/orders:by_client_order_id"
        return await self._find(path, {"client_order_id": client_order_id, "nested": "true"}, lane)

    async def find_by_id(self, order_id: str) -> OrderResponse | None:
        """Look up an order by the broker's id; None when it knows none."""
        return await self._find(_order_path(order_id), {"nested": "true"})

    async def fetch_open_orders(self) -> tuple[Order, ...]:
        """Read the open orders, up to 500, in the urgent lane; legs are nested in their parents."""
        query = {"status": "open", "limit": "500", "nested": "true"}
        response = await self.http.request(
            "GET", "/v2/orders", query, "urgent", timeout_s=LOOKUP_TIMEOUT_S
        )
        return decode_response(codec.decode_orders, response.body)

    async def fetch_positions(self) -> tuple[Position, ...]:
        """Read all positions, in the urgent lane."""
        response = await self.http.request(
            "GET", "/v2/positions", {}, "urgent", timeout_s=LOOKUP_TIMEOUT_S
        )
        return decode_response(codec.decode_positions, response.body)

    async def _find(
        self, path: str, query: Mapping[str, str], lane: Literal["urgent", "lookup"] = "urgent"
    ) -> OrderResponse | None:
        try:
            response = await self.http.request("GET", path, query, lane, timeout_s=LOOKUP_TIMEOUT_S)
        except BrokerError as error:
            if error.status == 404 and error.code is not None:
                return None
            raise
        return _decode_order(response)

    async def _send(
        self,
        method: str,
        path: str,
        lane: Literal["order", "urgent"],
        body: Mapping[str, object] | None = None,
        departure: Departure | None = None,
    ) -> HttpResponse:
        content = None if body is None else _encode(body)
        return await self.http.request(
            method,
            path,
            {},
            lane,
            body=content,
            timeout_s=ORDER_TIMEOUT_S,
            departure=departure,
        )


def _order_path(order_id: str) -> str:
    """Return the path of an order. Raises `NotSent` for a text that is no order id."""
    # `quote` leaves dots as they are, and `..` would be the path of another resource.
    if _ORDER_ID.fullmatch(order_id) is None:
        raise NotSent(f"not an order id: {order_id[:64]!r}")
    return f"/v2/orders/{order_id}"


def _decode_order(response: HttpResponse) -> OrderResponse:
    try:
        order = codec.decode_order(response.body)
        return OrderResponse(order, response.request_id, response.body)
    except ProtocolViolation as error:
        # The broker accepted, but the order cannot be decoded: the caller must look it up.
        raise LinkError("the broker's order cannot be decoded") from error
