"""The query of `GET /v2/orders`, in the spellings of every SDK.

None where this daemon cannot be sure how the broker reads a parameter: the broker answers then,
with its own error if it is one.
"""

import re
from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from realtime.api.alpaca.target import Target
from realtime.core.timestamps import NEVER, nanoseconds

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
NAMES = frozenset({
    "status", "limit", "after", "until", "direction", "nested", "symbols", "side", "asset_class",
    "before_order_id", "after_order_id",
})  # fmt: skip

_TRUE, _FALSE = frozenset({"true", "1", "t"}), frozenset({"", "false", "0", "f"})
_LIMIT = re.compile(r"[0-9]{1,3}")
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+ -]\d{2}:\d{2}))?"
)
_SYMBOL = re.compile(r"[A-Z0-9.]+(?:/[A-Z0-9]+)?")
_MIDNIGHT_LENGTH = len("2026-10-06")


class OrderListQuery(Struct, frozen=True, kw_only=True):
    """A query that is understood."""

    status: Literal["open", "closed", "all"] = "open"
    limit: int = DEFAULT_LIMIT
    after: int | None = None
    """Exclusive, in nanoseconds."""
    until: int | None = None
    newest_first: bool = True
    nested: bool = False
    symbols: frozenset[str] = frozenset()
    """As positions spell them."""
    side: str = ""
    asset_classes: frozenset[str] = frozenset()
    before_order_id: str = ""
    after_order_id: str = ""


def parse_order_query(target: Target) -> OrderListQuery | None:
    """Return the query; None if it is not understood for sure."""
    query = target.query
    if not target.is_plain or not query.keys() <= NAMES:
        return None
    status = _choice(query, "status", "open", "closed", "all")
    direction = _choice(query, "direction", "desc", "asc")
    side = _choice(query, "side", "", "buy", "sell")
    nested = parse_flag(query.get("nested", ""))
    limit = _parse_limit(query.get("limit", ""))
    after, until = _parse_time(query.get("after", "")), _parse_time(query.get("until", ""))
    symbols = _parse_list(query.get("symbols", ""))
    before_id, after_id = query.get("before_order_id", ""), query.get("after_order_id", "")
    if None in (status, direction, side, nested, limit, after, until, symbols):
        return None
    assert symbols is not None
    assert limit is not None
    if (before_id and after_id) or ((before_id or after_id) and (after or until)):
        return None
    classes = frozenset(_split(query.get("asset_class", "")))
    if not classes <= {"us_equity", "crypto", "all"}:  # options are listed by underlying, too
        return None
    return OrderListQuery(
        status=status,  # type: ignore[arg-type]  # checked above
        limit=limit,
        after=after or None,
        until=until or None,
        newest_first=direction == "desc",
        nested=bool(nested),
        symbols=symbols,
        side=side or "",
        asset_classes=frozenset() if "all" in classes else classes,
        before_order_id=before_id,
        after_order_id=after_id,
    )


def parse_flag(text: str) -> bool | None:
    """Return a flag; None if the text is none. alpaca-py sends `True`, JavaScript `true`."""
    word = text.lower()
    return True if word in _TRUE else False if word in _FALSE else None


def _choice(query: Mapping[str, str], name: str, *choices: str) -> str | None:
    value = query.get(name, "").lower() or choices[0]
    return value if value in choices else None


def _parse_limit(text: str) -> int | None:
    if not text:
        return DEFAULT_LIMIT
    limit = int(text) if _LIMIT.fullmatch(text) else 0
    return limit if 1 <= limit <= MAX_LIMIT else None


def _parse_time(text: str) -> int | None:
    """Return nanoseconds; 0 for no text; None if it is not understood. A date is its midnight UTC;
    a `+` that was not encoded arrives as a space."""
    if not text:
        return 0
    if not _TIME.fullmatch(text):
        return None
    if len(text) == _MIDNIGHT_LENGTH:
        text += "T00:00:00Z"
    if text[-6] == " ":
        text = f"{text[:-6]}+{text[-5:]}"
    at = nanoseconds(text.replace("t", "T", 1))
    return None if at <= NEVER else at


def _parse_list(text: str) -> frozenset[str] | None:
    words = _split(text)
    if not all(_SYMBOL.fullmatch(word) for word in words):
        return None
    return frozenset(word.replace("/", "") for word in words)


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
