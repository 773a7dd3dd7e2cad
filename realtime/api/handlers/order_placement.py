"""The routes that place, change and cancel orders."""

from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType, structs

from realtime.api.handlers.order_context import (
    AccountQuery,
    AccountsQuery,
    Label,
    Labels,
    OrderRequestContext,
    Text,
    json_answer,
    order_bytes,
    placed_answer,
)
from realtime.api.handlers.order_problems import OrderProblem, of_declined, of_unresolved
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem, quote
from realtime.api.responses import ApiResponse
from realtime.orders.errors import Declined, Unresolved, malformed
from realtime.orders.order_request import (
    ClientOrderId,
    OrderChanges,
    Placement,
    Strategy,
    Time,
    read_body,
    read_value,
)
from realtime.orders.results import Placed
from realtime.orders.validation import asset_kind

Number = Annotated[str, Meta(min_length=1, max_length=40)]

MAX_BATCH = 2000
"""Orders of one batch."""


class QuickOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A quick order: a quantity or an amount, and no more than is needed. Query or body."""

    qty: Annotated[Number | None, Meta(description="shares")] = None
    notional: Annotated[Number | None, Meta(description="dollars")] = None
    limit_price: Annotated[Number | None, Meta(description="makes it a limit order")] = None
    time_in_force: Annotated[Time | None, Meta(description="day; gtc for coins")] = None
    client_order_id: Annotated[
        ClientOrderId | None, Meta(description="your own name for the order")
    ] = None
    account_id: Annotated[Label | None, Meta(description="exactly this account")] = None
    routing_key: Annotated[Text | None, Meta(description="equal keys go to the same account")] = (
        None
    )
    strategy: Annotated[Strategy | None, Meta(description="how to choose among several")] = None
    tier: Annotated[Text | None, Meta(description="among the accounts of this tier")] = None
    labels: Annotated[Labels | None, Meta(description="among these accounts")] = None
    force: Annotated[bool, Meta(description="also an account that is not live")] = False


class _QuickBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same as JSON, where quantities may be numbers."""

    qty: Decimal | UnsetType = UNSET
    notional: Decimal | UnsetType = UNSET
    limit_price: Decimal | UnsetType = UNSET
    time_in_force: Time | UnsetType = UNSET
    client_order_id: ClientOrderId | UnsetType = UNSET
    account_id: Label | UnsetType = UNSET
    routing_key: Text | UnsetType = UNSET
    strategy: Strategy | UnsetType = UNSET
    tier: Text | UnsetType = UNSET
    labels: Labels | UnsetType = UNSET
    force: bool | UnsetType = UNSET


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Many orders; each is read, and refused, by itself."""

    orders: list[Raw]


class BatchItem(Struct, frozen=True, kw_only=True):
    """The answer to one order of a batch, in Alpaca's form of a 207."""

    account_id: str | None
    client_order_id: str | None
    status: int
    body: object


async def place(asked: OrderRequestContext[NoQuery]) -> ApiResponse:
    """Any order."""
    return await _place(asked, read_body(asked.body, Placement))


async def place_stock(asked: OrderRequestContext[NoQuery]) -> ApiResponse:
    """An order for a stock, checked to be one."""
    wish = read_body(asked.body, Placement)
    if asset_kind(wish) != "stock":
        raise malformed(f"this route is for stocks; {wish.symbol or 'mleg'} is none")
    return await _place(asked, wish)


async def place_option(asked: OrderRequestContext[NoQuery]) -> ApiResponse:
    """An order for an option or several, checked to be one."""
    wish = read_body(asked.body, Placement)
    if asset_kind(wish) not in ("option", "mleg"):
        raise malformed(f"this route is for options; {wish.symbol} is none")
    return await _place(asked, wish)


async def buy(asked: OrderRequestContext[QuickOrder]) -> ApiResponse:
    """Buy by quantity or amount."""
    return await _quick(asked, "buy")


async def sell(asked: OrderRequestContext[QuickOrder]) -> ApiResponse:
    """Sell by quantity or amount."""
    return await _quick(asked, "sell")


async def place_batch(asked: OrderRequestContext[NoQuery]) -> ApiResponse:
    """Many orders at once; one's failure is its own."""
    raws = _batch(asked.body)
    if not 0 < len(raws) <= MAX_BATCH:
        raise malformed(f"orders: 1–{MAX_BATCH} orders are expected, got {len(raws)}")
    wishes = [_read(raw) for raw in raws]
    outcomes = await asked.trading.gateway.place_all(wishes, asked.principal, key=asked.key)
    items = [_item(asked, wish, outcome) for wish, outcome in zip(wishes, outcomes, strict=True)]
    return json_answer(items, 200 if all(item.status == 200 for item in items) else 207)


