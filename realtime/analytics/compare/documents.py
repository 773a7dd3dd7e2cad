"""Requests and documents of comparisons: what crosses the boundary to clients."""

from typing import Literal

from msgspec import Struct, field

from realtime.analytics.compare.row_data import AccountProfile, By, Flag, RowKind
from realtime.analytics.estimates import LEVEL, Estimate
from realtime.analytics.figure_types import Figures


class BenchmarkPrices(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Daily closes of a symbol. `closes`: ISO date → price; empty with a reason where unknown."""

    symbol: str
    feed: str | None = None
    adjustment: str | None = None
    return_kind: Literal["price", "total"] = "price"
    source: str | None = None
    closes: dict[str, float] = {}
    reason: str | None = None


class CompareRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to compare. Dates are trading days in New York, ISO; None: the default."""

    by: By = "account"
    accounts: list[AccountProfile] = []
    since: str | None = None
    until: str | None = None
    books: dict[str, str] = {}
    benchmark: BenchmarkPrices | None = None
    pairs_of: list[str] = []
    rows: list[str] = []
    """Only these rows of a series; empty: all."""
    has_removed: bool = False
    """Whether labels that are not configured any more are rows too."""
    format: Literal["json", "csv"] = "json"
    now_us: int = 0


class CompareRow(Struct, frozen=True, kw_only=True):
    """One row."""

    key: str
    kind: RowKind
    name: str | None
    tier: str | None
    paper: bool | None
    accounts: list[str]
    ranked: bool
    reason: str | None
    """Why it is not ranked; None: it is, or it is a control row."""
    flags: list[Flag]
    own_from: str | None
    """Its first day, where it begins later than the window."""
    trading_days: int
    end_equity: str | None
    differs_from_zero: bool | None
    """Whether its mean daily return differs from zero, allowing for the number of ranked rows;
    None: not known."""
    figures: Figures


class Pair(Struct, frozen=True, kw_only=True):
    """Two rows of the same days."""

    a: str
    b: str
    difference_pct: Estimate
    """Sum of the daily differences a − b; the interval allows for all pairs."""
    distinguishable: bool | None
    ahead: str | None
    """The row that is ahead, if they can be distinguished."""
    days_needed: int | None
    """Further trading days until this difference would be distinguishable from noise; None:
    unknown, or more than ten years."""
    reason: str | None = None


class CommonWindow(Struct, frozen=True, kw_only=True):
    """A shorter window that more rows cover."""

    since: str = field(name="from")
    trading_days: int
    adds: list[str]
    """Rows that this window would add."""


class BenchmarkDocument(Struct, frozen=True, kw_only=True):
    """What the benchmark row is: always stated."""

    symbol: str
    feed: str | None
    adjustment: str | None
    return_kind: str
    source: str | None
    reason: str | None


class CompareDocument(Struct, frozen=True, kw_only=True):
    """A comparison. Ranked rows first, by return; then control rows; then rows that cannot be
    ranked."""

    by: By
    as_of: str
    since: str | None = field(name="from")
    until: str | None = field(name="to")
    base: str | None
    """The close from which returns are counted."""
    trading_days: int
    boundary: str = "16:00 New York"
    level: float = LEVEL
    ranked_rows: int
    pairs_compared: int
    pairs_omitted: str | None
    risk_free_pct: float = 0.0
    method: str = "time-weighted; deposits and withdrawals taken out"
    benchmark: BenchmarkDocument | None
    rows: list[CompareRow]
    pairs: list[Pair]
    windows: list[CommonWindow]
    notes: list[str]


class SeriesRow(Struct, frozen=True, kw_only=True):
    """The curve of one row, a value for each of the document's days; null where not known."""

    key: str
    kind: RowKind
    ranked: bool
    own_from: str | None
    return_pct: list[float | None]
    pl: list[str | None] | None
    """Profit since the start; null for a control row."""
    drawdown_pct: list[float | None]


class SeriesDocument(Struct, frozen=True, kw_only=True):
    """Curves of a comparison. The first day is the base: all start at 0."""

    by: By
    days: list[str]
    last_is_open: bool
    """Whether the last day is not over yet; it is in no statistic."""
    rows: list[SeriesRow]
