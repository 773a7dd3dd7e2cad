"""Which positions a query shows: the broker's `GET /v2/positions` from memory."""

from msgspec import Struct

from realtime.api.documents.csv_format import Format
from realtime.api.documents.filters import Symbols, matches, spelled_alike
from realtime.core.model import Position
from realtime.core.state import AccountState


class PositionsQuery(Struct, frozen=True, kw_only=True):
    """What a reader may ask of an account's positions."""

    symbol: Symbols = ()
    format: Format = "json"


ALL = PositionsQuery()


def select_positions(state: AccountState, query: PositionsQuery) -> list[Position]:
    """The positions to show, by symbol."""
    wanted = spelled_alike(query.symbol)
    found = [position for position in state.positions.values() if matches(position.symbol, wanted)]
    return sorted(found, key=lambda position: position.symbol)
