"""Marks of many accounts: totals by tier and book, sources of prices, and errors of the past."""

from msgspec import UNSET, Struct, UnsetType, structs

from realtime.api.context import RequestContext
from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.mark_totals import (
    BookMarks,
    TierMarks,
    add_up_marks,
    make_mark_totals,
)
from realtime.api.documents.marks import MarkAccuracy, make_accuracy
from realtime.api.documents.timestamps import format_millis
from realtime.api.handlers.market_problems import MarketProblem
from realtime.api.parameters import NoQuery
from realtime.api.responses import JSON, ApiResponse
from realtime.core.mark import Session
from realtime.core.model import AccountLabel
from realtime.market.marks.feed import FeedStatus
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
    by_account: list[AccountAccuracy]
    prices: FeedStatus | UnsetType = UNSET
    error: MarkAccuracy | UnsetType | None = UNSET
    errors: list[SourceAccuracy] | UnsetType = UNSET
    checks: int | UnsetType = UNSET
    """Comparisons of all sums with the positions added up, since the start."""
    drift: int | UnsetType = UNSET
    """Comparisons that did not agree."""
    failures: int | UnsetType = UNSET
    """How often marks ended by a mistake of the program, and began again."""


def get_marks(request: RequestContext[NoQuery]) -> ApiResponse:
    """The document as of now."""
    context = request.context
    if context.marks is None:
        raise MarketProblem("marks_off", "accounts are not marked to market here")
    status = context.marks()
    marked = [record for record in context.store if record.mark is not None]
    rows = context.list_documents.get_account_rows(context.store)
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
        by_account=[
            _accuracy(record, row) for record, row in zip(context.store, rows, strict=True)
        ],
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
    return ApiResponse(
        body=ENCODER.encode(document),
        headers={"Cache-Control": "no-store", "Content-Type": JSON},
    )


def _accuracy(record: Record, row: AccountRow) -> AccountAccuracy:
    mark = record.mark
    return AccountAccuracy(
        account_id=record.profile.label,
        equity_mark=row.equity_mark,
        error=None if mark is None or mark.error is None else make_accuracy(mark.error),
    )
