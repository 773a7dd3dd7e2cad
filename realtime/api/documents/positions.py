"""The positions that a query selects: the broker's `GET /v2/positions` from memory."""

from msgspec import Struct

from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import AsOf, Symbols, has_symbol, normalize_symbols
from realtime.core.model import Position
from realtime.core.state import AccountState


class PositionsQuery(Struct, frozen=True, kw_only=True):
    """Parameters of an account's list of positions."""

    symbol: Symbols = ()
    format: Format = "json"
    as_of: AsOf = None


ALL_POSITIONS = PositionsQuery()


def select_positions(state: AccountState, query: PositionsQuery) -> list[Position]:
    """The positions of a query, sorted by symbol."""
    wanted = normalize_symbols(query.symbol)
    selected = [p for p in state.positions.values() if has_symbol(p.symbol, wanted)]
    return sorted(selected, key=lambda position: position.symbol)
