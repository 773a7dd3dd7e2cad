"""Validation errors as sentences that name what is valid."""

import re
from difflib import get_close_matches
from typing import Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

# The member that an error of msgspec is about: … - at `$.mode`
_MEMBER = re.compile(r" - at `\$\.(\w+)")


def suggest_nearest(word: str, known: list[str]) -> str:
    """Return the end of an error sentence: the nearest known word, or all of them."""
    close = get_close_matches(word, known, n=1, cutoff=0.5)
    return f": did you mean {close[0]!r}?" if close else f": one of {', '.join(known)}"


def format_validation_error(error: msgspec.ValidationError, kind: type[Struct]) -> str:
    """Return msgspec's message with the words of a choice, and descriptions instead of patterns."""
    text = str(error)
    member = _MEMBER.search(text)
    if member is None:
        return text
    hint = get_type_hints(kind, include_extras=True).get(member[1])
    place = text[member.start() :]
    if "matching regex" in text and (meant := _description(hint)):
        return f"Expected {meant}{place}"
    if wrong := re.match(r"Invalid enum value '(.*)'", text, re.DOTALL):
        return f"{text}{suggest_nearest(wrong[1], _choices(hint))}"
    return text


def _choices(hint: object) -> list[str]:
    """Return the words that a type allows, at any depth."""
    if get_origin(hint) is Literal:
        return [str(word) for word in get_args(hint)]
    return [word for part in get_args(hint) for word in _choices(part)]


def _description(hint: object) -> str | None:
    for part in get_args(hint):
        if isinstance(part, Meta) and part.description:
            return part.description
        if meant := _description(part):
            return meant
    return None
