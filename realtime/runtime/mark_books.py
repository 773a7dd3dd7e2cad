"""What books held before the daemon started, from the history: marks by book begin with it."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec
from msgspec import Struct

from realtime.analytics.live_books import LiveBooks
from realtime.api.handlers.compare import make_books_call
from realtime.api.history.client import HistoryClient
from realtime.api.problems import Problem
from realtime.core.model import Symbol
from realtime.market.marks.engine import MarkEngine
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

LOOK_S = 5.0
"""Between two looks for accounts whose books were not read."""

BETWEEN_READS_S = 0.05
"""Between two reads: a thousand accounts take a minute, and other queries are not held up."""


class _Position(Struct):
    symbol: str
    qty: str


class _Book(Struct):
    name: str
    positions: list[_Position]


class _Books(Struct):
    books: list[_Book]


_decode = msgspec.json.Decoder(_Books).decode


async def keep_books(
    engine: MarkEngine,
    store: Store,
    history: HistoryClient,
    prefixes: Mapping[str, str],
    clock: Callable[[], float],
) -> None:
    """Read the books of every account once it has data, until cancelled. What cannot be read stays
    in `other`, and is tried again."""
    known: set[LiveBooks] = set()
    while True:
        current = set()
        for label, books in list(engine.account_books()):
            if not isinstance(books, LiveBooks):
                continue
            current.add(books)
            record = store.get(label)
            if books in known or record is None or not record.has_data:
                continue
            changes = books.changes
            try:
                call = make_books_call(record, dict(prefixes), int(clock() * 1e6))
                quantities = _read((await history.fetch(call)).body)
            except (Problem, msgspec.MsgspecError) as error:
                log.debug("marks.books_not_read", account=label, reason=str(error))
                break
            if books.changes == changes:  # else it is read again: a fill came meanwhile
                books.set_quantities(quantities)
                engine.split_again(label)
                known.add(books)
            await asyncio.sleep(BETWEEN_READS_S)
        known &= current
        await asyncio.sleep(LOOK_S)


def _read(body: bytes) -> dict[Symbol, dict[str, Decimal]]:
    quantities: dict[Symbol, dict[str, Decimal]] = {}
    for book in _decode(body).books:
        for position in book.positions:
            quantities.setdefault(Symbol(position.symbol), {})[book.name] = Decimal(position.qty)
    return quantities
