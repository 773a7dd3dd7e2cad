"""The part of the store that one reader may know of: for that reader, all there is.

A route that is given a scope in place of the store cannot show what is not in it: lists, counts,
"did you mean" and versions are made of what it sees. Versions too, because a number that rises with
every change of the fleet would tell how busy the others are.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from realtime.core.model import AccountLabel
from realtime.store.store import Record, Records

VERSION_BYTES = 6
"""Of the digest that is a scope's version: as a number it stays exact in any JSON reader."""


class ScopedStore:
    """The records of some labels, as they stand; labels that no account has are not there yet."""

    def __init__(self, whole: Records, labels: frozenset[str]) -> None:
        self._whole = whole
        self._labels = labels
        self._version = (-1, 0)

    @property
    def boot(self) -> str:
        """The run's name."""
        return self._whole.boot

    @property
    def version(self) -> int:
        """Another number whenever anything seen has changed; it does not rise."""
        if self._version[0] != self._whole.version:
            digest = blake2b(digest_size=VERSION_BYTES)
            for record in self:
                digest.update(f"{record.profile.label}={record.version};".encode())
            self._version = (self._whole.version, int.from_bytes(digest.digest(), "big"))
        return self._version[1]

    @property
    def records(self) -> Mapping[AccountLabel, Record]:
        """What is seen, in the order of the configuration."""
        return {record.profile.label: record for record in self}

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Record]:
        return (record for record in self._whole if record.profile.label in self._labels)

    def get(self, label: str) -> Record | None:
        """The record of an account that is seen."""
        return self._whole.get(label) if label in self._labels else None
