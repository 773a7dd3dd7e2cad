"""Events in a row for many subscribers: selected and encoded once for each filter."""

from collections.abc import Iterator, Sequence
from zlib import crc32

from msgspec import Struct

from realtime.api.events.event_buffer import BufferedEvent
from realtime.api.events.event_types import STATE_KINDS, Kind
from realtime.api.events.sse_encoder import SseEncoder
from realtime.core.model import AccountLabel

CHUNK_BYTES = 64 * 1024
"""Bytes written at once: between two chunks the subscriber's buffer is checked."""


PER_ROW: frozenset[Kind] = frozenset({"row", "mark"})
"""Kinds that a screen wants only of the accounts that it shows."""


class EventFilter(Struct, frozen=True):
    """The events that a subscriber receives; `labels` `None` means all accounts."""

    labels: frozenset[AccountLabel] | None
    kinds: frozenset[Kind]
    id_suffix: str = ""
    """Identifies the labels in event ids: a subscriber cannot resume with other accounts."""
    rows: frozenset[AccountLabel] | None = None
    """Accounts of which `PER_ROW` is sent; `None`: all. Not part of the id."""

    def has_account(self, label: AccountLabel) -> bool:
        """Whether an account is selected."""
        return self.labels is None or label in self.labels

    def accepts(self, event: BufferedEvent) -> bool:
        """Whether an event of a selected account is sent."""
        if event.kind not in self.kinds:
            return False
        return event.kind not in PER_ROW or self.rows is None or event.label in self.rows


def make_filter(
    labels: frozenset[AccountLabel] | None,
    kinds: frozenset[Kind],
    rows: frozenset[AccountLabel] | None = None,
) -> EventFilter:
    """The filter for some accounts (`None`: all), kinds of events and rows."""
    if labels is None:
        return EventFilter(None, kinds, rows=rows)
    id_suffix = f".{crc32(' '.join(sorted(labels)).encode()):08x}"
    return EventFilter(labels, kinds, id_suffix, rows)


class Chunk(Struct, frozen=True):
    """Some events in a row; `seq` is the number of the last."""

    seq: int
    data: bytes
    framed: bytes
    """The same as a chunk of HTTP/1.1 (RFC 9112 section 7.1)."""


def make_chunk(seq: int, data: bytes) -> Chunk:
    """A chunk that ends with event number `seq`."""
    return Chunk(seq, data, b"%x\r\n%b\r\n" % (len(data), data))


class Batch:
    """Buffered events in a row, each state only at its last change.

    A subscriber whose connection broke in the middle has received, up to any id it holds, every
    event, and every state that is not sent again after that id.
    """

    def __init__(
        self,
        events: Sequence[BufferedEvent],
        encoder: SseEncoder,
        *,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        last = {(e.label, e.kind): e.seq for e in events if e.kind in STATE_KINDS}
        self._events = [
            e for e in events if e.kind not in STATE_KINDS or last[e.label, e.kind] == e.seq
        ]
        self._labels = frozenset(e.label for e in self._events)
        self._encoder = encoder
        self._chunk_bytes = chunk_bytes
        self._by_label: dict[AccountLabel, list[BufferedEvent]] | None = None

    def may_match(self, event_filter: EventFilter) -> bool:
        """Whether a filter may accept any of it: most subscribers to one account can be skipped."""
        return event_filter.labels is None or not event_filter.labels.isdisjoint(self._labels)

    def chunks(self, event_filter: EventFilter, *, with_ids: bool = True) -> Iterator[Chunk]:
        """The events that a filter accepts, in chunks of about `chunk_bytes`."""
        parts: list[bytes] = []
        size = 0
        for event in self._select(event_filter):
            body = self._encoder.encode(event)
            if not body:
                continue
            if with_ids:
                parts.append(self._encoder.encode_id(event_filter.id_suffix, event.seq))
            parts.append(body)
            size += len(body)
            if size >= self._chunk_bytes:
                yield make_chunk(event.seq, b"".join(parts))
                parts.clear()
                size = 0
        if parts:
            yield make_chunk(event.seq, b"".join(parts))

    def _select(self, event_filter: EventFilter) -> Iterator[BufferedEvent]:
        labels = event_filter.labels
        events = self._events if labels is None else self._select_accounts(labels)
        return (event for event in events if event_filter.accepts(event))

    def _select_accounts(self, labels: frozenset[AccountLabel]) -> list[BufferedEvent]:
        if self._by_label is None:
            self._by_label = {}
            for event in self._events:
                self._by_label.setdefault(event.label, []).append(event)
        by_label = self._by_label
        events = [event for label in labels & by_label.keys() for event in by_label[label]]
        return events if len(labels) == 1 else sorted(events, key=lambda event: event.seq)
