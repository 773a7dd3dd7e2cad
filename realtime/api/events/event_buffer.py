"""The newest events, numbered: the buffer from which subscribers are served and resumed.

A state event in it is only a marker: when it is sent, it is encoded from the current state. So the
buffer is small, and a subscriber that is late skips what has been superseded meanwhile.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

from msgspec import Struct

from realtime.analytics.tier_bounds import Alert
from realtime.api.events.event_types import CorrectedEvent, EventSource, Kind, get_events
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.records import Change

MAX_EVENTS = 65_536
"""At 2000 trade updates per second with three markers each: eight seconds."""

MAX_BYTES = 24 * 1024 * 1024
"""Of the frames and orders in the buffer."""

ORDER_BYTES = 1000
"""The assumed size of an order."""


class BufferedEvent(Struct, eq=False, gc=False):
    """One event of one account.

    The garbage collector need not visit it: nothing in it refers back to it. Tens of thousands of
    them would otherwise stop the process many times a minute.
    """

    seq: int
    label: AccountLabel
    kind: Kind
    source: EventSource | bytes
    """What is to be encoded; a trade update as its original frame."""
    size: int = 0
    """The bytes it is counted as, before and after encoding."""
    body: bytes | None = None
    """The encoded event, after the first request."""


class EventBuffer:
    """The buffer. `head` is the number of its newest event; numbers rise by one."""

    def __init__(self, *, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.head = 0
        self._events: deque[BufferedEvent] = deque()
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._newest: dict[AccountLabel, int] = {}
        self._listeners: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._events)

    def handle_change(self, change: Change) -> None:
        """Add the events of a change of the store. Fast: the writer waits for it."""
        label, append, head = change.label, self._events.append, self.head
        for kind, source in get_events(change):
            head += 1
            if source is None:  # most are markers
                append(BufferedEvent(head, label, kind, None))
            else:
                event = _make_event(head, label, kind, source)
                self._bytes += event.size
                append(event)
        if head > self.head:
            self.head = self._newest[label] = head
        if change.after is None:
            del self._newest[label]
        self._trim()
        for listener in self._listeners:
            listener()

    def add_alert(self, alert: Alert) -> None:
        """Add an alert that has begun or ended: no change of the store."""
        self.head += 1
        label = AccountLabel(alert.account_id)
        event = _make_event(self.head, label, "alert", alert)
        self._bytes += event.size
        self._events.append(event)
        self._newest[label] = self.head
        self._trim()
        for listener in self._listeners:
            listener()

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change; it must return at once."""
        self._listeners.append(listener)

    def has_all_after(self, seq: int) -> bool:
        """Whether the number was assigned and every later event is still in the buffer."""
        return self.head - len(self._events) <= seq <= self.head

    def get_newest(self, label: AccountLabel) -> int:
        """The number of an account's newest event."""
        return self._newest.get(label, 0)

    def get_after(self, seq: int, max_events: int = MAX_EVENTS) -> list[BufferedEvent]:
        """The first events after a number; all of them must be in the buffer."""
        assert self.has_all_after(seq), "check `has_all_after` first"
        start = seq - self.head + len(self._events)
        count = min(max_events, self.head - seq)
        if start <= self.head - seq:
            return list(islice(self._events, start, start + count))
        tail = list(islice(reversed(self._events), self.head - seq))
        tail.reverse()
        return tail[:count]

    def _trim(self) -> None:
        while len(self._events) > self._max_events or self._bytes > self._max_bytes:
            self._bytes -= self._events.popleft().size


def _make_event(seq: int, label: AccountLabel, kind: Kind, source: EventSource) -> BufferedEvent:
    if isinstance(source, TradeUpdate) and source.frame:
        return BufferedEvent(seq, label, kind, source.frame, len(source.frame))
    size = ORDER_BYTES * len(source.changed) if isinstance(source, CorrectedEvent) else 0
    return BufferedEvent(seq, label, kind, source, size)
