"""How marks are doing, for `/market/marks` and `/metrics`."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from realtime.core.mark import PositionMark, Session
from realtime.core.mark_error import ErrorSummary
from realtime.core.mark_totals import MarkTotals
from realtime.market.marks.engine import MarkEngine
from realtime.market.marks.feed import FeedStatus


class MarksStatus(Struct, frozen=True, kw_only=True):
    """Marks of all accounts. Counts of accounts are of those that have a mark."""

    feed: str
    session: Session | None
    accounts: int
    unpriced: int
    """Accounts whose equity is unknown, because a position has no price."""
    held: int
    """Accounts with a price or a quantity that waits for a read."""
    prices: FeedStatus
    error: ErrorSummary | None
    errors: Mapping[tuple[str, str], ErrorSummary]
    """(stock feed, where prices came from) → errors of the last such reads."""
    marks: int
    """Marks since the start."""
    checks: int
    """Comparisons of the sums with all positions added up, since the start."""
    drift: int
    """Comparisons that did not agree: always 0, or the arithmetic is wrong."""
    unreadable: int
    """Elements of the stream that could not be read."""
    failures: int
    """How often marks ended by a mistake of the program, and began again."""
    totals: MarkTotals
    get_positions: Callable[[str], list[PositionMark]]
    """Label → the account's positions at their marked prices."""


def get_status(
    engine: MarkEngine, prices: FeedStatus, now: float, failures: int = 0
) -> MarksStatus:
    """The status as of `now`, epoch seconds."""
    marks = list(engine.marks)
    return MarksStatus(
        feed=engine.feed,
        session=engine.calendar.session(now),
        accounts=len(marks),
        unpriced=sum(1 for mark in marks if mark.equity is None),
        held=sum(1 for mark in marks if mark.prices.held),
        prices=prices,
        error=engine.error,
        errors={
            key: summary
            for key, window in engine.errors_by_source.items()
            if (summary := window.summary) is not None
        },
        marks=engine.counts["marks"],
        checks=engine.counts["checks"],
        drift=engine.counts["drift"],
        unreadable=engine.counts["unreadable"],
        failures=failures,
        totals=engine.totals,
        get_positions=engine.get_positions,
    )
