"""From the event loop to the writer's thread: bounded, and nothing ever waits for it."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from realtime.core.model import Order, Symbol
from realtime.core.state import Execution
from realtime.history.differences import Source
from realtime.history.exact import epoch_us
from realtime.history.ledger import Activity
from realtime.history.realized import Holding
from realtime.store.records import Change, Record

MAX_CHANGES = 100_000
"""Changes that wait; 20 s of the largest load that is promised. Then changes without executions are
dropped and counted."""

MAX_CHANGES_WITH_EXECUTIONS = 120_000
"""Executions are dropped last."""

LossKind = Literal["event", "execution"]
LOSS_KINDS: tuple[LossKind, ...] = ("event", "execution")


class Recorded(Struct, frozen=True, gc=False):
    """One change to record. `record` None: the account was removed."""

    label: str
    record: Record | None
    source: Source


class RecoveredHistory(Struct, frozen=True, kw_only=True, gc=False):
    """What the broker says of the time in which the daemon did not run."""

    label: str
    executions: tuple[Execution, ...] = ()
    orders: tuple[Order, ...] = ()
    parents: Mapping[str, str] = {}
    """leg's order id → its parent's"""
    quarters: tuple[tuple[int, int], ...] = ()
    """Quarter of an hour, counted from 1970 → equity of 10⁻⁴."""
    closes: tuple[tuple[int, int, int], ...] = ()
    """Trading day, counted from 1970; its close in µs; equity of 10⁻⁴."""
    activities: tuple[Activity, ...] = ()
    held: Mapping[Symbol, Holding] | None = None
    """What was held before the executions; None: not recorded."""


class ReportRow(Struct, frozen=True, kw_only=True, gc=False):
    """The quality of one account's connection on a UTC day, as JSON."""

    label: str
    day: int
    body: str


Entry = Recorded | RecoveredHistory | ReportRow


class HistoryQueue:
    """Subscribe `add` to the store. Appending and popping are atomic, so no lock is needed."""

    def __init__(self, *, max_changes: int = MAX_CHANGES) -> None:
        self.is_dropping = False
        self.lost_since_us: int | None = None
        """The time of the first change that was lost since `end_loss`."""
        self._refused: Counter[LossKind] = Counter()
        """Counted by the event loop: there was no room."""
        self._dropped: Counter[LossKind] = Counter()
        """Counted by the writer's thread. One counter for both would miss some."""
        self._waiting: deque[Entry] = deque()
        self._max_changes = max_changes
        self._max_executions = max_changes * MAX_CHANGES_WITH_EXECUTIONS // MAX_CHANGES
        self._resume_at = max_changes // 2
        """Recording resumes when this many wait."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def lost(self) -> Counter[LossKind]:
        """Changes that were dropped since the start, by whether executions came with them."""
        return self._refused + self._dropped

    def add(self, change: Change) -> None:
        """Add a change, unless it changed nothing that is recorded. Drops and counts when full."""
        before, after = change.before, change.after
        if after is not None and before is not None and after.version == before.version:
            return
        waiting = len(self._waiting)
        if waiting >= self._resume_at and not self._has_room(change, waiting):
            return
        source: Source = "stream" if change.updates else "rest"
        self._waiting.append(Recorded(change.label, after, source))

    def add_report(self, report: ReportRow) -> None:
        """Add a row of the report card; not while changes are dropped."""
        if len(self._waiting) < self._resume_at:
            self._waiting.append(report)

    def add_recovered(self, recovered: RecoveredHistory) -> None:
        """Add what the broker knows; there is one for each account and read."""
        self._waiting.append(recovered)

    def first_us(self) -> int | None:
        """The time of the oldest change; None: there is none, or it has no time."""
        try:
            return entry_us(self._waiting[0])
        except IndexError:
            return None

    def pop(self, before_us: int | None = None) -> Entry | None:
        """The oldest change, or None; with a limit only if it is from before it."""
        if before_us is not None and (self.first_us() or 0) >= before_us:
            return None
        try:
            return self._waiting.popleft()
        except IndexError:
            return None

    def put_back(self, changes: Sequence[Entry]) -> None:
        """Put changes back that could not be written, in front of those that came since."""
        self._waiting.extendleft(reversed(changes))

    def drop(self, count: int) -> None:
        """Drop and count the oldest changes."""
        for _ in range(count):
            if (entry := self.pop()) is None:
                return
            self._lose(entry_us(entry))
            self._dropped["event"] += 1

    def _has_room(self, change: Change, waiting: int) -> bool:
        if waiting >= self._max_changes:
            self.is_dropping = True
        if not self.is_dropping:
            return True
        has_executions = bool(change.recovered) or any(u.execution_id for u in change.updates)
        if has_executions and waiting < self._max_executions:
            return True
        self._lose(None if change.after is None else epoch_us(change.after.as_of))
        self._refused["execution" if has_executions else "event"] += 1
        return False

    def _lose(self, at_us: int | None) -> None:
        if self.lost_since_us is None:
            self.lost_since_us = at_us

    def end_loss(self) -> bool:
        """Whether no more is lost, because half of the room is free again."""
        if self.is_dropping and len(self._waiting) >= self._resume_at:
            return False
        self.is_dropping, self.lost_since_us = False, None
        return True


def entry_us(entry: Entry) -> int | None:
    """When a change became visible, in µs; None: it is not the change of a record."""
    record = entry.record if isinstance(entry, Recorded) else None
    return None if record is None else epoch_us(record.as_of)
