"""The routes for bad moments: close, close everything, the kill switch."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, structs

from realtime.api.handlers.order_context import (
    AccountsQuery,
    Label,
    OrderRequestContext,
    json_answer,
    placed_answer,
)
from realtime.api.handlers.order_placement import chosen
from realtime.api.handlers.order_problems import OrderProblem
from realtime.api.parameters import NoQuery
from realtime.api.responses import ApiResponse
from realtime.core.decimals import number
from realtime.orders.errors import malformed
from realtime.orders.order_request import read_body
from realtime.orders.results import AccountLiquidation, HaltState

Number = Annotated[str, Meta(min_length=1, max_length=40)]


class PartQuery(Struct, frozen=True, kw_only=True):
    """How much of a position."""

    qty: Annotated[Number | None, Meta(description="so much of it")] = None
    percentage: Annotated[Number | None, Meta(description="this share of it, up to 100")] = None


class CloseQuery(Struct, frozen=True, kw_only=True):
    """How long to wait for it."""

    wait_s: Annotated[
        int, Meta(ge=0, le=60, description="answer after so many seconds at the latest")
    ] = 15


class CloseEverythingQuery(CloseQuery, frozen=True, kw_only=True):
    """Whether it is meant."""

    confirm: Annotated[bool, Meta(description="must be true")] = False


class HaltBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to halt, and why."""

    account_id: Label | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""


class HaltQuery(Struct, frozen=True, kw_only=True):
    """The same in the query."""

    account_id: Annotated[
        Label | None, Meta(description="only this account; everybody if left out")
    ] = None
    reason: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="shown to who is refused")
    ] = None


class LiquidationDocument(Struct, frozen=True, kw_only=True):
    """How far it is."""

    done: bool
    """Whether every account was flat in two lists, some seconds apart."""
    accounts: list[AccountLiquidation]
    left_out: dict[str, str] = {}
    """Accounts that may not be traded through here, and so keep what they have: why."""


async def close_position(asked: OrderRequestContext[PartQuery]) -> ApiResponse:
    """Close one position, or a part of it."""
    label = asked.parts["account_id"]
    asked.desk.record(label)
    placed = await asked.trading.gateway.close_position(
        label,
        asked.parts["symbol"],
        asked.principal,
        qty=_number("qty", asked.query.qty),
        percentage=_number("percentage", asked.query.percentage),
        key=asked.key,
    )
    return placed_answer(asked, placed)


async def close_account(asked: OrderRequestContext[CloseQuery]) -> ApiResponse:
    """Close all of one account."""
    label = asked.parts["account_id"]
    asked.desk.record(label)
    return await _close(asked, [label], asked.query.wait_s)


async def close_everything(asked: OrderRequestContext[CloseEverythingQuery]) -> ApiResponse:
    """Close all of every account that they may trade."""
    if not asked.query.confirm:
        raise OrderProblem("confirm_required", "nothing was done")
    seen = [label for label in asked.trading.labels if asked.principal.may_use(label)]
    refused = {label: asked.trading.gateway.why_not(label, asked.principal) for label in seen}
    left_out = {label: no for label, no in refused.items() if no is not None}
    if seen and len(left_out) == len(seen):
        raise left_out[seen[0]]
    labels = [label for label in seen if label not in left_out]
    told = {label: no.message for label, no in left_out.items()}
    return await _close(asked, labels, asked.query.wait_s, told)


async def liquidations(asked: OrderRequestContext[AccountsQuery]) -> ApiResponse:
    """How far closing is, account by account, symbol by symbol."""
    return json_answer(_document(asked, chosen(asked, asked.query.account_id)))


async def release(asked: OrderRequestContext[AccountsQuery]) -> ApiResponse:
    """End closings that are not done: the accounts keep what they have."""
    labels = chosen(asked, asked.query.account_id)
    asked.trading.liquidations.release(labels, asked.principal)
    return json_answer(_document(asked, labels))


async def halt(asked: OrderRequestContext[HaltQuery]) -> ApiResponse:
    """Stop new orders: of one account, or of everybody."""
    body = _halt_body(asked)
    asked.trading.kill_switch.halt(
        body.account_id, reason=body.reason, principal=asked.principal.name
    )
    return _kill_switch(asked)


async def resume(asked: OrderRequestContext[HaltQuery]) -> ApiResponse:
    """Allow new orders again: of one account, or of everybody."""
    body = _halt_body(asked)
    asked.trading.kill_switch.resume(body.account_id, principal=asked.principal.name)
    return _kill_switch(asked)


async def halted(asked: OrderRequestContext[NoQuery]) -> ApiResponse:
    """What is halted."""
    return _kill_switch(asked)


def _kill_switch(
    asked: OrderRequestContext[HaltQuery] | OrderRequestContext[NoQuery],
) -> ApiResponse:
    """What is halted of what they may know of."""
    scopes = asked.trading.kill_switch.state.scopes
    own = tuple(h for h in scopes if h.account_id is None or asked.principal.may_use(h.account_id))
    return json_answer(HaltState(halted=bool(own), scopes=own))


async def _close(
    asked: OrderRequestContext[CloseQuery] | OrderRequestContext[CloseEverythingQuery],
    labels: list[str],
    wait_s: int,
    left_out: Mapping[str, str] = {},
) -> ApiResponse:
    asked.trading.liquidations.begin(labels, asked.principal)
    await asked.trading.liquidations.wait(labels, wait_s)
    document = structs.replace(_document(asked, labels), left_out=dict(left_out))
    # 202: it goes on. A part that was refused is no end, it is tried again.
    return json_answer(document, 200 if document.done else 202)


def _document(
    asked: OrderRequestContext[CloseQuery]
    | OrderRequestContext[CloseEverythingQuery]
    | OrderRequestContext[AccountsQuery],
    labels: list[str],
) -> LiquidationDocument:
    known = asked.trading.liquidations.accounts
    accounts = [known[label] for label in labels if label in known]
    return LiquidationDocument(done=all(a.state == "flat" for a in accounts), accounts=accounts)


def _halt_body(asked: OrderRequestContext[HaltQuery]) -> HaltBody:
    said = HaltBody(account_id=asked.query.account_id, reason=asked.query.reason or "")
    body = read_body(asked.body, HaltBody) if asked.body.strip() else said
    if body.account_id is not None:
        asked.desk.record(body.account_id)
    elif asked.principal.accounts is not None:
        raise malformed("you see some accounts only: name one of them", field="account_id")
    return body


def _number(name: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    value = number(text)
    if value <= 0:
        raise malformed(f"must be a number > 0, got {text[:40]}", field=name)
    return value
