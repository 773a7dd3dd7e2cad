"""One row of a comparison before its figures are computed, and the window that rows share."""

from collections.abc import Callable, Hashable, Sequence
from typing import Literal

from msgspec import Struct

from realtime.analytics.figure_types import RowInputs

By = Literal["account", "label", "tier", "strategy", "fleet"]
RowKind = Literal["account", "group", "book", "control"]


class AccountProfile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the daemon knows of an account now, and the ledger does not."""

    label: str
    name: str | None = None
    tier: str | None = None
    paper: bool = True
    initial_balance: str | None = None
    later_flows: str | None = None
    """Deposits minus withdrawals since the initial balance; None: not known."""
    positions: dict[str, str] | None = None
    """Symbol → quantity; None: not known."""


class Flag(Struct, frozen=True, kw_only=True):
    """Something that a reader must know of a row."""

    flag: Literal[
        "gap", "missing_days", "reset", "unclassified", "own_start", "ended", "no_trade",
        "unknown_entry", "broker_equity", "no_price", "corporate_action",
        "no_money",
    ]  # fmt: skip
    detail: str


class RowData(Struct, kw_only=True):
    """One row before its figures are computed."""

    key: str
    kind: RowKind
    labels: list[str]
    inputs: RowInputs
    tier: str | None = None
    paper: bool | None = None
    name: str | None = None
    reason: str | None = None
    """Why it is not ranked."""
    flags: list[Flag] = []
    own_from: int | None = None
    """The first day, where it is not that of the window."""
    open_day: tuple[int, int, int] | None = None
    """The trading day that is not over: number, equity so far, profit of the day so far."""


class CountsNow(Struct, frozen=True):
    """Figures of this moment, whatever the window is."""

    rejected: int
    errors: int
    open_trips: int


class Row:
    """A row whose data is computed when it is needed, or is in a cache.

    `identity` has everything that the data depends on; None: it is in no cache. `now` are figures
    that do not belong to it.
    """

    __slots__ = ("_data", "_make", "identity", "key", "kind", "now")

    def __init__(
        self,
        key: str,
        kind: RowKind,
        make: Callable[[], RowData],
        *,
        identity: Hashable | None = None,
        now: CountsNow | None = None,
    ) -> None:
        self.key, self.kind, self.identity, self.now = key, kind, identity, now
        self._make = make
        self._data: RowData | None = None

    @property
    def data(self) -> RowData:
        """The row's data, computed once."""
        if self._data is None:
            self._data = self._make()
        return self._data

    def release(self) -> None:
        """Forget the data: a thousand rows of a year have 60 MB."""
        self._data = None


class Window(Struct, frozen=True):
    """Trading days of a comparison, and the one before the first."""

    days: Sequence[int]
    base: int

    @property
    def first(self) -> int:
        return self.days[0]

    @property
    def last(self) -> int:
        return self.days[-1]


def sum_known(amounts: Sequence[int | None]) -> int | None:
    """The sum; None if an amount is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None
