"""Unknown fields of the broker's objects, kept in subclasses that have them as raw JSON.

A subclass is made when such an object arrives, once per set of names, and is encoded like every
other struct.
"""

import re
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

T = TypeVar("T", bound=Struct)

MAX_FIELDS = 32
"""Unknown fields of one object; further ones are dropped."""

MAX_VALUE_BYTES = 4096
"""A longer unknown field is dropped."""

_NAME = re.compile(r'[^"\\\x00-\x1f]{1,100}')
"""Names that msgspec accepts for a field; others are dropped."""

MAX_SHAPES = 64
"""Sets of unknown fields: each needs a class, which is never freed. Further ones are dropped."""

_OBJECT = Decoder(dict[str, Raw])
_ARRAY = Decoder(list[Raw])

_extended: dict[tuple[type[Struct], tuple[str, ...]], type[Struct]] = {}
"""plain struct, names of unknown fields → the extended struct"""


def extend(value: T, raw: bytes | Raw) -> T:
    """Return a decoded plain object, and its legs, extended by the unknown fields of its JSON.

    `raw` has been decoded before, so it is a valid object.
    """
    plain = type(value)
    members = _OBJECT.decode(raw)
    legs = getattr(value, "legs", None)
    if legs:
        pairs = zip(legs, _ARRAY.decode(members["legs"]), strict=True)
        msgspec.structs.force_setattr(value, "legs", tuple(extend(leg, r) for leg, r in pairs))
    if members.keys() <= _known_names(plain):
        return value
    unknown = {name: member for name, member in members.items() if name not in _known_names(plain)}
    fields = {name: getattr(value, name) for name in plain.__struct_fields__}
    instance: T = extended_instance(plain, fields, unknown)
    return instance


@lru_cache(maxsize=16)
def _known_names(struct: type[Struct]) -> frozenset[str]:
    return frozenset(struct.__struct_encode_fields__)


def extended_instance(plain: Any, fields: dict[str, object], unknown: dict[str, Raw]) -> Any:
    # Any: the constructor's arguments were decoded as the struct's types
    kept = {
        name: bytes(raw)
        for name, raw in unknown.items()
        if len(bytes(raw)) <= MAX_VALUE_BYTES and _NAME.fullmatch(name)
    }
    names = tuple(kept)[:MAX_FIELDS]
    extended: Any = _extended_struct(plain, names)
    if extended is None:
        return plain(**fields)
    # A copy: a `Raw` of a decoder keeps the whole response in memory.
    extra = {f"extra_{at}": Raw(kept[name]) for at, name in enumerate(names)}
    return extended(**fields, **extra)


def _extended_struct(plain: type[Struct], names: tuple[str, ...]) -> type[Struct] | None:
    """Return the struct with these fields at its end; None if there are too many such structs."""
    extended = _extended.get((plain, names))
    if extended is None and names and len(_extended) < MAX_SHAPES:
        fields = [(f"extra_{at}", Raw, msgspec.field(name=n)) for at, n in enumerate(names)]
        extended = msgspec.defstruct(
            plain.__name__, fields, bases=(plain,), frozen=True, kw_only=True, gc=False
        )
        _extended[plain, names] = extended
    return extended
