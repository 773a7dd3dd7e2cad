"""A mapping that is a value: another with one entry more costs the same, however large it is.

Theory. Nearly all entries stand in one dict, which many versions share and nobody changes; what
came since stands in a small one above it. A new version copies the small one only; once it has
grown it goes into a new large one. Copying everything each time would cost an account of 500 orders
as much as all the rest of an event.

The garbage collector never visits it (`gc=False`): nothing that is kept in it leads back to it.
"""

from abc import ABCMeta
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, TypeVar, overload

from msgspec import Struct, StructMeta

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

NEW_MOST = 32
"""Entries above the large dict. The sum of both copies is least near the root of the size."""

_ABSENT: Any = object()


class _Meta(StructMeta, ABCMeta):
    pass


class Persistent(
    Struct, Mapping[K, V], metaclass=_Meta, frozen=True, gc=False, eq=False, weakref=False
):
    """Made by `put`. Iterates as a dict does: in the order in which keys first came."""

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

    def __iter__(self) -> Iterator[K]:
        return iter(self._whole())

    def keys(self) -> KeysView[K]:
        return self._whole().keys()

    def values(self) -> ValuesView[V]:
        return self._whole().values()

    def items(self) -> ItemsView[K, V]:
        return self._whole().items()

    def __eq__(self, other: object) -> bool:
        return self._whole() == (other._whole() if isinstance(other, Persistent) else other)

    def _whole(self) -> Mapping[K, V]:
        return {**self._old, **self._new} if self._old else self._new


def put(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    """The mapping with one entry more, or another value for it; the given one stays as it was, and
    must not be changed any more either."""
    if type(mapping) is not Persistent:
        return Persistent(mapping, {key: value}, len(mapping) + (key not in mapping))
    old, new = mapping._old, mapping._new
    length = mapping._length + (key not in new and key not in old)
    if len(new) < NEW_MOST:
        return Persistent(old, {**new, key: value}, length)
    return Persistent({**old, **new}, {key: value}, length)
