"""From the event loop to the writer's thread: bounded, and nothing ever waits for it."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from realtime.core.model import Order
from realtime.core.state import Execution
from realtime.history.differences import Source
from realtime.store.records import Change, Record

MAX_CHANGES = 100_000
"""Changes that wait; 20 s of the largest load that is promised. Then changes without executions are
dropped and counted."""

MAX_CHANGES_WITH_EXECUTIONS = 120_000
"""Executions are dropped last."""

LossKind = Literal["event", "execution"]


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
    quarters: tuple[tuple[int, int], ...] = ()
    """Quarter of an hour, counted from 1970 → equity of 10⁻⁴."""


Entry = Recorded | RecoveredHistory


class HistoryQueue:
    """Subscribe `add` to the store. Appending and popping are atomic, so no lock is needed."""

    def __init__(self, *, max_changes: int = MAX_CHANGES) -> None:
        self.lost: Counter[LossKind] = Counter()
        """Changes that were dropped since the start, by whether executions came with them."""
        self.is_dropping = False
        self._waiting: deque[Entry] = deque()
        self._max_changes = max_changes
        self._max_executions = max_changes * MAX_CHANGES_WITH_EXECUTIONS // MAX_CHANGES
        self._resume_at = max_changes // 2
        """Recording resumes when this many wait."""

    def __len__(self) -> int:
        return len(self._waiting)

    def subscribe(
        self, subscribe: Callable[[Callable[[Change], None]], Callable[[], None]]
    ) -> Callable[[], None]:
        """Have changes added from now on; returns what ends it."""
        return subscribe(self.add)

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

    def add_recovered(self, recovered: RecoveredHistory) -> None:
        """Add what the broker knows; there is one for each account and start."""
        self._waiting.append(recovered)

    def pop(self) -> Entry | None:
        """The oldest change, or None."""
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
            if self.pop() is None:
                return
            self.lost["event"] += 1

    def _has_room(self, change: Change, waiting: int) -> bool:
        if waiting >= self._max_changes:
            self.is_dropping = True
        if not self.is_dropping:
            return True
        has_executions = bool(change.recovered) or any(u.execution_id for u in change.updates)
        if has_executions and waiting < self._max_executions:
            return True
        self.lost["execution" if has_executions else "event"] += 1
        return False

    def resume(self) -> bool:
        """Whether dropping has just ended, because half of the room is free again."""
        if self.is_dropping and len(self._waiting) < self._resume_at:
            self.is_dropping = False
            return True
        return False
