"""Documents as bytes, rendered when first asked for and kept until they change.

A rendering is found by what was asked (document, account, query) and is good for one version. A
later version's replaces it; nothing is rendered that nobody asked for.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from realtime.core.model import AccountLabel
from realtime.store.store import Record, Records

ENCODER = msgspec.json.Encoder()

MAX_BYTES = 48 * 1024 * 1024
"""Memory for renderings: 1000 dashboards of 70 orders. Queries are the reader's choice, so the
bound is against a reader who asks for thousands of different ones."""

OVERHEAD_BYTES = 2048
"""What an entry is charged beside its body: key, query, bookkeeping."""


class RenderedDocument(Struct, frozen=True):
    """A document's bytes, and for lists how many things matched before any limit."""

    body: bytes
    total: int | None = None


class DocumentCache:
    """(what was asked) → the rendering of one version. Least recently asked leave first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[int, RenderedDocument]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(
        self, key: Hashable, version: int, render: Callable[[], RenderedDocument]
    ) -> RenderedDocument:
        """The rendering of this version; `render` is called if there is none yet."""
        entry = self._entries.get(key)
        if entry is not None:
            if entry[0] == version:
                self._entries.move_to_end(key)
                return entry[1]
            self._drop(key)
        rendered = render()
        self._entries[key] = (version, rendered)
        self.size_bytes += _cost(rendered)
        while self.size_bytes > self.max_bytes:
            self._drop(next(iter(self._entries)))
        return rendered

    def _drop(self, key: Hashable) -> None:
        _, rendered = self._entries.pop(key)
        self.size_bytes -= _cost(rendered)


Row = TypeVar("Row")


def same_version(one: Record, other: Record) -> bool:
    """Whether two records differ at most in when the broker was last heard."""
    return one is other or (one.version == other.version and one.profile is other.profile)


class RowCache(Generic[Row]):
    """label → the row made of its record, made again when the record is not the `same`."""

    def __init__(
        self,
        make: Callable[[Record], Row],
        same: Callable[[Record, Record], bool] = same_version,
    ) -> None:
        self._make = make
        self._same = same
        self._rows: dict[AccountLabel, tuple[Record, Row]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, record: Record) -> Row:
        """The row of a record."""
        label = record.profile.label
        known = self._rows.get(label)
        if known is not None and self._same(known[0], record):
            return known[1]
        row = self._make(record)
        self._rows[label] = (record, row)
        return row

    def forget_strangers(self, store: Records) -> None:
        """Drop the rows of accounts that have left the store."""
        if len(self._rows) > len(store):
            for label in self._rows.keys() - store.records.keys():
                del self._rows[label]


def _cost(rendered: RenderedDocument) -> int:
    return len(rendered.body) + OVERHEAD_BYTES
