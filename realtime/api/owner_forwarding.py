"""Requests that only the daemon may answer that keeps the account in sync: passed on to it, once.

An order gets its `client_order_id` here, before it leaves. So if the response is lost, the order is
looked up by that id, and never sent again. With an `Idempotency-Key` the same request is repeated:
the owner's gateway places one order for a key, however often it comes.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import structs

from realtime.api.context import RequestContext
from realtime.api.handlers.order_problems import OrderProblem
from realtime.api.owners import HopLost, HopRequest, HopUnsent, Owner, OwnerForwarder
from realtime.api.problems import Problem, quote
from realtime.api.responses import ApiResponse
from realtime.core.model import OrderId
from realtime.orders.errors import Unresolved

MAX_ATTEMPTS = 3
"""Of a lookup, or of a call with a key, after a response was lost."""

HALT_PATHS = frozenset({"/orders/halt", "/orders/resume"})

PLACING = frozenset({
    "/orders", "/stocks/order", "/options/order", "/stocks/{symbol}/buy", "/stocks/{symbol}/sell",
})  # fmt: skip
"""Routes that place one order."""


async def forward_to_owner(
    forwarder: OwnerForwarder,
    request: RequestContext[Any],  # Any: of every route
    hop: HopRequest,
    *,
    is_forwarded: bool,
) -> ApiResponse | None:
    """The owner's response; None if this daemon is the owner.

    `is_forwarded`: another front has passed it on already; it is not passed on again.
    """
    if forwarder.are_halts_shared and hop.route in HALT_PATHS:
        return None
    owner = _find_owner(forwarder, request)
    if owner is None:
        return None
    if is_forwarded:
        raise OrderProblem("not_owner", f"{owner.name} owns the account, not this daemon")
    if owner.problem is not None and _may_add_risk(hop):
        # A daemon that was stopped for a while would place it later, when its price is another.
        raise _unreachable(owner, owner.problem)
    client_order_id: str | None = None
    if hop.method == "POST" and hop.route in PLACING and hop.key is None:
        hop, client_order_id = _with_id(hop, forwarder.make_id)
    try:
        response = await forwarder.send(owner, hop)
    except HopUnsent as error:
        raise _unreachable(owner, str(error)) from error
    except HopLost as error:
        response = await _recover(forwarder, owner, request, hop, client_order_id, str(error))
    return structs.replace(response, headers={**response.headers, "X-Realtime-Owner": owner.name})


def _may_add_risk(hop: HopRequest) -> bool:
    """Whether a request is an order, or the change of one; cancels and halts go in any case."""
    is_order = hop.route in PLACING or hop.route == "/orders/batch"
    return hop.method == "PATCH" or (hop.method == "POST" and is_order)


def _find_owner(forwarder: OwnerForwarder, request: RequestContext[Any]) -> Owner | None:
    """The one owner of all accounts that a request names, or of all that there are."""
    labels = _get_labels(request)
    for label in labels:
        request.context.record(label)
    owners = {forwarder.get_owner(label) for label in labels} if labels else {*forwarder.owners}
    if len(owners) == 1:
        return owners.pop()
    names = ", ".join(sorted(_describe(owner) for owner in owners)) or "none"
    raise Problem("several_owners", f"the owners of these accounts are {names}")


def _describe(owner: Owner | None) -> str:
    if owner is None:
        return "this daemon"
    return f"{owner.name} ({owner.url})" if owner.url else owner.name


def _get_labels(request: RequestContext[Any]) -> list[str]:
    """The accounts that a request names in its path, query or body, or by an order's id."""
    labels: list[str] = []
    named = request.parts.get("account_id") or request.account_id
    if named:
        labels.append(named)
    for name in ("account_id", "labels"):
        labels += _as_labels(getattr(request.query, name, None))
    body = _read_object(request.body)
    if isinstance(body, dict):
        for name in ("account_id", "labels"):
            labels += _as_labels(body.get(name))
        if isinstance(body.get("orders"), list):
            body = body["orders"]
    if isinstance(body, list):
        for order in body:
            labels += _as_labels(order.get("account_id") if isinstance(order, dict) else None)
    order_id = request.parts.get("order_id")
    if order_id and not labels:
        labels += [
            record.profile.label
            for record in request.context.store
            if OrderId(order_id.lower()) in record.state.orders
        ]
    return list(dict.fromkeys(labels))


def _as_labels(value: object) -> list[str]:
    items = value if isinstance(value, list | tuple) else [value]
    return [item for item in items if isinstance(item, str)]


def _read_object(body: bytes) -> Any:  # Any: JSON of a client
    try:
        return msgspec.json.decode(body) if body.strip() else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None  # the owner says what is wrong with it


def _with_id(hop: HopRequest, make_id: Callable[[], str]) -> tuple[HopRequest, str | None]:
    """The request with a client order id, and the id; an id of the client's own is kept. The rest
    of the body stays as it is, so that no number changes."""
    query = hop.path.partition("?")[2]
    if "client_order_id=" in query:
        return hop, None
    document = _read_object(hop.body)
    text = hop.body.strip()
    if document is None and not text:
        document, text = {}, b"{}"
    if not isinstance(document, dict):
        return hop, None
    if "client_order_id" in document:
        own = document["client_order_id"]
        return hop, own if isinstance(own, str) else None
    client_order_id = make_id()
    member = b'"client_order_id":%b' % json.dumps(client_order_id).encode()
    body = text[:-1].rstrip() + (b"," if document else b"") + member + b"}"
    content_type = hop.content_type or "application/json"
    return structs.replace(hop, body=body, content_type=content_type), client_order_id


async def _recover(
    forwarder: OwnerForwarder,
    owner: Owner,
    request: RequestContext[Any],
    hop: HopRequest,
    client_order_id: str | None,
    reason: str,
) -> ApiResponse:
    """What became of a request whose response was lost, if that can be known."""
    labels = _get_labels(request)
    again = hop if hop.key is not None else None
    if again is None and client_order_id is not None:
        query = {"client_order_id": client_order_id}
        if len(labels) == 1:
            query["account_id"] = labels[0]
        route = "/orders/by_client_order_id"
        path = f"{route}?{urlencode(query)}"
        again = HopRequest(method="GET", path=path, route=route, token=hop.token)
    for _ in range(MAX_ATTEMPTS if again is not None else 0):
        try:
            response = await forwarder.send(owner, again or hop)
        except (HopUnsent, HopLost):
            continue
        if hop.key is not None or response.status == 200:
            return response
    if hop.route in PLACING:
        raise Unresolved(
            f"the response of {owner.name} was lost: {reason}",
            account_id=labels[0] if len(labels) == 1 else "",
            client_order_id=client_order_id,
        )
    raise OrderProblem(
        "owner_response_lost", f"the response of {owner.name} to {hop.method} was lost: {reason}"
    )


def _unreachable(owner: Owner, reason: str) -> OrderProblem:
    remedy = f"nothing was sent: retry, or send it to {owner.url}" if owner.url else None
    return OrderProblem(
        "owner_unreachable",
        f"owner {quote(owner.name)} cannot be reached from here: {reason}",
        remedy=remedy,
        headers={"Retry-After": "2"},
    )
