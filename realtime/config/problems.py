"""What is wrong with a configuration, all of it at once, so that one edit can fix it."""

import json
import re
from collections.abc import Sequence

from msgspec import Struct

from realtime.errors import ConfigError

_INDEX = re.compile(r"\[\d+\]$")

MAX_SHOWN = 40  # characters of a wrong value; enough to find it


class Problem(Struct, frozen=True):
    """One fact and its remedy."""

    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class InvalidConfig(ConfigError):
    """All problems of one read: `problems` separately, `str()` as a list."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(problems[0].message, remedy=problems[0].remedy)
        else:
            super().__init__("\n".join(str(problem) for problem in problems))


class InvalidValue(Exception):
    """An unusable value. The message continues the key's name: `expected …, got …`."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def shown(value: object) -> str:
    """Format a wrong value as TOML would, cut to a length that fits a sentence."""
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case int() if value.bit_length() > 8 * MAX_SHOWN:
            return "a number too long to show"  # Python refuses to format very long ones
        case str():
            text = json.dumps(value[: MAX_SHOWN + 1], ensure_ascii=not value.isprintable())
        case _:
            text = str(value)
    return text if len(text) <= MAX_SHOWN + 2 else f"{text[:MAX_SHOWN]}…"


def dotted(*keys: str) -> str:
    """Join keys as TOML does, quoting those that are not bare."""
    return ".".join(key if _is_bare(key) else shown(key) for key in keys)


def _is_bare(key: str) -> bool:
    """Whether it needs no quotes; `webhooks[2]` names the second of several tables."""
    key = _INDEX.sub("", key)
    letters = key.replace("_", "").replace("-", "")
    return letters.isascii() and letters.isalnum() and len(key) <= 2 * MAX_SHOWN
