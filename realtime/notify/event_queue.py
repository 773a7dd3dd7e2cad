"""Events between the store's writer and the outbox: the only work on the writer's path.

A state is only a marker: it is encoded from the current state when it is stored, so what changed
twice meanwhile is stored once. Nothing else of an account is kept, so what waits is small.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from msgspec import Struct

from realtime.analytics.tier_bounds import Alert
from realtime.api.events.event_types import STATE_KINDS, EventSource, Kind, get_events
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.notify.messages import Message, has_state, make_message
from realtime.store.records import Change, Record
from realtime.store.store import Store

MAX_EVENTS = 20_000
"""Events that wait to be stored: 4 s of the largest load. Then they are counted only."""

MAX_BYTES = 32 * 1024 * 1024
"""Of their frames."""

ORDER_BYTES = 1000
"""The assumed size of an event without a frame."""


class QueuedEvent(Struct, eq=False, gc=False):
    """One event of one account. `kind` None: the account was read for the first time."""

    label: AccountLabel
    tier: str | None
    kind: Kind | None
    source: EventSource | bytes
    at: float
    size: int
    message: Message | None = None
    """The encoded event, for the next webhook."""

    @property
    def is_state(self) -> bool:
        """Whether only the newest of its kind and account matters."""
        return self.kind in STATE_KINDS

    def encode(self, record: Record | None) -> Message | None:
        """The message; None for a state that is gone. `record` is the current one."""
        assert self.kind is not None, "a first read is no message by itself"
        if self.is_state:
            if record is None or not has_state(record, self.kind):
                return None
            return make_message(self.label, self.kind, None, record)
        if self.message is None:
            self.message = make_message(
                self.label, self.kind, self.source, record, tier=self.tier, at=self.at
            )
        return self.message


class EventQueue:
    """Events of the kinds that any webhook selects, the oldest first."""

    def __init__(self) -> None:
        self.kinds: frozenset[Kind] = frozenset()
        self._events: deque[QueuedEvent] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, change: Change, on_lost: Callable[[QueuedEvent], None]) -> None:
        """Add the events of a change; calls `on_lost` with those that find no room."""
        before, record = change.before, change.after or change.before
        if before is None or record is None:
            return  # that an account was added is no event
        label, tier, at = change.label, record.profile.tier, record.as_of
        is_first = not before.has_data and record.has_data
        if is_first:
            self._append(QueuedEvent(label, tier, None, None, at, 0), on_lost)
        for kind, source in get_events(change):
            # What a first read found is no news: the gap of a restart lists what is.
            if kind in self.kinds and not (is_first and kind == "gap"):
                size = 0 if kind in STATE_KINDS else ORDER_BYTES
                if isinstance(source, TradeUpdate) and source.frame:
                    event = QueuedEvent(label, tier, kind, source.frame, at, len(source.frame))
                else:
                    event = QueuedEvent(label, tier, kind, source, at, size)
                self._append(event, on_lost)

    def add_alert(self, alert: Alert, on_lost: Callable[[QueuedEvent], None]) -> None:
        """Add an alert that has begun or ended."""
        if "alert" in self.kinds:
            at = alert.since if alert.until is None else alert.until
            label = AccountLabel(alert.account_id)
            self._append(QueuedEvent(label, alert.tier, "alert", alert, at, ORDER_BYTES), on_lost)

    def peek(self, count: int) -> list[QueuedEvent]:
        """The oldest events; they stay."""
        return list(islice(self._events, count))

    def remove(self, count: int) -> None:
        """Remove the oldest events."""
        for _ in range(count):
            self._bytes -= self._events.popleft().size

    def _append(self, event: QueuedEvent, on_lost: Callable[[QueuedEvent], None]) -> None:
        if len(self._events) >= MAX_EVENTS or self._bytes + event.size > MAX_BYTES:
            on_lost(event)
        else:
            self._events.append(event)
            self._bytes += event.size


def encode_all(events: Iterable[QueuedEvent], store: Store) -> Iterator[None]:
    """Encode events that are no states, one at each step."""
    for event in events:
        if event.kind is not None and not event.is_state:
            event.encode(store.get(event.label))
        yield
