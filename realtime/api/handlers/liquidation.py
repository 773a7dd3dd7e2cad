"""The routes that reduce risk: close a position, an account, everything; the kill switch."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct, structs

from realtime.api.context import RequestContext
from realtime.api.handlers.order_placement import select_labels
from realtime.api.handlers.order_problems import OrderProblem
from realtime.api.handlers.order_requests import (
    AccountsQuery,
    NumberText,
    get_set_fields,
    json_response,
    merge,
    placed_response,
)
from realtime.api.parameters import NoQuery
from realtime.api.responses import ApiResponse
from realtime.orders.errors import malformed
from realtime.orders.numbers import parse_number
from realtime.orders.order_request import Label, read_body, read_value
from realtime.orders.results import AccountLiquidation, HaltState


class PartQuery(Struct, frozen=True, kw_only=True):
    """How much of a position."""

    qty: Annotated[NumberText | None, Meta(description="this quantity of it")] = None
    percentage: Annotated[NumberText | None, Meta(description="this share of it, up to 100")] = None


class CloseQuery(Struct, frozen=True, kw_only=True):
    """How long to wait until the accounts are flat."""

    wait_s: Annotated[
        int, Meta(ge=0, le=60, description="respond after this many seconds at the latest")
    ] = 15


class CloseEverythingQuery(CloseQuery, frozen=True, kw_only=True):
    """Confirms that everything is to be closed."""

    confirm: Annotated[bool, Meta(description="must be true")] = False


class HaltBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to halt, and why."""

    account_id: Label | None = None
    reason: Annotated[str, Meta(max_length=500)] = ""


class HaltQuery(Struct, frozen=True, kw_only=True):
    """The same in the query."""

    account_id: Annotated[
        Label | None, Meta(description="only this account; every account if left out")
    ] = None
    reason: Annotated[
        Annotated[str, Meta(max_length=500)] | None, Meta(description="shown in refusals")
    ] = None


class LiquidationDocument(Struct, frozen=True, kw_only=True):
    """Progress of closing accounts."""

    done: bool
    """Whether every account was flat in two lists, some seconds apart."""
    accounts: list[AccountLiquidation]
    left_out: dict[str, str] = {}
    """Accounts that may not be traded through here, and so keep what they have → the reason."""


async def close_position(request: RequestContext[PartQuery]) -> ApiResponse:
    """Close one position, or a part of it."""
    label = request.parts["account_id"]
    request.context.record(label)
    placed = await request.trading.gateway.close_position(
        label,
        request.parts["symbol"],
        request.principal,
        qty=_read_number("qty", request.query.qty),
        percentage=_read_number("percentage", request.query.percentage),
        key=request.key,
    )
    return placed_response(request, placed)


async def close_account(request: RequestContext[CloseQuery]) -> ApiResponse:
    """Close all of one account."""
    label = request.parts["account_id"]
    request.context.record(label)
    return await _close(request, [label], request.query.wait_s)


async def close_everything(request: RequestContext[CloseEverythingQuery]) -> ApiResponse:
    """Close all of every account that the principal may trade."""
    if not request.query.confirm:
        raise OrderProblem("confirm_required", "nothing was done")
    visible = [label for label in request.trading.labels if request.principal.can_see(label)]
    refusals = {
        label: refusal
        for label in visible
        if (refusal := request.trading.gateway.find_refusal(label, request.principal)) is not None
    }
    if visible and len(refusals) == len(visible):
        raise refusals[visible[0]]
    labels = [label for label in visible if label not in refusals]
    left_out = {label: refusal.message for label, refusal in refusals.items()}
    return await _close(request, labels, request.query.wait_s, left_out)


async def get_liquidations(request: RequestContext[AccountsQuery]) -> ApiResponse:
    """Return the progress of closing, by account and symbol."""
    return json_response(_document(request, select_labels(request, request.query.account_id)))


async def release(request: RequestContext[AccountsQuery]) -> ApiResponse:
    """End liquidations that are not done: the accounts keep what they have."""
    labels = select_labels(request, request.query.account_id)
    request.trading.liquidations.release(labels, request.principal)
    return json_response(_document(request, labels))


async def halt(request: RequestContext[HaltQuery]) -> ApiResponse:
    """Stop new orders: of one account, or of all."""
    body = _read_halt(request)
    request.trading.kill_switch.halt(
        body.account_id, reason=body.reason, principal=request.principal.user_id
    )
    return _halt_response(request)


async def resume(request: RequestContext[HaltQuery]) -> ApiResponse:
    """Allow new orders again: of one account, or of all."""
    body = _read_halt(request)
    request.trading.kill_switch.resume(body.account_id, principal=request.principal.user_id)
    return _halt_response(request)


async def get_halts(request: RequestContext[NoQuery]) -> ApiResponse:
    """Return what is halted."""
    return _halt_response(request)


def _halt_response(
    request: RequestContext[HaltQuery] | RequestContext[NoQuery],
) -> ApiResponse:
    """Return what is halted, of the accounts that the principal may see."""
    scopes = request.trading.kill_switch.state.scopes
    own = tuple(
        h for h in scopes if h.account_id is None or request.principal.can_see(h.account_id)
    )
    return json_response(HaltState(halted=bool(own), scopes=own))


async def _close(
    request: RequestContext[CloseQuery] | RequestContext[CloseEverythingQuery],
    labels: list[str],
    wait_s: int,
    left_out: Mapping[str, str] = {},
) -> ApiResponse:
    request.trading.liquidations.start(labels, request.principal)
    await request.trading.liquidations.wait_until_flat(labels, wait_s)
    document = structs.replace(_document(request, labels), left_out=dict(left_out))
    # 202: it continues. A refusal does not end it: that part is tried again.
    return json_response(document, 200 if document.done else 202)


def _document(
    request: RequestContext[CloseQuery]
    | RequestContext[CloseEverythingQuery]
    | RequestContext[AccountsQuery],
    labels: list[str],
) -> LiquidationDocument:
    known = request.trading.liquidations.accounts
    accounts = [known[label] for label in labels if label in known]
    return LiquidationDocument(done=all(a.state == "flat" for a in accounts), accounts=accounts)


def _read_halt(request: RequestContext[HaltQuery]) -> HaltBody:
    body = read_body(request.body, HaltBody) if request.body.strip() else HaltBody()
    fields = merge(
        get_set_fields(request.query),
        {name: value for name, value in structs.asdict(body).items() if value},
    )
    halt = read_value(fields, HaltBody)
    if halt.account_id is not None:
        request.context.record(halt.account_id)
    elif request.principal.accounts is not None:
        raise malformed("your token sees some accounts only: name one", field="account_id")
    return halt


def _read_number(field: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    value = parse_number(text, field)
    if value <= 0:
        raise malformed(f"must be a number > 0, got {text[:40]}", field=field)
    return value
