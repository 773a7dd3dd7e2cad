"""A mapping that is a value: another with one entry more costs the same, however large it is.

Theory. Nearly all entries are in one dict, which many versions share and which never changes; what
came since stands in a small one above it. A new version copies the small one only; once it has
grown it goes into a new large one. Copying everything each time would cost an account of 500 orders
as much as all the rest of an event.

The garbage collector never visits it (`gc=False`): nothing that is kept in it leads back to it.
"""

from abc import ABCMeta
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from itertools import islice
from typing import Any, TypeVar, overload

from msgspec import Struct, StructMeta

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

MAX_NEW = 32
"""Entries above the large dict. The sum of both copies is least near the root of the size."""

_ABSENT: Any = object()


class _Meta(StructMeta, ABCMeta):
    pass


class _Entries(Mapping[K, V]):
    """What follows from the entries as a dict. Iterates as a dict does: in the order in which keys
    first came."""

    __slots__ = ()

    def _whole(self) -> Mapping[K, V]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[K]:
        return iter(self._whole())

    def keys(self) -> KeysView[K]:
        return self._whole().keys()

    def values(self) -> ValuesView[V]:
        return self._whole().values()

    def items(self) -> ItemsView[K, V]:
        return self._whole().items()

    def __eq__(self, other: object) -> bool:
        return self._whole() == (other._whole() if isinstance(other, _Entries) else other)

    __hash__ = None  # type: ignore[assignment]  # as of any mapping


class SingleEntryMap(_Entries[K, V], Struct, metaclass=_Meta, frozen=True, gc=False, eq=False):
    """One entry, which is what most have: a dict of it would take six times the memory."""

    _key: K
    _value: V

    def __getitem__(self, key: K) -> V:
        if key == self._key:
            return self._value
        raise KeyError(key)

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, default: V | D | None = None) -> V | D | None:
        return self._value if key == self._key else default

    def __contains__(self, key: object) -> bool:
        return key == self._key

    def __len__(self) -> int:
        return 1

    def _whole(self) -> Mapping[K, V]:
        return {self._key: self._value}


class PersistentMap(_Entries[K, V], Struct, metaclass=_Meta, frozen=True, gc=False, eq=False):
    """Any number of entries."""

    _old: Mapping[K, V]
    _new: dict[K, V]
    _length: int

    def __getitem__(self, key: K) -> V:
        value = self._new.get(key, _ABSENT)
        return self._old[key] if value is _ABSENT else value

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, /, default: V | D) -> V | D: ...
    def get(self, key: K, default: V | D | None = None) -> V | D | None:
        value = self._new.get(key, _ABSENT)
        return self._old.get(key, default) if value is _ABSENT else value

    def __contains__(self, key: object) -> bool:
        return key in self._new or key in self._old

    def __len__(self) -> int:
        return self._length

    def _whole(self) -> Mapping[K, V]:
        return {**self._old, **self._new}


def put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """The mapping with one entry more, or another value for it; the given one stays as it was, and
    must not be changed any more either."""
    if not mapping:
        return SingleEntryMap(key, value)
    if type(mapping) is not PersistentMap:
        old = mapping._whole() if type(mapping) is SingleEntryMap else mapping
        return PersistentMap(old, {key: value}, len(old) + (key not in old))
    old, new = mapping._old, mapping._new
    length = mapping._length + (key not in new and key not in old)
    if len(new) < MAX_NEW:
        return PersistentMap(old, {**new, key: value}, length)
    return PersistentMap({**old, **new}, {key: value}, length)


def changed_keys(before: Mapping[K, V], after: Mapping[K, V]) -> list[K] | None:
    """The keys of entries that `after` has and `before` has not; None if only a comparison of all
    entries can tell, which also finds removed ones."""
    if before is after:
        return []
    if type(after) is not PersistentMap:
        return None
    if after._old is before:
        return list(after._new)
    if type(before) is PersistentMap and before._old is after._old:
        return [key for key, value in after._new.items() if before._new.get(key) is not value]
    return None


def new_entries(before: Mapping[K, V], after: Mapping[K, V]) -> dict[K, V] | None:
    """The entries by which `after` was made from `before`, where that is certain: nothing else
    differs, and none was removed. None if only a comparison of all entries can tell."""
    if type(after) is not PersistentMap:
        return None
    if after._old is before:
        return after._new
    if type(before) is not PersistentMap or before._old is not after._old:
        return None
    old = before._new
    if list(old) != list(islice(after._new, len(old))):
        return None  # of another branch
    return {key: value for key, value in after._new.items() if old.get(key, _ABSENT) is not value}


def differing_keys(before: Mapping[K, V], after: Mapping[K, V]) -> list[K]:
    """Keys whose values are not the same object in both mappings, in the order of `after`; keys
    that are only in `before` come last."""
    keys = changed_keys(before, after)
    if keys is not None:
        return [key for key in keys if after.get(key, _ABSENT) is not before.get(key, _ABSENT)]
    changed = [k for k, value in after.items() if before.get(k, _ABSENT) is not value]
    return [*changed, *(key for key in before if key not in after)]