async def replace(asked: OrderRequestContext[AccountQuery]) -> ApiResponse:
    """Replace an order; the answer is its successor."""
    changes = read_body(asked.body, OrderChanges)
    label, order_id = _find(asked)
    placed = await asked.trading.gateway.replace(
        label, order_id, changes, asked.principal, key=asked.key
    )
    return placed_answer(asked, placed)


async def cancel(asked: OrderRequestContext[AccountQuery]) -> ApiResponse:
    """Cancel an order."""
    label, order_id = _find(asked)
    await asked.trading.gateway.cancel(label, order_id, asked.principal)
    headers = {"Cache-Control": "no-store", "X-Realtime-Account": label}
    return ApiResponse(status=204, headers=headers)


async def cancel_all(asked: OrderRequestContext[AccountsQuery]) -> ApiResponse:
    """Cancel every open order of some accounts, or of all."""
    labels = chosen(asked, asked.query.account_id)
    items = await asked.trading.gateway.cancel_all(labels, asked.principal)
    told = [
        {"account_id": i.account_id, "id": i.order_id, "status": i.status, "body": i.body}
        for i in items
    ]
    return json_answer(told, 207)


def chosen(asked: OrderRequestContext[AccountsQuery], labels: tuple[str, ...] | None) -> list[str]:
    """The accounts that are named, or all that they may use."""
    seen = [label for label in asked.trading.labels if asked.principal.may_use(label)]
    for label in labels or ():
        if label not in seen:
            raise asked.desk.unknown_account(label)
    return list(dict.fromkeys(labels)) if labels else seen


async def _place(asked: OrderRequestContext[NoQuery], wish: Placement) -> ApiResponse:
    placed = await asked.trading.gateway.place(wish, asked.principal, key=asked.key)
    return placed_answer(asked, placed)


async def _quick(asked: OrderRequestContext[QuickOrder], side: str) -> ApiResponse:
    given = {
        name: value
        for name, value in structs.asdict(asked.query).items()
        if value is not None and value is not False
    }
    if asked.body.strip():
        written = structs.asdict(read_body(asked.body, _QuickBody))
        for name, value in written.items():
            if value is UNSET:
                continue
            if name in given:
                raise malformed("given in the query and in the body", field=name)
            given[name] = value
    symbol = asked.parts["symbol"].upper()
    given.setdefault("time_in_force", "gtc" if "/" in symbol else "day")
    kind = "limit" if "limit_price" in given else "market"
    wish = read_value({**given, "symbol": symbol, "side": side, "type": kind}, Placement)
    placed = await asked.trading.gateway.place(wish, asked.principal, key=asked.key)
    return placed_answer(asked, placed)


def _batch(body: bytes) -> list[Raw]:
    if body.lstrip()[:1] == b"[":
        try:
            return msgspec.json.decode(body, type=list[Raw])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            raise malformed("the body is not JSON") from None
    return read_body(body, Batch).orders


def _read(raw: Raw) -> Placement | Declined:
    try:
        return read_body(bytes(raw), Placement)
    except Declined as no:
        return no


def _item(
    asked: OrderRequestContext[NoQuery],
    wish: Placement | Declined,
    outcome: Placed | Declined | Unresolved,
) -> BatchItem:
    if isinstance(outcome, Placed):
        origin = asked.trading.gateway.origin(outcome.account_id, outcome.order)
        return BatchItem(
            account_id=outcome.account_id,
            client_order_id=outcome.client_order_id,
            status=200,
            body=Raw(order_bytes(outcome.account_id, outcome.order, origin)),
        )
    account_id = wish.account_id if isinstance(wish, Placement) else None
    client_order_id = wish.client_order_id if isinstance(wish, Placement) else None
    if isinstance(outcome, Unresolved):
        answer = of_unresolved(outcome).answer()
        account_id, client_order_id = outcome.account_id, outcome.client_order_id
    else:
        answer = of_declined(outcome).answer()
    return BatchItem(
        account_id=account_id,
        client_order_id=client_order_id,
        status=answer.status,
        body=Raw(answer.body),
    )


def _find(asked: OrderRequestContext[AccountQuery]) -> tuple[str, str]:
    """The account of an order: the one that is named, or the one that has it."""
    order_id, label = asked.parts["order_id"].lower(), asked.query.account_id
    if label is not None:
        asked.desk.record(label)
        return label, order_id
    for record in asked.desk.store:
        if order_id in record.state.orders:
            return record.profile.label, order_id
    raise unknown_order(order_id)


def unknown_order(order_id: str) -> Problem:
    """The problem of an order that no account is known to have."""
    return OrderProblem("unknown_order", f"no account is known to have {quote(order_id)}")
