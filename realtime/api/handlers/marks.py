"""Marks of many accounts: totals by tier and book, sources of prices, and errors of the past."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.mark_totals import (
    BookMarks,
    TierMarks,
    add_up_marks,
    make_mark_totals,
)
from realtime.api.documents.marks import (
    MarkAccuracy,
    MarkDocument,
    PositionMarkRow,
    make_accuracy,
    make_mark,
    make_position_mark,
)
from realtime.api.documents.timestamps import format_millis
from realtime.api.documents.totals import MarkedMoney, add_up_money
from realtime.api.handlers.market_problems import MarketProblem
from realtime.api.parameters import NoQuery
from realtime.api.responses import JSON, ApiResponse
from realtime.core.mark import AccountMark, Session
from realtime.core.model import AccountLabel
from realtime.market.marks.feed import FeedStatus
from realtime.market.marks.status import MarksStatus
from realtime.store.records import Record


class SourceAccuracy(Struct, frozen=True, kw_only=True):
    """Errors of the last reads, of accounts whose prices came from one place."""

    feed: str
    prices_from: str
    """`stream`, `rest`, `mixed`, or `none` for accounts without positions."""
    error: MarkAccuracy


class AccountAccuracy(Struct, frozen=True, kw_only=True):
    """One account: how far its marks were from the broker's equity."""

    account_id: AccountLabel
    equity_mark: str | UnsetType | None
    error: MarkAccuracy | None


class MarksDocument(Struct, frozen=True, kw_only=True):
    """Marks of the visible accounts. The second half is for tokens that see all of them."""

    as_of: str
    feed: str
    indicative: bool
    session: Session | None
    accounts: int
    unpriced: int
    """Accounts whose equity is unknown, because a position has no price."""
    held: int
    """Accounts with a price or a quantity that waits for a read."""
    by_tier: list[TierMarks]
    by_book: list[BookMarks]
    """Empty without books."""
    by_money: list[MarkedMoney]
    """Paper first; the two are never added up."""
    by_account: list[AccountAccuracy] | UnsetType = UNSET
    """With `accounts=true`, the default."""
    prices: FeedStatus | UnsetType = UNSET
    error: MarkAccuracy | UnsetType | None = UNSET
    errors: list[SourceAccuracy] | UnsetType = UNSET
    checks: int | UnsetType = UNSET
    """Comparisons of all sums with the positions added up, since the start."""
    drift: int | UnsetType = UNSET
    """Comparisons that did not agree."""
    failures: int | UnsetType = UNSET
    """How often marks ended by a mistake of the program, and began again."""


class AccountMarksDocument(Struct, frozen=True, kw_only=True):
    """One account: its mark, and the price of each position."""

    account_id: AccountLabel
    as_of: str
    mark: MarkDocument | None
    """None while the account was not read."""
    positions: list[PositionMarkRow]


class MarksQuery(Struct, frozen=True):
    """What of the document is wanted."""

    accounts: Annotated[bool, Meta(description="with the errors of each account")] = True


def get_account_marks(request: RequestContext[NoQuery]) -> ApiResponse:
    """The document of one account as of now."""
    context, status = request.context, _get_status(request.context)
    record = context.record(request.account_id)
    positions = record.state.positions
    option_feed = (
        None if context.market_streams is None else context.market_streams.entitlement.option_feed
    )
    feeds = {"us_option": option_feed, "crypto": "us"}
    document = AccountMarksDocument(
        account_id=record.profile.label,
        as_of=format_millis(context.clock()),
        mark=make_mark(record),
        positions=[
            make_position_mark(
                mark,
                feeds.get(
                    (p.asset_class or "") if (p := positions.get(mark.symbol)) else "", status.feed
                ),
            )
            for mark in status.get_positions(record.profile.label)
        ],
    )
    return _respond(document)


def get_marks(request: RequestContext[MarksQuery]) -> ApiResponse:
    """The document of all accounts as of now."""
    context, status = request.context, _get_status(request.context)
    marked = [record for record in context.store if record.mark is not None]
    marks: dict[bool, list[AccountMark]] = {}
    for record in marked:
        if record.mark is not None:
            marks.setdefault(record.profile.paper, []).append(record.mark)
    totals = make_mark_totals(
        status.totals if context.labels is None else add_up_marks(context.store)
    )
    document = MarksDocument(
        as_of=format_millis(context.clock()),
        feed=status.feed,
        indicative=status.feed == "iex",
        session=status.session,
        accounts=len(marked),
        unpriced=sum(1 for r in marked if r.mark is not None and r.mark.equity is None),
        held=sum(1 for r in marked if r.mark is not None and r.mark.prices.held),
        by_tier=totals.by_tier,
        by_book=totals.by_book,
        by_money=[
            money
            for paper in (True, False)
            if (money := add_up_money(paper, marks.get(paper, ()))) is not UNSET
        ],
        by_account=_accuracies(context) if request.query.accounts else UNSET,
    )
    if context.labels is None:
        document = structs.replace(
            document,
            prices=status.prices,
            error=None if status.error is None else make_accuracy(status.error),
            errors=[
                SourceAccuracy(feed=feed, prices_from=source, error=make_accuracy(error))
                for (feed, source), error in sorted(status.errors.items())
            ],
            checks=status.checks,
            drift=status.drift,
            failures=status.failures,
        )
    return _respond(document)


def _get_status(context: ApiContext) -> MarksStatus:
    if context.marks is None:
        raise MarketProblem("marks_off", "accounts are not marked to market here")
    return context.marks()


def _respond(document: Struct) -> ApiResponse:
    return ApiResponse(
        body=ENCODER.encode(document),
        headers={"Cache-Control": "no-store", "Content-Type": JSON},
    )


def _accuracies(context: ApiContext) -> list[AccountAccuracy]:
    rows = context.list_documents.get_account_rows(context.store)
    return [_accuracy(record, row) for record, row in zip(context.store, rows, strict=True)]


def _accuracy(record: Record, row: AccountRow) -> AccountAccuracy:
    mark = record.mark
    return AccountAccuracy(
        account_id=record.profile.label,
        equity_mark=row.equity_mark,
        error=None if mark is None or mark.error is None else make_accuracy(mark.error),
    )
