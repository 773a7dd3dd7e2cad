"""Fields that the broker adds to orders, positions and accounts pass through, byte for byte.

The structs of `core.model` have the fields that we know. Here each has two relatives:

- the strict one rejects unknown fields. It decodes as fast as the plain one, so objects without
  unknown fields cost nothing extra. Its instances become plain ones (`to_plain`), because nothing
  outside this package should see two types of orders;
- an extended one has the unknown fields as raw JSON. It is a subclass made when such an object
  arrives, once per set of names, and is encoded like every other struct. Such an object is decoded
  three times (strict, plain, its members), which takes about five times as long.
"""

import re
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from realtime.core.model import Account, Order, Position, TradeUpdate

T = TypeVar("T", bound=Struct)

MAX_FIELDS = 32
"""Unknown fields of one object; further ones are dropped."""

MAX_VALUE_BYTES = 4096
"""A longer unknown field is dropped."""

_NAME = re.compile(r'[^"\\\x00-\x1f]{1,100}')
"""Names that msgspec accepts for a field; others are dropped."""

MAX_SHAPES = 64
"""Sets of unknown fields: each needs a class, which is never freed. Further ones are dropped."""


class StrictOrder(Order, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Decodes orders, and their legs, that have no unknown fields."""

    legs: "tuple[StrictOrder, ...] | None" = None


class StrictPosition(Position, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Decodes positions that have no unknown fields."""


class StrictAccount(Account, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """Decodes accounts that have no unknown fields."""


class StrictTradeUpdate(TradeUpdate, frozen=True, kw_only=True, gc=False):
    """Decodes updates whose order has no unknown fields; the update itself may have some."""

    order: StrictOrder


_OBJECT = Decoder(dict[str, Raw])
_ARRAY = Decoder(list[Raw])

_PLAIN: dict[type[Struct], type[Struct]] = {
    StrictOrder: Order,
    StrictPosition: Position,
    StrictAccount: Account,
    StrictTradeUpdate: TradeUpdate,
}

_extended: dict[tuple[type[Struct], tuple[str, ...]], type[Struct]] = {}
"""plain struct, names of unknown fields → the extended struct"""

# The same as `value.__class__ = …`, which frozen structs prevent. Python allows it only between
# classes of the same layout; a subclass without fields of its own has it.
_set_class = object.__dict__["__class__"].__set__


def to_plain(value: Struct) -> None:
    """Make an instance of a strict struct one of the plain struct, in place."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        _set_class(value, plain)


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
    instance: T = _extended_instance(plain, fields, unknown)
    return instance


@lru_cache(maxsize=16)
def _known_names(struct: type[Struct]) -> frozenset[str]:
    return frozenset(struct.__struct_encode_fields__)


def build(struct: type[T], fields: dict[str, object], unknown: dict[str, Raw]) -> T:
    """Return an instance of the plain struct, extended by the unknown fields if there are any."""
    plain: Any = _PLAIN.get(struct, struct)  # Any: the constructor's arguments are checked here
    if struct not in _PLAIN or not unknown:
        return plain(**fields)  # type: ignore[no-any-return]
    instance: T = _extended_instance(plain, fields, unknown)
    return instance


def _extended_instance(plain: Any, fields: dict[str, object], unknown: dict[str, Raw]) -> Any:
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
