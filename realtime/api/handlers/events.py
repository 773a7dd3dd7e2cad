"""The event stream: its parameters, the subscription they select, the documents of its events."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, Struct

from realtime.api.context import RequestContext
from realtime.api.documents.alerts import AlertDocument
from realtime.api.documents.events import (
    AccountEvent,
    AccountRemovedEvent,
    GapEvent,
    LinkEvent,
    MarkEvent,
    OrdersEvent,
    OrderStatusUnknownEvent,
    PositionsEvent,
    RowEvent,
)
from realtime.api.documents.filters import ShortWord
from realtime.api.events.batch import make_filter
from realtime.api.events.broadcaster import Subscription
from realtime.api.events.event_types import ALWAYS, KINDS, Type
from realtime.api.events.paced import MAX_INTERVAL_S, MIN_INTERVAL_S, FleetEvent
from realtime.api.events.sse_encoder import Heartbeat, Ready, Resync
from realtime.api.problems import Problem
from realtime.core.model import AccountLabel, TradeUpdate


class UpdateEvent(TradeUpdate, frozen=True, kw_only=True):
    """Event `order`: the trade update exactly as it came, its account and the account's tier."""

    account_id: AccountLabel
    tier: str | None = None


EVENTS: Mapping[str, type[Struct]] = {
    "order": UpdateEvent,
    "orders": OrdersEvent,
    "unknown": OrderStatusUnknownEvent,
    "account": AccountEvent,
    "positions": PositionsEvent,
    "link": LinkEvent,
    "row": RowEvent,
    "mark": MarkEvent,
    "fleet": FleetEvent,
    "gap": GapEvent,
    "alert": AlertDocument,
    "gone": AccountRemovedEvent,
    "ready": Ready,
    "resync": Resync,
    "heartbeat": Heartbeat,
}
"""Event → its document."""

DEFAULT_TYPES: tuple[Type, ...] = ("order", "account", "positions", "link")


class EventsQuery(Struct, frozen=True, kw_only=True):
    """Parameters of the event stream."""

    account_id: Annotated[
        tuple[ShortWord, ...],
        Meta(max_length=1000, description="Only these accounts, by their labels."),
    ] = ()
    types: Annotated[
        tuple[Type, ...],
        Meta(
            max_length=8,
            description="Only these types of events; "
            "`row`, `mark`, `fleet` and `alert` only on request.",
        ),
    ] = DEFAULT_TYPES
    rows: Annotated[
        tuple[ShortWord, ...],
        Meta(
            max_length=200,
            description="Events `row` and `mark` only of these accounts; "
            "ids stay valid when this changes.",
        ),
    ] = ()
    interval: Annotated[
        float,
        Meta(
            description="Seconds between two deliveries, 0.5 to 10: a state that changed several "
            "times is sent once, then event `fleet`. 0: at once."
        ),
    ] = 0.0
    lastEventId: Annotated[
        str,
        Meta(max_length=64, description="The same, as polyfills of EventSource send it."),
    ] = ""
    last_event_id: Annotated[
        str,
        Meta(
            max_length=64,
            description="Where to resume; the header `Last-Event-ID` takes precedence.",
        ),
    ] = ""


def subscribe(request: RequestContext[EventsQuery]) -> Subscription:
    """A subscription. An unknown label is an error, not a silent stream."""
    context, query = request.context, request.query
    if context.labels is not None and not len(context.store):
        raise Problem("no_account", "no account of this token exists here")
    for label in query.account_id:
        context.record(label)
    if query.interval and not MIN_INTERVAL_S <= query.interval <= MAX_INTERVAL_S:
        raise Problem("bad_parameter", f"interval: {query.interval:g} is not 0 or 0.5 to 10")
    rows = frozenset(context.record(label).profile.label for label in query.rows)
    labels = frozenset(AccountLabel(label) for label in query.account_id or context.labels or ())
    is_unfiltered = not query.account_id and context.labels is None
    kinds = ALWAYS.union(*(KINDS[event_type] for event_type in query.types))
    return Subscription(
        filter=make_filter(None if is_unfiltered else labels, kinds, rows or None),
        interval_s=query.interval or None,
        has_totals="fleet" in query.types,
        last_event_id=request.last_event_id or query.lastEventId or query.last_event_id,
    )
