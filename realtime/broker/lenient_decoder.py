"""Decodes JSON that does not fit our structs, field by field, and keeps what can be kept.

Unknown fields of the broker's objects are kept as they are (`extra_fields`).

The broker's numbers are strings by its protocol; a number becomes a string exactly as written. A
field of an unexpected type counts as absent, unless the state depends on it (`CRITICAL_FIELDS`):
then the whole object is rejected, because a wrong state is worse than none.

Only for what the typed decoders rejected; nothing here is fast.
"""

from functools import lru_cache
from types import UnionType
from typing import Any, NewType, TypeVar, get_args, get_origin

import msgspec
from msgspec import Raw, Struct, structs
from msgspec.json import Decoder

from realtime.broker.extra_fields import build
from realtime.errors import ProtocolViolation

T = TypeVar("T", bound=Struct)

DECODE_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError)
"""Everything that a msgspec decoder raises for bytes that do not fit its type."""

CRITICAL_FIELDS = frozenset(
    {
        "status",
        "filled_qty",
        "execution_id",
        "position_qty",
        "position_qtys",
        "updated_at",
        "legs",
    }
)
"""Fields that may be absent but, when present, must be decodable: the state depends on them."""

MAX_DEPTH = 8
"""Nested objects, each a pass over its bytes; the deepest that the broker sends is 3."""

_OBJECT = Decoder(dict[str, Raw])
_ARRAY = Decoder(list[Raw])


def decode_leniently(raw: bytes | Raw, struct: type[T], path: str, depth: int = 0) -> T:
    """Decode an object as `struct` although it does not fit exactly.

    `path` names the place in errors. Raises `ProtocolViolation` naming the field that is needed.
    """
    if depth > MAX_DEPTH:
        raise ProtocolViolation(f"{path}: nested too deeply")
    members = decode_members(raw, path)
    kept: dict[str, object] = {}
    for field in _fields(struct):
        member = members.pop(field.encode_name, None)
        field_path = f"{path}.{field.name}"
        if member is not None:
            try:
                kept[field.name] = _decode_value(member, field.type, field_path, depth + 1)
            except ProtocolViolation:
                if field.required or field.name in CRITICAL_FIELDS:
                    raise
        elif field.required:
            raise ProtocolViolation(f"{field_path}: missing")
    return build(struct, kept, members)


def decode_members(raw: bytes | Raw, path: str) -> dict[str, Raw]:
    """Return an object's members, undecoded. Raises `ProtocolViolation` if it is not one."""
    try:
        return _OBJECT.decode(raw)
    except DECODE_ERRORS as error:
        raise _misfit(raw, path, "an object") from error


def decode_items(raw: bytes | Raw, path: str) -> list[Raw]:
    """Return an array's items, undecoded. Raises `ProtocolViolation` if it is not one."""
    try:
        return _ARRAY.decode(raw)
    except DECODE_ERRORS as error:
        raise _misfit(raw, path, "an array") from error


def decode_text(raw: Raw | None) -> str:
    """Return a member's text, or an empty one where it is absent or something else."""
    try:
        return "" if raw is None else _decoder(str).decode(raw)
    except DECODE_ERRORS:
        return ""


def is_json(raw: bytes) -> bool:
    """Whether the bytes are JSON, even if nested too deeply to be decoded."""
    try:
        _decoder(Raw).decode(raw)
    except RecursionError:
        return True
    except DECODE_ERRORS:
        return False
    return True


@lru_cache(maxsize=64)
def _fields(struct: type[Struct]) -> tuple[structs.FieldInfo, ...]:
    return structs.fields(struct)


@lru_cache(maxsize=256)
def _decoder(form: Any) -> Decoder[Any]:  # Any: a type expression, `str | None` as well as a class
    return Decoder(form, strict=False)


def _decode_value(raw: Raw, form: Any, path: str, depth: int) -> object:
    try:
        return _decoder(form).decode(raw)
    except DECODE_ERRORS:
        for option in get_args(form) if isinstance(form, UnionType) else (form,):
            origin, inner = get_origin(option), get_args(option)
            if isinstance(option, type) and issubclass(option, Struct):
                return decode_leniently(raw, option, path, depth)
            if origin is tuple:
                items = enumerate(decode_items(raw, path))
                return tuple(
                    _decode_value(item, inner[0], f"{path}[{at}]", depth) for at, item in items
                )
            if origin is dict:
                members = decode_members(raw, path).items()
                return {
                    key: _decode_value(item, inner[1], f"{path}.{key}", depth)
                    for key, item in members
                }
            if _is_text(option) and bytes(raw)[:1] in b"-0123456789":
                return bytes(raw).decode().strip()
    raise _misfit(raw, path, str(form))


def _is_text(option: object) -> bool:
    return option is str or (isinstance(option, NewType) and option.__supertype__ is str)


def _misfit(raw: bytes | Raw, path: str, expected: str) -> ProtocolViolation:
    return ProtocolViolation(f"{path}: expected {expected}, got {bytes(raw)[:40]!r}")
