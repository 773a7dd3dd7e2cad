"""Keys of positions: the symbol, and for a second asset under the same symbol also the asset's id.

A ticker that was reassigned can be held twice: the shares of the company that had it, and of the
one that has it now. Both are shown. An event names only the symbol, so positions are provisional as
long as two assets share one.
"""

from collections.abc import Iterable, Mapping

from realtime.core.decimals import number
from realtime.core.model import Position, Symbol


def positions_by_key(
    positions: Iterable[Position], known: Mapping[Symbol, Position]
) -> dict[Symbol, Position]:
    """The positions that are not flat, by key. The known asset of a symbol keeps its key."""
    by_key: dict[Symbol, Position] = {}
    for position in sorted(positions, key=lambda p: _is_other(p, known.get(p.symbol))):
        if number(position.qty) == 0:
            continue
        key = position.symbol
        if _is_other(position, by_key.get(key)):
            key = Symbol(f"{key} {position.asset_id}")
        by_key[key] = position
    return by_key


def has_shared_symbols(positions: Mapping[Symbol, Position]) -> bool:
    """Whether two assets share a symbol."""
    return any(key != position.symbol for key, position in positions.items())


def _is_other(position: Position, other: Position | None) -> bool:
    return other is not None and other.asset_id != position.asset_id
