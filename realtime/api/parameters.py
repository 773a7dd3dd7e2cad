"""Parses query strings into a route's query struct, by the types of its fields."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct, inspect, structs

from realtime.api.problems import Problem, quote
from realtime.nearest import nearest

Query = TypeVar("Query", bound=Struct)

MAX_DIGITS = 18
"""No parameter is larger; int() of a long string is slow."""

MAX_CACHED_QUERIES = 256
"""Parsed query strings of one route."""


class NoQuery(Struct, frozen=True):
    """For routes that take no parameters."""


class Parameter(Struct, frozen=True):
    """One query parameter: a field of the query struct."""

    name: str
    type: object
    kind: inspect.Type
    """The type without its annotations."""

    def parse(self, texts: list[str]) -> object:
        """Return the value; `texts` are what follows each occurrence of the name."""
        if isinstance(self.kind, inspect.VarTupleType):
            # Blanks only: with a line ending a text is not the label or symbol that it looks like.
            parts = [part.strip(" ") for text in texts for part in text.split(",")]
            return self._convert([part for part in parts if part] or [""], ",".join(texts))
        if len(texts) > 1:
            raise self._wrong(f"{self.name}: repeated", "send it once")
        return self._convert(self._normalize(texts[0]), texts[0])

    def _normalize(self, text: str) -> str:
        if isinstance(self.kind, inspect.BoolType) and not text and not _is_optional(self.type):
            return "true"  # `?strict` is a flag; of three possible values the name alone says none
        if isinstance(self.kind, inspect.IntType):
            # msgspec's lenient conversion accepts 1e2 and 5.0 as integers.
            return text if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else ""
        return text

    def _convert(self, value: object, text: str) -> object:
        try:
            return msgspec.convert(value, self.type, strict=False)
        except msgspec.ValidationError:
            raise self._wrong(f"{self.name}={quote(text)}", describe_type(self.kind)) from None

    def make_missing_problem(self) -> Problem:
        """A required parameter that was not sent."""
        return self._wrong(f"{self.name}: missing", describe_type(self.kind))

    def _wrong(self, detail: str, remedy: str) -> Problem:
        return Problem("bad_parameter", detail, remedy=f"{self.name}: {remedy}")


class Parameters(Generic[Query]):
    """Parses query strings for one route."""

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
        self._required = [f.encode_name for f in structs.fields(query) if f.required]
        # Clients repeat the same query strings.
        self.read = lru_cache(maxsize=MAX_CACHED_QUERIES)(self._parse)
        """Return the query struct of a query string. Raises the problem `bad_parameter` for an
        unknown name, an invalid value or a required one that is missing."""

    def _parse(self, text: str) -> Query:
        occurrences: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            occurrences.setdefault(name, []).append(value)
        values = {}
        for name, texts in occurrences.items():
            if name not in self.known:
                raise self._unknown(name)
            values[name] = self.known[name].parse(texts)
        for name in self._required:
            if name not in values:
                raise self.known[name].make_missing_problem()
        return self.query(**{self._fields[name]: value for name, value in values.items()})

    def _unknown(self, name: str) -> Problem:
        names = ", ".join(self.known) or "none"
        suggestion = nearest(name, self.known)
        hint = f"did you mean {suggestion}? " if suggestion else ""
        return Problem(
            "bad_parameter",
            f"{quote(name)}: unknown parameter",
            remedy=f"{hint}known parameters: {names}",
        )


def _is_optional(kind: object) -> bool:
    info = inspect.type_info(kind)
    while isinstance(info, inspect.Metadata):
        info = info.type
    return isinstance(info, inspect.UnionType)


def describe_type(kind: inspect.Type) -> str:
    """Describe the valid values of a type."""
    match kind:
        case inspect.IntType(ge=low, le=high):
            return f"a whole number, {low}–{high}"
        case inspect.FloatType():
            return "a number"
        case inspect.BoolType():
            return "true or false"
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) for value in values)
        case inspect.VarTupleType(item_type=item, max_length=max_length):
            description = describe_type(_bare(item))
            return f"{description}; up to {max_length}, separated by commas"
        case inspect.StrType(max_length=max_length):
            return f"1–{max_length} characters"
        case _:
            raise TypeError(f"no description for a parameter of type {kind}")


def _bare(kind: inspect.Type) -> inspect.Type:
    """Return the type without annotations, and without the None of an optional field."""
    match kind:
        case inspect.Metadata(type=inner):
            return _bare(inner)
        case inspect.UnionType(types=(inner, inspect.NoneType())):
            return _bare(inner)
        case _:
            return kind
