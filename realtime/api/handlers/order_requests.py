"""What a client sent to a route for orders, and the responses of these routes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct, structs

from realtime.api.context import RequestContext
from realtime.api.documents.document_cache import ENCODER
from realtime.api.responses import JSON, ApiResponse
from realtime.core.model import Order
from realtime.orders.errors import malformed
from realtime.orders.order_request import Label, Strategy
from realtime.orders.results import Origin, Placed

Query = TypeVar("Query", bound=Struct)
Query_co = TypeVar("Query_co", bound=Struct, covariant=True)

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Labels = Annotated[tuple[Label, ...], Meta(max_length=1000)]
NumberText = Annotated[str, Meta(min_length=1, max_length=40)]

NO_STORE = {"Content-Type": JSON, "Cache-Control": "no-store"}


class AccountQuery(Struct, frozen=True, kw_only=True):
    """Which account an order is in."""

    account_id: Annotated[Label | None, Meta(description="the account, if it is known")] = None


class AccountsQuery(Struct, frozen=True, kw_only=True):
    """Which accounts."""

    account_id: Annotated[
        Labels | None, Meta(description="these accounts; all of them if left out")
    ] = None


class RoutingQuery(Struct, frozen=True, kw_only=True):
    """Which account, by name or by a strategy."""

    account_id: Annotated[Label | None, Meta(description="exactly this account")] = None
    routing_key: Annotated[Text | None, Meta(description="equal keys go to the same account")] = (
        None
    )
    strategy: Annotated[Strategy | None, Meta(description="how to choose among several")] = None
    tier: Annotated[Text | None, Meta(description="among the accounts of this tier")] = None
    labels: Annotated[Labels | None, Meta(description="among these accounts")] = None
    force: Annotated[bool, Meta(description="also an account that is not synced")] = False


def merge(query: Mapping[str, object], body: Mapping[str, object]) -> dict[str, object]:
    """Return the fields of a request that may be in the query and in the body.

    Raises `Declined` for a field that is in both with different values.
    """
    for name, value in query.items():
        if name in body and body[name] != value:
            raise malformed("the query and the body contradict each other", field=name)
    return {**body, **query}


def get_set_fields(query: Struct) -> dict[str, object]:
    """Return the query parameters that were sent."""
    return {
        name: value
        for name, value in structs.asdict(query).items()
        if value is not None and value is not False
    }


def encode_order(account_id: str, order: Order, origin: Origin) -> bytes:
    """Return Alpaca's order as JSON, with the account and its origin in front."""
    head = msgspec.json.encode({"account_id": account_id, "origin": origin})
    return head[:-1] + b"," + ENCODER.encode(order)[1:]


def placed_response(request: RequestContext[Query], placed: Placed) -> ApiResponse:
    """Return the order, and in headers how it was placed."""
    origin = request.trading.gateway.get_origin(placed.account_id, placed.order)
    return ApiResponse(
        body=encode_order(placed.account_id, placed.order, origin),
        headers={**NO_STORE, **_placed_headers(placed)},
    )


def _placed_headers(placed: Placed) -> dict[str, str]:
    headers = {"X-Realtime-Account": placed.account_id}
    if placed.route is not None:
        headers["X-Realtime-Route"] = placed.route.reason
    if placed.request_id is not None and placed.request_id.isprintable():
        headers["X-Broker-Request-Id"] = placed.request_id[:128]
    if placed.how == "replayed":
        headers["Idempotency-Replayed"] = "true"
    return headers


def json_response(document: object, status: int = 200) -> ApiResponse:
    """Return any document."""
    return ApiResponse(status=status, body=_encode(document), headers=NO_STORE)


def _encode(document: object) -> bytes:
    return msgspec.json.encode(document, enc_hook=_encode_decimal)


def _encode_decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"no JSON for {type(value).__name__}")
