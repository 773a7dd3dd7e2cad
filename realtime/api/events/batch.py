"""Events on their way to many readers: chosen once, put together once for each kind of reader."""

from collections.abc import Iterator, Sequence
from zlib import crc32

from msgspec import Struct

from realtime.api.events.event_buffer import BufferedEvent
from realtime.api.events.event_types import STATES, Kind
from realtime.api.events.sse_encoder import SseEncoder
from realtime.core.model import AccountLabel

CHUNK_BYTES = 64 * 1024
"""Bytes written in one go: between two chunks a reader's buffer is looked at."""


class EventFilter(Struct, frozen=True):
    """What a reader wants to hear; `labels` `None` means all accounts."""

    labels: frozenset[AccountLabel] | None
    kinds: frozenset[Kind]
    mark: str = ""
    """Names the labels in ids: who hears of other accounts cannot go on where it left off."""
    rows: frozenset[AccountLabel] | None = None
    """Accounts of which event `row` is sent; `None`: all. Not part of the id."""

    def wants(self, label: AccountLabel) -> bool:
        """Whether an account is chosen."""
        return self.labels is None or label in self.labels

    def includes(self, entry: BufferedEvent) -> bool:
        """Whether an entry of a chosen account is sent."""
        if entry.kind not in self.kinds:
            return False
        return entry.kind != "row" or self.rows is None or entry.label in self.rows


def choose(
    labels: frozenset[AccountLabel] | None,
    kinds: frozenset[Kind],
    rows: frozenset[AccountLabel] | None = None,
) -> EventFilter:
    """The choice of some accounts (`None`: of all), kinds of events and rows."""
    if labels is None:
        return EventFilter(None, kinds, rows=rows)
    mark = f".{crc32(' '.join(sorted(labels)).encode()):08x}"
    return EventFilter(labels, kinds, mark, rows)


class Chunk(Struct, frozen=True):
    """Some events in a row; `seq` is the position of the last."""

    seq: int
    data: bytes
    framed: bytes
    """The same as a chunk of HTTP/1.1 (RFC 9112 section 7.1)."""


def chunk(seq: int, data: bytes) -> Chunk:
    """Bytes up to a position."""
    return Chunk(seq, data, b"%x\r\n%b\r\n" % (len(data), data))


class Batch:
    """Entries of the log in a row, each state only where it was last touched.

    A reader who was cut in the middle has been told, up to any id it holds, every event, and every
    state that is not told again behind that id.
    """

    def __init__(
        self,
        entries: Sequence[BufferedEvent],
        frames: SseEncoder,
        *,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        last = {(e.label, e.kind): e.seq for e in entries if e.kind in STATES}
        self._entries = [
            e for e in entries if e.kind not in STATES or last[e.label, e.kind] == e.seq
        ]
        self._labels = frozenset(e.label for e in self._entries)
        self._frames = frames
        self._chunk_bytes = chunk_bytes
        self._by_label: dict[AccountLabel, list[BufferedEvent]] | None = None

    def concerns(self, choice: EventFilter) -> bool:
        """Whether any of it may be for a choice. Most who follow one account need not be told."""
        return choice.labels is None or not choice.labels.isdisjoint(self._labels)

    def chunks(self, choice: EventFilter, *, with_ids: bool = True) -> Iterator[Chunk]:
        """What a choice lets through, in chunks of about `chunk_bytes`."""
        parts: list[bytes] = []
        size = 0
        for entry in self._chosen(choice):
            body = self._frames.body(entry)
            if not body:
                continue
            if with_ids:
                parts.append(self._frames.id_of(choice.mark, entry.seq))
            parts.append(body)
            size += len(body)
            if size >= self._chunk_bytes:
                yield chunk(entry.seq, b"".join(parts))
                parts.clear()
                size = 0
        if parts:
            yield chunk(entry.seq, b"".join(parts))

    def _chosen(self, choice: EventFilter) -> Iterator[BufferedEvent]:
        entries = self._entries if choice.labels is None else self._of(choice.labels)
        return (entry for entry in entries if choice.includes(entry))

    def _of(self, labels: frozenset[AccountLabel]) -> list[BufferedEvent]:
        if self._by_label is None:
            self._by_label = {}
            for entry in self._entries:
                self._by_label.setdefault(entry.label, []).append(entry)
        by_label = self._by_label
        found = [entry for label in labels & by_label.keys() for entry in by_label[label]]
        return found if len(labels) == 1 else sorted(found, key=lambda entry: entry.seq)
