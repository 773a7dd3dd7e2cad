"""Query strings read into a route's query struct; the struct's types are the only rules."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, inspect, structs

from realtime.api.nearest import nearest
from realtime.api.problems import Problem, shown

Query = TypeVar("Query", bound=Struct)

_DIGITS = 18
"""More digits than this are no number of ours; int() of a long string is slow on purpose."""

REMEMBERED = 256
"""Query strings a route remembers the meaning of."""


class NoQuery(Struct, frozen=True):
    """For routes that take no parameters."""


class Parameter(Struct, frozen=True):
    """One query parameter, read off a field of the query struct."""

    name: str
    type: object
    kind: inspect.Type
    """The type without its annotations."""

    def read(self, texts: list[str]) -> object:
        """The value of what stands behind the name, once or more often."""
        if isinstance(self.kind, inspect.VarTupleType):
            parts = [part.strip() for text in texts for part in text.split(",")]
            return self._convert([part for part in parts if part] or [""], ",".join(texts))
        if len(texts) > 1:
            raise self._wrong(f"{self.name}: given more than once", "give it once")
        return self._convert(self._prepared(texts[0]), texts[0])

    def _prepared(self, text: str) -> str:
        if isinstance(self.kind, inspect.BoolType) and not text:
            return "true"
        if isinstance(self.kind, inspect.IntType):
            # The lenient conversion would take 1e2 and 5.0 for whole numbers.
            return text if text.isascii() and text.isdigit() and len(text) <= _DIGITS else ""
        return text

    def _convert(self, value: object, text: str) -> object:
        try:
            return msgspec.convert(value, self.type, strict=False)
        except msgspec.ValidationError:
            raise self._wrong(f"{self.name}={shown(text)}", expected(self.kind)) from None

    def _wrong(self, detail: str, remedy: str) -> Problem:
        return Problem("bad_parameter", detail, remedy=f"{self.name}: {remedy}")


class Parameters(Generic[Query]):
    """Reads query strings for one route."""

    def __init__(self, query: type[Query]) -> None:
        self.query = query
        self.known: Mapping[str, Parameter] = {
            field.encode_name: Parameter(
                field.encode_name, field.type, _bare(inspect.type_info(field.type))
            )
            for field in structs.fields(query)
        }
        self._fields = {field.encode_name: field.name for field in structs.fields(query)}
        """Parameter → the struct's own name for it: `from` is no name in Python."""
        # What a query string says never changes, and readers ask the same again and again.
        self.read = lru_cache(maxsize=REMEMBERED)(self._read)
        """The query of a query string. Raises the problem `bad_parameter` for what is unknown or
        out of bounds."""

    def _read(self, text: str) -> Query:
        given: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            given.setdefault(name, []).append(value)
        values = {}
        for name, texts in given.items():
            if name not in self.known:
                raise self._unknown(name)
            values[name] = self.known[name].read(texts)
        return self.query(**{self._fields[name]: value for name, value in values.items()})

    def _unknown(self, name: str) -> Problem:
        names = ", ".join(self.known) or "none"
        meant = nearest(name, self.known)
        hint = f"did you mean {meant}? " if meant else ""
        return Problem(
            "bad_parameter",
            f"{shown(name)}: unknown parameter",
            remedy=f"{hint}known parameters: {names}",
        )


def expected(kind: inspect.Type) -> str:
    """In words, what values of a type are good."""
    match kind:
        case inspect.IntType(ge=low, le=high):
            return f"a whole number, {low}–{high}"
        case inspect.FloatType():
            return "a number"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case inspect.VarTupleType(item_type=item, max_length=most):
            each = expected(_bare(item))
            return f"{each}; up to {most} of them, with commas between"
        case inspect.StrType(max_length=most):
            return f"1–{most} letters"
        case _:
            raise TypeError(f"no words for a parameter of {kind}")


def _bare(kind: inspect.Type) -> inspect.Type:
    """The type without annotations, and without the None of what may be left out."""
    match kind:
        case inspect.Metadata(type=inner):
            return _bare(inner)
        case inspect.UnionType(types=(inner, inspect.NoneType())):
            return _bare(inner)
        case _:
            return kind
