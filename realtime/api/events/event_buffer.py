"""What happened lately, numbered: the ring out of which readers are served and resumed.

State events stand in it as marks only: whoever comes to one is told how the part stands now. So
the ring is small, and a reader who is late skips what has been outdated meanwhile.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

from msgspec import Struct

from realtime.api.events.event_types import CorrectedEvent, Kind, Told, kinds_of
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.store import Change

MAX_ENTRIES = 65_536
"""At 2000 trade updates a second with three marks each, eight seconds."""

MAX_BYTES = 24 * 1024 * 1024
"""Of the frames and orders that are held."""

ORDER_BYTES = 1000
"""What an order is counted as."""


class BufferedEvent(Struct, eq=False, gc=False):
    """One event of one account.

    The garbage collector need not visit it: nothing that it holds leads back to it. With tens of
    thousands of them it would hold up everybody, many times a minute.
    """

    seq: int
    label: AccountLabel
    kind: Kind
    told: Told | bytes
    """What is to be rendered; a trade update as the frame that told it."""
    size: int = 0
    """Bytes that it is counted as; the rendering, which replaces what is told, as much."""
    body: bytes | None = None
    """The rendering, once there is one."""


class EventBuffer:
    """The ring. `head` is the number of its newest entry; numbers rise by one."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self.head = 0
        self._entries: deque[BufferedEvent] = deque()
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self._newest: dict[AccountLabel, int] = {}
        self._wakers: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, change: Change) -> None:
        """Note a change of the store. The writer waits for this: it only notes."""
        for kind, told in kinds_of(change):
            self._append(change.label, kind, told)
        if change.after is None:
            self._newest.pop(change.label, None)
        for wake in self._wakers:
            wake()

    def on_news(self, wake: Callable[[], None]) -> None:
        """Have somebody woken after each change; what is called must only note it."""
        self._wakers.append(wake)

    def holds(self, seq: int) -> bool:
        """Whether everything after this number is still here, and the number was given."""
        return self.head - len(self._entries) <= seq <= self.head

    def newest(self, label: AccountLabel) -> int:
        """The number of an account's newest entry."""
        return self._newest.get(label, 0)

    def after(self, seq: int, most: int = MAX_ENTRIES) -> list[BufferedEvent]:
        """The entries after a number, `most` of them; all of them must be here."""
        assert self.holds(seq), "ask `holds` first"
        begin = seq - self.head + len(self._entries)
        count = min(most, self.head - seq)
        if begin <= self.head - seq:
            return list(islice(self._entries, begin, begin + count))
        tail = list(islice(reversed(self._entries), self.head - seq))
        tail.reverse()
        return tail[:count]

    def _append(self, label: AccountLabel, kind: Kind, told: Told) -> None:
        self.head += 1
        if told is None:  # most are marks
            entry = BufferedEvent(self.head, label, kind, None)
        else:
            entry = _weighed(self.head, label, kind, told)
            self._bytes += entry.size
        self._entries.append(entry)
        self._newest[label] = self.head
        while len(self._entries) > self._max_entries or self._bytes > self._max_bytes:
            self._bytes -= self._entries.popleft().size


def _weighed(seq: int, label: AccountLabel, kind: Kind, told: Told) -> BufferedEvent:
    if isinstance(told, TradeUpdate) and told.frame:
        return BufferedEvent(seq, label, kind, told.frame, len(told.frame))
    size = ORDER_BYTES * len(told.changed) if isinstance(told, CorrectedEvent) else 0
    return BufferedEvent(seq, label, kind, told, size)
