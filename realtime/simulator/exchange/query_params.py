"""Parsing of query parameters: choices, counts, times, booleans, lists."""

from collections.abc import Mapping, Sequence

from realtime.simulator.exchange.errors import malformed
from realtime.simulator.exchange.timestamps import parse_rfc3339


def parse_choice(query: Mapping[str, str], name: str, choices: Sequence[str]) -> str:
    """Return one of the choices; the first is the default."""
    value = query.get(name, "").lower()
    if not value:
        return choices[0]
    if value not in choices:
        raise malformed(f"invalid {name}: {value[:40]}")
    return value


def parse_count(query: Mapping[str, str], name: str, *, default: int, largest: int) -> int:
    """Return a whole number from 1 to `largest`."""
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise malformed(f"invalid {name}: {text[:40]}")
    if not 1 <= int(text) <= largest:
        raise malformed(f"invalid {name}: must be between 1 and {largest}")
    return int(text)


def parse_time(query: Mapping[str, str], name: str) -> int | None:
    """Return epoch nanoseconds, or None when the parameter is absent."""
    text = query.get(name, "")
    if not text:
        return None
    at = parse_rfc3339(text)
    if at is None:
        raise malformed(f"invalid {name}: {text[:40]}")
    return at


def parse_bool(query: Mapping[str, str], name: str) -> bool:
    """Return a boolean; absent is false."""
    return parse_choice(query, name, ("false", "true", "0", "1", "f", "t")) in ("true", "1", "t")


def parse_list(query: Mapping[str, str], name: str) -> list[str]:
    """Return the parts of a comma-separated list."""
    return [word.strip() for word in query.get(name, "").split(",") if word.strip()]
