"""The part of the store that one client may see.

A handler that works with a scoped store instead of the whole one cannot show other accounts: lists,
counts, suggestions and versions are made from its records. Versions too, because a number that
increases with every change of the fleet would reveal how busy the others are.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from realtime.core.model import AccountLabel
from realtime.store.records import Record, Records

VERSION_BYTES = 6
"""Length of the digest that is the version: as a number it is exact in any JSON parser."""


class ScopedStore:
    """The current records of some labels; a label without an account has none."""

    def __init__(self, whole: Records, labels: frozenset[str]) -> None:
        self._whole = whole
        self._labels = labels
        self._version = (-1, 0)

    @property
    def boot(self) -> str:
        """Identifies this run."""
        return self._whole.boot

    @property
    def version(self) -> int:
        """Another number whenever a visible record has changed; it does not increase."""
        if self._version[0] != self._whole.version:
            digest = blake2b(digest_size=VERSION_BYTES)
            for record in self:
                digest.update(f"{record.profile.label}={record.version};".encode())
            self._version = (self._whole.version, int.from_bytes(digest.digest(), "big"))
        return self._version[1]

    @property
    def records(self) -> Mapping[AccountLabel, Record]:
        """The visible records, in the order of the configuration."""
        return {record.profile.label: record for record in self}

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self._whole if record.profile.label in self._labels)

    def get(self, label: str) -> Record | None:
        """The record of an account that is visible."""
        return self._whole.get(label) if label in self._labels else None
