"""A value that may be used but never shown.

It stands below everything, so that settings may hold secrets and the log may know one when it
meets one, without either room importing the other.
"""

import hmac
from typing import NoReturn, final

from msgspec import Struct

_values: set[str] = set()


@final
class Secret:
    """A string that prints as `***`; only `reveal()` gives it away, so a search finds every use.

    Making one also makes its value known to `is_secret`: the log conceals it from then on, even
    where it arrives as a plain string in another library's error message.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        _values.add(value)

    def reveal(self) -> str:
        return self._value

    def matches(self, text: str) -> bool:
        """Whether this is the text, compared in constant time. The text is not remembered."""
        mine, theirs = (s.encode("utf-8", "surrogatepass") for s in (self._value, text))
        return hmac.compare_digest(mine, theirs)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self.matches(other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: its bytes would outlive the process")


def is_secret(text: str) -> bool:
    """Say whether any Secret of this process holds exactly this text."""
    return text in _values


def count_secrets() -> int:
    """Return how many there are. It only rises, so what was found without one holds while it is
    the same."""
    return len(_values)


class Credentials(Struct, frozen=True):
    """One pair of keys. `source` names where it was found, for people: a file or `environment`."""

    key_id: Secret
    secret_key: Secret
    source: str | None = None
