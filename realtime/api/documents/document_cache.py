"""Documents as bytes, rendered on the first request and kept until they change.

An entry is found by what was requested (document, account, query) and is valid for one version. A
later version replaces it; nothing is rendered without a request.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from realtime.core.model import AccountLabel
from realtime.store.records import Record, Records

ENCODER = msgspec.json.Encoder()

MAX_BYTES = 48 * 1024 * 1024
"""Memory for documents: 1000 dashboards of 70 orders. A client chooses its queries, so the bound
protects against a client that sends thousands of different ones."""

OVERHEAD_BYTES = 2048
"""The cost of an entry beside its body: key, query, bookkeeping."""


class RenderedDocument(Struct, frozen=True):
    """A document's bytes, and for lists the number of matches before any limit."""

    body: bytes
    total: int | None = None


class DocumentCache:
    """(what was requested) → the document of one version. The least recently used leave first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[int, RenderedDocument]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(
        self, key: Hashable, version: int, render: Callable[[], RenderedDocument]
    ) -> RenderedDocument:
        """The document of this version; calls `render` if it is not cached."""
        entry = self._entries.get(key)
        if entry is not None:
            if entry[0] == version:
                self._entries.move_to_end(key)
                return entry[1]
            self._remove(key)
        rendered = render()
        self._entries[key] = (version, rendered)
        self.size_bytes += _cost(rendered)
        while self.size_bytes > self.max_bytes:
            self._remove(next(iter(self._entries)))
        return rendered

    def _remove(self, key: Hashable) -> None:
        _, rendered = self._entries.pop(key)
        self.size_bytes -= _cost(rendered)


Row = TypeVar("Row")


def is_same_version(one: Record, other: Record) -> bool:
    """Whether two records differ at most in the time of the broker's last message."""
    return one is other or (one.version == other.version and one.profile is other.profile)


class RowCache(Generic[Row]):
    """label → the row made from its record; made again when `is_same` rejects the record."""

    def __init__(
        self,
        make: Callable[[Record], Row],
        is_same: Callable[[Record, Record], bool] = is_same_version,
    ) -> None:
        self._make = make
        self._is_same = is_same
        self._rows: dict[AccountLabel, tuple[Record, Row]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, record: Record) -> Row:
        """The row of a record."""
        label = record.profile.label
        entry = self._rows.get(label)
        if entry is not None and self._is_same(entry[0], record):
            return entry[1]
        row = self._make(record)
        self._rows[label] = (record, row)
        return row

    def remove_absent(self, store: Records) -> None:
        """Remove the rows of accounts that have left the store."""
        if len(self._rows) > len(store):
            for label in self._rows.keys() - store.records.keys():
                del self._rows[label]


def _cost(rendered: RenderedDocument) -> int:
    return len(rendered.body) + OVERHEAD_BYTES
