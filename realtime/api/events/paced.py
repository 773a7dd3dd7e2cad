"""Paced subscriptions: what changed, once an interval, for a screen that follows many accounts.

A paced subscriber is never synced. Its own task reads the event buffer once an interval: states
that changed several times are sent once, and rows only of the accounts on the screen. Event
`fleet` then gives the totals of all accounts and the newest fills, so that the cost on the wire
depends on the screen and not on the number of accounts: 1000 accounts at 500 events a second take
about 20 kB/s in place of 700.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from realtime.api.documents.accounts import AccountRow
from realtime.api.documents.mark_totals import MarkTotalsDocument, make_mark_totals
from realtime.api.documents.timestamps import format_millis
from realtime.api.documents.totals import MoneyTotals, add_up
from realtime.api.events.event_buffer import BufferedEvent
from realtime.api.events.sse_encoder import SseEncoder
from realtime.core.mark_totals import MarkTotals
from realtime.core.model import AccountLabel
from realtime.store.records import Record

MIN_INTERVAL_S = 0.5
MAX_INTERVAL_S = 10.0
"""Below the heartbeat of 15 s, after which a client takes a silent stream for a dead one."""

MAX_FILLS = 10
"""Fills in one event `fleet`: as many as a person can notice in a second."""

MAX_SEARCHED = 100
"""Trade updates searched for them, newest first: bounds the time for decoding."""

EVENTS_PER_READ = 10_000
"""Events read at once, so that a state is sent once an interval: 3 s of 3000 events per second."""

FILLS = frozenset({"fill", "partial_fill"})


class FillOrder(Struct, frozen=True):
    """What a list of fills shows of an order."""

    id: str
    symbol: str | None = None
    side: str | None = None


class FillSample(Struct, frozen=True):
    """What a list of fills shows of a trade update."""

    event: str
    account_id: AccountLabel
    order: FillOrder
    execution_id: str | None = None
    qty: str | None = None
    price: str | None = None
    timestamp: str | None = None
    at: str | None = None


class FleetEvent(Struct, frozen=True, kw_only=True):
    """Event `fleet`: totals of the accounts of the subscription, paper and real money apart."""

    as_of: str
    updates: int
    """Trade updates since the last one, of all accounts."""
    totals: list[MoneyTotals]
    fills: list[FillSample]
    """The newest, oldest first; not all of them. All are in event `order`."""
    marks: MarkTotalsDocument | UnsetType = UNSET
    """Marked to market, by tier and by book; absent without market data."""


_FILL = msgspec.json.Decoder(FillSample)


def find_newest_fills(
    events: Sequence[BufferedEvent],
    encoder: SseEncoder,
    has_account: Callable[[AccountLabel], bool],
) -> list[FillSample]:
    """The newest fills among events, at most `MAX_FILLS`, oldest first."""
    fills: list[FillSample] = []
    searched = 0
    for event in reversed(events):
        if event.kind != "order" or not has_account(event.label):
            continue
        searched += 1
        if searched > MAX_SEARCHED or len(fills) == MAX_FILLS:
            break
        update = _FILL.decode(encoder.encode(event).partition(b"\ndata: ")[2])
        if update.event in FILLS:
            fills.append(update)
    return fills[::-1]


def make_fleet_event(
    records: Iterable[Record],
    rows: Callable[[Record], AccountRow],
    fills: list[FillSample],
    *,
    updates: int,
    now: float,
    marks: MarkTotals | None = None,
) -> FleetEvent:
    """The event as of `now`, epoch seconds."""
    return FleetEvent(
        as_of=format_millis(now),
        updates=updates,
        totals=add_up((record, rows(record)) for record in records),
        fills=fills,
        marks=UNSET if marks is None or not marks.tiers else make_mark_totals(marks),
    )
