"""Converts the values of log events to plain JSON values without secrets."""

import re
from collections.abc import Mapping

from realtime.secret import Secret, is_secret

REDACTED = "***"
MAX_DEPTH = 6
_WORD = re.compile(r"[^\s\"'`=:,;()\[\]{}<>&?]{8,}")  # a shorter one in a sentence is no key


def to_plain(value: object, depth: int = 0) -> object:
    """Return the value as JSON can represent it, with `***` for every secret in it."""
    if type(value) is str:  # nearly every value of nearly every line
        return redact(value)
    if value is None or type(value) is float:
        return value
    match value:
        case str():
            return redact(value)
        case bool() | float():
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else hex(value)
        case Secret():
            return REDACTED
        case Mapping() if depth < MAX_DEPTH:
            return {redact(str(key)): to_plain(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset() if depth < MAX_DEPTH:
            return [to_plain(item, depth + 1) for item in value]
        case _:
            return redact(str(value))


def redact(text: str) -> str:
    """Return the text with `***` for every secret that is the whole text or a word in it."""
    if is_secret(text):
        return REDACTED
    if len(text) > 8 and not text.isidentifier():  # which is one word, and was looked at
        text = _WORD.sub(_without_secret, text)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _without_secret(word: re.Match[str]) -> str:
    bare = word[0].rstrip(".!")  # the end of a sentence
    return word[0].replace(bare, REDACTED) if is_secret(word[0]) or is_secret(bare) else word[0]
