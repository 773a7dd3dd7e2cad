"""Responses of the market-data API, kept in memory up to a number of bytes.

Keys are a client's request in one spelling (`reader.py`), so entries can be removed by prefix.
An entry outlives its lifetime: a client may accept an older value if there is no newer one.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

MAX_BYTES = 64 * 1024 * 1024
"""Bodies and keys together: some 40 full pages of quotes, or 400 000 latest quotes."""

MAX_ENTRY_SHARE = 8
"""An entry larger than this part of the whole is not kept: it would remove too many others."""

ENTRY_BYTES = 400
"""What an entry costs beside its body and key, measured with tracemalloc."""


class Entry(Struct, frozen=True, array_like=True):
    """A complete response with status 200. Times are epoch seconds."""

    body: bytes
    content_type: str
    as_of: float
    """When its request was sent."""
    expires_at: float


class Cache(Protocol):
    """A place for entries. It never raises: without it every request goes to the broker."""

    @property
    def is_available(self) -> bool:
        """Whether it keeps entries now."""

    async def read(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entry of each key, or None."""

    async def write(self, entries: Mapping[str, Entry]) -> None:
        """Keep entries."""

    async def invalidate(self, prefix: str) -> int:
        """Remove all entries whose keys begin with a text; return how many."""

    async def close(self) -> None:
        """Close connections, if there are any."""


class MemoryCache:
    """Entries of this process; the least recently used are removed first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self.size_bytes = 0
        self.evictions = 0
        self.is_available = True

    def __len__(self) -> int:
        return len(self._entries)

    async def read(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entry of each key, or None."""
        found = [self._entries.get(key) for key in keys]
        for key, entry in zip(keys, found, strict=True):
            if entry is not None:
                self._entries.move_to_end(key)
        return found

    async def write(self, entries: Mapping[str, Entry]) -> None:
        """Keep entries, except those that are too large."""
        for key, entry in entries.items():
            self._remove(key)
            size = _size(key, entry)
            if size * MAX_ENTRY_SHARE > self._max_bytes:
                continue
            self._entries[key] = entry
            self.size_bytes += size
        while self.size_bytes > self._max_bytes:
            self._remove(next(iter(self._entries)))
            self.evictions += 1

    async def invalidate(self, prefix: str) -> int:
        """Remove all entries whose keys begin with a text; return how many."""
        keys = [key for key in self._entries if key.startswith(prefix)]
        for key in keys:
            self._remove(key)
        return len(keys)

    async def close(self) -> None:
        """Nothing is open."""

    def _remove(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= _size(key, entry)


def _size(key: str, entry: Entry) -> int:
    return len(entry.body) + len(key) + ENTRY_BYTES
