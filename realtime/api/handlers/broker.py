"""Handlers of `/broker/…`, for programs written for one account, and of reading an account again.

The daemon's state follows the broker by itself, so nothing has to be invalidated. `use_cache=false`
and the two POST routes read the account from the broker first, which costs about five requests.
"""

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.filters import ShortWord
from realtime.api.documents.orders import OrdersQuery
from realtime.api.documents.positions import PositionsQuery
from realtime.api.documents.timestamps import format_millis
from realtime.api.handlers.account import get_account, get_orders, get_positions, never_read
from realtime.api.handlers.past import AsOfQuery
from realtime.api.history.request import HistoryRequest
from realtime.api.parameters import NoQuery
from realtime.api.problems import Problem
from realtime.api.responses import JSON, ApiResponse
from realtime.errors import RealtimeError
from realtime.store.records import Record

Query = TypeVar("Query", bound=Struct)

AccountId = Annotated[
    ShortWord | None, Meta(description="Which account; not needed if there is only one.")
]
UseCache = Annotated[bool, Meta(description="`false`: read the account from the broker first.")]


class BrokerQuery(AsOfQuery, frozen=True, kw_only=True):
    """Parameters of the routes for one account."""

    account_id: AccountId = None
    use_cache: UseCache = True


class BrokerPositionsQuery(PositionsQuery, frozen=True, kw_only=True):
    """The same for positions."""

    account_id: AccountId = None
    use_cache: UseCache = True


class BrokerOrdersQuery(OrdersQuery, frozen=True, kw_only=True):
    """The same for orders."""

    account_id: AccountId = None
    use_cache: UseCache = True


AnyBrokerQuery = BrokerQuery | BrokerPositionsQuery | BrokerOrdersQuery


class RefreshQuery(Struct, frozen=True, kw_only=True):
    """Which account is read again."""

    account_id: AccountId = None


class RefreshDocument(Struct, frozen=True, kw_only=True):
    """What is known after an account was read again."""

    account_id: str
    version: int
    as_of: str
    """When this version was made: earlier than now if nothing had changed."""
    read_at: str | None
    """When the broker last confirmed the figures."""
    stale: bool


async def get_broker_account(request: RequestContext[BrokerQuery]) -> ApiResponse | HistoryRequest:
    """The figures of one account."""
    label = await _prepare(request.context, request.query)
    return get_account(_with(request, label, request.query))


async def get_broker_positions(
    request: RequestContext[BrokerPositionsQuery],
) -> ApiResponse | HistoryRequest:
    """The positions of one account."""
    label = await _prepare(request.context, request.query)
    return get_positions(_with(request, label, request.query))


async def get_broker_orders(
    request: RequestContext[BrokerOrdersQuery],
) -> ApiResponse | HistoryRequest:
    """The orders of one account."""
    label = await _prepare(request.context, request.query)
    return get_orders(_with(request, label, request.query))


async def invalidate_cache(request: RequestContext[RefreshQuery]) -> ApiResponse:
    """Read one account again now."""
    label = _get_label(request.context, request.query.account_id)
    return await _refresh(request.context, label)


async def refresh_account(request: RequestContext[NoQuery]) -> ApiResponse:
    """Read an account again now."""
    return await _refresh(request.context, request.account_id)


def reads_broker_first(query: AnyBrokerQuery) -> bool:
    """Whether a read makes requests to the broker."""
    return not query.use_cache


async def _prepare(context: ApiContext, query: AnyBrokerQuery) -> str:
    """The label of the account, after it was read if the client requests that."""
    label = _get_label(context, query.account_id)
    if reads_broker_first(query):
        await _read_again(context, label)
    return label


def _with(request: RequestContext[Struct], label: str, query: Query) -> RequestContext[Query]:
    return RequestContext(
        context=request.context,
        query=query,
        account_id=label,
        if_none_match=request.if_none_match,
    )


def _get_label(context: ApiContext, account_id: str | None) -> str:
    if account_id is not None:
        return account_id
    labels = list(context.store.records)
    if len(labels) == 1:
        return labels[0]
    raise Problem(
        "bad_parameter",
        f"account_id: missing, and there are {len(labels)} accounts",
        remedy="account_id: name one of the accounts in GET /realtime/accounts",
    )


async def _refresh(context: ApiContext, label: str) -> ApiResponse:
    record = await _read_again(context, label)
    confirmed_at = record.confirmed_at
    document = RefreshDocument(
        account_id=record.profile.label,
        version=record.version,
        as_of=format_millis(record.as_of),
        read_at=None if confirmed_at is None else format_millis(confirmed_at),
        stale=record.link.is_stale,
    )
    return ApiResponse(
        body=ENCODER.encode(document), headers={"Content-Type": JSON, "Cache-Control": "no-store"}
    )


async def _read_again(context: ApiContext, label: str) -> Record:
    """The record after a read. Raises the problem of an account that cannot be read."""
    record = context.record(label)
    if record.link.state in ("disabled", "refused") or context.refresh is None:
        raise never_read(context, record)
    try:
        await context.refresh(label)
    except RealtimeError as error:
        raise Problem(
            "account_unreachable",
            f"account {label} could not be read: {error.message}",
            remedy=error.remedy or None,
            headers={"Retry-After": "5"},
        ) from None
    return context.record(label)
