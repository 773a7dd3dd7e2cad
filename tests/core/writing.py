"""How a broker writes: times, quantities, and the styles of the years."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
PAUSES_NS = (0, 300, 2 * MICROSECOND, 40 * MILLISECOND, 3 * SECOND)
"""How long after the act before: within a microsecond, within a millisecond, like people."""


class Style(Struct, frozen=True):
    """How the broker of the year writes its frames."""

    published: bool = True
    """With `at` and `event_id`, as in 2026; without them as in 2022."""
    coarse: bool = False
    """Times of execution in whole seconds."""
    parent_legs: bool = True
    """Parents' frames carry the legs; otherwise each leg is told by a frame of its own."""


def rfc3339(ns: int) -> str:
    """Up to nine decimals, trailing zeros cut."""
    seconds, fraction = divmod(ns, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".rstrip("0").rstrip(".") + "Z"


def text(value: Decimal) -> str:
    """No exponent, no trailing zeros."""
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def quantities(held: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Without those that are flat."""
    return {symbol: qty for symbol, qty in held.items() if qty}
