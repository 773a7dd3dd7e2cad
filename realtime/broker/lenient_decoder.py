"""A second look at JSON that does not fit our structs: field by field, keeping what can be kept.

The broker's numbers are strings, says the protocol; should one arrive as a number, it becomes a
string exactly as written. A field of an odd type counts as absent, unless the truth hangs on it
(`NEEDED`): then the whole is refused, for a wrong state is worse than none.

Only for what the typed decoders refused; nothing here is quick.
"""

from functools import lru_cache
from types import UnionType
from typing import Any, NewType, TypeVar, get_args, get_origin

import msgspec
from msgspec import Raw, Struct, structs
from msgspec.json import Decoder

from realtime.errors import ProtocolViolation

T = TypeVar("T", bound=Struct)

MISFIT = (msgspec.DecodeError, UnicodeError, RecursionError)
"""All that a msgspec decoder raises at bytes that it cannot read as asked."""

NEEDED = frozenset(
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
"""Fields that may be absent but, when there, must be readable: they decide what is true."""

DEPTH_MAX = 8
"""Objects within objects, each a pass over its bytes; the deepest that the broker sends is 3."""

_OBJECT = Decoder(dict[str, Raw])
_ARRAY = Decoder(list[Raw])


def mend(raw: bytes | Raw, form: type[T], path: str, depth: int = 0) -> T:
    """Read an object as `form` although it does not quite fit.

    `path` names the place in errors. Raises `ProtocolViolation` naming the field that is needed.
    """
    if depth > DEPTH_MAX:
        raise ProtocolViolation(f"{path}: nested too deeply")
    members = split_object(raw, path)
    kept: dict[str, object] = {}
    for field in structs.fields(form):
        member = members.get(field.encode_name)
        where = f"{path}.{field.name}"
        if member is not None:
            try:
                kept[field.name] = _read(member, field.type, where, depth + 1)
            except ProtocolViolation:
                if field.required or field.name in NEEDED:
                    raise
        elif field.required:
            raise ProtocolViolation(f"{where}: missing")
    return form(**kept)


def split_object(raw: bytes | Raw, path: str) -> dict[str, Raw]:
    """Give the members of an object, unread. Raises `ProtocolViolation` if it is none."""
    try:
        return _OBJECT.decode(raw)
    except MISFIT as error:
        raise _unfit(raw, path, "an object") from error


def split_array(raw: bytes | Raw, path: str) -> list[Raw]:
    """Give the elements of an array, unread. Raises `ProtocolViolation` if it is none."""
    try:
        return _ARRAY.decode(raw)
    except MISFIT as error:
        raise _unfit(raw, path, "an array") from error


def text(raw: Raw | None) -> str:
    """Give a member's text, or an empty one where it is absent or something else."""
    try:
        return "" if raw is None else _decoder(str).decode(raw)
    except MISFIT:
        return ""


def is_json(raw: bytes) -> bool:
    """Whether the bytes are JSON at all, be it nested too deeply to be read."""
    try:
        _decoder(Raw).decode(raw)
    except RecursionError:
        return True
    except MISFIT:
        return False
    return True


@lru_cache(maxsize=256)
def _decoder(form: Any) -> Decoder[Any]:  # Any: a type expression, `str | None` as well as a class
    return Decoder(form, strict=False)


def _read(raw: Raw, form: Any, path: str, depth: int) -> object:
    try:
        return _decoder(form).decode(raw)
    except MISFIT:
        for option in get_args(form) if isinstance(form, UnionType) else (form,):
            origin, inner = get_origin(option), get_args(option)
            if isinstance(option, type) and issubclass(option, Struct):
                return mend(raw, option, path, depth)
            if origin is tuple:
                each = enumerate(split_array(raw, path))
                return tuple(_read(item, inner[0], f"{path}[{at}]", depth) for at, item in each)
            if origin is dict:
                members = split_object(raw, path).items()
                return {key: _read(item, inner[1], f"{path}.{key}", depth) for key, item in members}
            if _is_text(option) and bytes(raw)[:1] in b"-0123456789":
                return bytes(raw).decode().strip()
    raise _unfit(raw, path, str(form))


def _is_text(option: object) -> bool:
    return option is str or (isinstance(option, NewType) and option.__supertype__ is str)


def _unfit(raw: bytes | Raw, path: str, expected: str) -> ProtocolViolation:
    return ProtocolViolation(f"{path}: expected {expected}, got {bytes(raw)[:40]!r}")
