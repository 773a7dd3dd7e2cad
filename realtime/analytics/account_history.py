"""What the ledger has of one account: closes, executions, activities, gaps."""

from itertools import count

from msgspec import Struct, field

from realtime.analytics.activity_types import (
    CLASSIFIED,
    DIVIDENDS,
    FEES,
    FLOWS,
    INTEREST,
    SECURITIES_FLOWS,
)
from realtime.analytics.closes import Closes
from realtime.analytics.daily import Flow
from realtime.analytics.round_trips import Fill, Trading

Gap = tuple[int, int, str]
"""From, to (µs), reason."""


class Traded(Struct, gc=False):
    """Sums of executions in one symbol, of 10⁻⁹: bought minus sold, and bought plus sold."""

    net: int = 0
    total: int = 0


class AccountActivity(Struct, frozen=True, gc=False):
    """An activity that is no execution."""

    type: str
    day: int
    at_us: int
    amount: int | None
    symbol: str | None = None


class AccountHistory(Struct, kw_only=True):
    """What the ledger has of one label: of trading days that are over, and since then."""

    label: str
    number: int
    """In the ledger."""
    serial: int = field(default_factory=count().__next__)
    """Another one each time that it is read."""
    closes: Closes
    identities: list[tuple[int, str, str | None]]
    """Since when (µs), the broker's account id and number."""
    activities: list[AccountActivity]
    flows: list[Flow]
    past_fills: list[Fill]
    """Executions of days that are over, oldest first, expiries and splits included."""
    traded: dict[str, Traded]
    """Symbol → the sums of these executions."""
    orders: dict[int, int]
    """Trading day → final orders."""
    gaps: list[Gap]
    symbol_activities: dict[str, list[str]]
    """Symbol → types of its activities that are no execution, of all time."""
    now: "Recent"
    """What has happened since the last close: read at each request."""
    trading: tuple[tuple[dict[str, int], frozenset[str]], Trading] | None = None
    """Round trips of the executions, and what was held before them that they were made with."""

    @property
    def fills(self) -> list[Fill]:
        """All executions until now: with the positions of now they give what was held before."""
        return [*self.past_fills, *self.now.fills] if self.now.fills else self.past_fills

    @property
    def sums(self) -> dict[str, Traded]:
        """Symbol → the sums of all executions until now."""
        return {**self.traded, **self.now.traded} if self.now.traded else self.traded


class Recent(Struct, kw_only=True):
    """What has happened to an account since the last trading day that is over."""

    open_close: tuple[int, int] | None = None
    """The trading day that is not over: its number and the equity so far."""
    flows: int = 0
    """Deposits minus withdrawals of that day."""
    fills: list[Fill] = []
    traded: dict[str, Traded] = {}
    """Symbol → the sums of all executions until now, of symbols that were traded since."""
    gaps: list[Gap] = []
    rejected: int = 0
    """Orders of the last 24 hours."""
    disconnects: int = 0
    http_errors: int = 0


def money_of(history: AccountHistory, types: frozenset[str], first: int, last: int) -> int:
    """The sum of activities of some types on these trading days."""
    return sum(
        activity.amount or 0
        for activity in history.activities
        if activity.type in types and first <= activity.day <= last
    )


def result_sums(history: AccountHistory, first: int, last: int) -> dict[str, int]:
    """Fees, dividends and interest of these trading days, signed as the broker books them."""
    return {
        "fees": money_of(history, FEES, first, last),
        "dividends": money_of(history, DIVIDENDS, first, last),
        "interest": money_of(history, INTEREST, first, last),
    }


def unclassified(history: AccountHistory, first: int, last: int) -> list[str]:
    """Types of activities that cannot be counted: unknown ones, and moved securities."""
    return sorted(
        {
            activity.type
            for activity in history.activities
            if first <= activity.day <= last
            and (
                activity.type not in CLASSIFIED
                or (activity.type in FLOWS and activity.amount is None)
            )
        }
        | {
            activity.type
            for activity in history.activities
            if activity.type in SECURITIES_FLOWS and first <= activity.day <= last
        }
    )
