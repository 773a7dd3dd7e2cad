"""Parameters that queries of several documents share, and how symbols are compared."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta

from realtime.core.link import LinkState
from realtime.core.model import position_symbol

MAX_ACCOUNTS = 10_000
"""Default and bound of the lists of accounts: no fleet is larger."""

ShortWord = Annotated[str, Meta(min_length=1, max_length=64)]

Symbols = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=32)], ...],
    Meta(max_length=100, description="Only these symbols; `BTC/USD` and `BTCUSD` are the same."),
]
Sides = Annotated[
    tuple[Literal["buy", "sell"], ...],
    Meta(max_length=2, description="Only orders of this side."),
]
States = Annotated[
    tuple[LinkState, ...],
    Meta(max_length=8, description="Only accounts whose link is in one of these states."),
]
FleetLimit = Annotated[int, Meta(ge=1, le=MAX_ACCOUNTS, description="At most this many accounts.")]
Moment = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        description="RFC 3339 (`2026-11-30T14:30:00Z`; a date is its midnight UTC), or epoch"
        " seconds.",
    ),
]
AsOf = Annotated[
    Moment | None, Meta(description="The state as it was visible here at a moment of the past.")
]
Offset = Annotated[int, Meta(ge=0, le=MAX_ACCOUNTS, description="Skip this many accounts.")]


def normalize_symbols(symbols: Iterable[str]) -> frozenset[str]:
    """Symbols as they are compared: upper case, without a slash."""
    return frozenset(position_symbol(symbol).upper() for symbol in symbols)


def has_symbol(symbol: str | None, wanted: frozenset[str]) -> bool:
    """Whether a symbol is among those of a filter; an empty filter accepts all."""
    return not wanted or (symbol is not None and position_symbol(symbol).upper() in wanted)
