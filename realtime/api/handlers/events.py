"""What a reader may ask of the push, and the subscription that it gets."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from realtime.api.context import ApiContext, RequestContext
from realtime.api.documents.events import (
    AccountEvent,
    AccountRemovedEvent,
    GapEvent,
    LinkEvent,
    OrdersEvent,
    OrderStatusUnknownEvent,
    PositionsEvent,
    RowEvent,
)
from realtime.api.documents.filters import ShortWord
from realtime.api.events.batch import choose
from realtime.api.events.broadcaster import Subscription
from realtime.api.events.event_types import ALWAYS, KINDS, Type
from realtime.api.events.paced import MAX_INTERVAL_S, MIN_INTERVAL_S, FleetEvent
from realtime.api.events.sse_encoder import Heartbeat, Ready, Resync
from realtime.api.problems import Problem
from realtime.api.responses import ApiResponse
from realtime.core.model import AccountLabel, TradeUpdate


class UpdateEvent(TradeUpdate, frozen=True, kw_only=True):
    """Event `order`: the trade update exactly as it came, and whose it is."""

    account_id: AccountLabel


EVENTS: Mapping[str, type[Struct]] = {
    "order": UpdateEvent,
    "orders": OrdersEvent,
    "unknown": OrderStatusUnknownEvent,
    "account": AccountEvent,
    "positions": PositionsEvent,
    "link": LinkEvent,
    "row": RowEvent,
    "fleet": FleetEvent,
    "gap": GapEvent,
    "gone": AccountRemovedEvent,
    "ready": Ready,
    "resync": Resync,
    "heartbeat": Heartbeat,
}
"""Event → its document."""

EVERYTHING: tuple[Type, ...] = ("order", "account", "positions", "link")


class EventsQuery(Struct, frozen=True, kw_only=True):
    """What a reader may ask of the push."""

    account_id: Annotated[
        tuple[ShortWord, ...],
        Meta(max_length=1000, description="Only these accounts, by their labels."),
    ] = ()
    types: Annotated[
        tuple[Type, ...],
        Meta(
            max_length=6,
            description="Only these kinds of events; `row` and `fleet` only if asked for.",
        ),
    ] = EVERYTHING
    rows: Annotated[
        tuple[ShortWord, ...],
        Meta(
            max_length=200,
            description="Event `row` only of these accounts; ids stay good when this changes.",
        ),
    ] = ()
    interval: Annotated[
        float,
        Meta(
            description="Seconds between two deliveries, 0.5 to 10: a state that changed several "
            "times is sent once, then event `fleet`. 0: at once."
        ),
    ] = 0.0
    last_event_id: Annotated[
        str,
        Meta(
            max_length=64,
            description="Where to go on; the header `Last-Event-ID` is looked at first.",
        ),
    ] = ""


def answer_events(
    desk: ApiContext, call: RequestContext, query: EventsQuery
) -> ApiResponse | Subscription:
    """A subscription. A label that no account has is a mistake, not a silent stream."""
    for label in query.account_id:
        desk.record(label)
    rows = frozenset(desk.record(label).profile.label for label in query.rows)
    labels = frozenset(AccountLabel(label) for label in query.account_id or desk.only or ())
    everything = not query.account_id and desk.only is None
    if query.interval and not MIN_INTERVAL_S <= query.interval <= MAX_INTERVAL_S:
        raise Problem("bad_parameter", f"interval: {query.interval:g} is not 0 or 0.5 to 10")
    kinds = ALWAYS.union(*(KINDS[each] for each in query.types))
    return Subscription(
        choice=choose(None if everything else labels, kinds, rows or None),
        interval_s=query.interval or None,
        has_totals="fleet" in query.types,
        last_event_id=call.last_event_id or query.last_event_id,
    )
