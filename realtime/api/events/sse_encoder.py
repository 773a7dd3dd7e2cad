"""Events as server-sent events (WHATWG HTML, section 9.2), each encoded once."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct, structs

from realtime.analytics.tier_bounds import Alert
from realtime.api.documents.alerts import make_alert_document
from realtime.api.documents.document_cache import ENCODER, DocumentCache, RenderedDocument
from realtime.api.documents.events import (
    AccountRemovedEvent,
    GapEvent,
    OrderStatusUnknownEvent,
    make_account_event,
    make_changed_orders_event,
    make_link_event,
    make_mark_event,
    make_open_orders_event,
    make_positions_event,
    make_row_event,
)
from realtime.api.documents.timestamps import format_millis
from realtime.api.events.event_buffer import BufferedEvent, EventBuffer
from realtime.api.events.event_types import CorrectedEvent, EventSource, GapFoundEvent, Kind
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.records import OrderInDoubt, Record
from realtime.store.store import Store

STATE_EVENTS: Mapping[Kind, tuple[str, Callable[[Record], Struct]]] = {
    "account": ("account", make_account_event),
    "positions": ("positions", make_positions_event),
    "link": ("link", make_link_event),
    "working": ("orders", make_open_orders_event),
    "row": ("row", make_row_event),
    "mark": ("mark", make_mark_event),
}
"""Kind of state → the event's name, and the function that makes its document."""

MAX_STATE_BYTES = 32 * 1024 * 1024
"""Memory for encoded states: 1000 accounts of 30 KB."""

MAX_EXECUTIONS = 500
"""Executions that a gap lists; their number is always stated."""


class _Envelope(Struct):
    data: Raw


_ENVELOPE = msgspec.json.Decoder(_Envelope)


class Ready(Struct, frozen=True):
    """Event `ready`: the snapshot is complete, or all missed events were sent."""

    as_of: str
    boot: str
    accounts: int
    """How many are selected."""
    resumed: bool


class Resync(Struct, frozen=True):
    """Event `resync`: discard the state; a snapshot follows."""

    as_of: str
    reason: str


class Heartbeat(Struct, frozen=True):
    """Event `heartbeat`: every event up to here was sent."""

    as_of: str


def encode_event(name: str, document: object) -> bytes:
    """An event without its id."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), ENCODER.encode(document))


class SseEncoder:
    """Encodes events and states, and keeps the bytes while they are valid."""

    def __init__(self, store: Store, buffer: EventBuffer) -> None:
        self._store = store
        self._buffer = buffer
        self._states = DocumentCache(MAX_STATE_BYTES)

    def encode_id(self, id_suffix: str, seq: int) -> bytes:
        """The `id` line of an event, for subscribers whose filter has this suffix."""
        return b"id: %b%b-%d\n" % (self._store.boot.encode(), id_suffix.encode(), seq)

    def encode(self, event: BufferedEvent) -> bytes:
        """An event without its id; empty if its account is gone."""
        if event.kind in STATE_EVENTS:
            return self.encode_state(event.label, event.kind)
        if event.body is None:
            record = self._store.get(event.label)
            tier = None if record is None else record.profile.tier
            event.body, event.source = _encode(event, tier), None
        return event.body

    def encode_state(self, label: AccountLabel, kind: Kind) -> bytes:
        """The current state of a part of an account; empty if the account is gone."""
        record = self._store.get(label)
        if record is None or (kind == "mark" and record.mark is None):
            return b""
        name, make = STATE_EVENTS[kind]
        return self._states.get(
            (kind, label),
            self._buffer.get_newest(label),
            lambda: RenderedDocument(encode_event(name, make(record))),
        ).body


def _encode(event: BufferedEvent, tier: str | None) -> bytes:
    name, data = encode_source(event.source, event.label, tier)
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def encode_source(
    source: EventSource | bytes, label: AccountLabel, tier: str | None
) -> tuple[str, bytes]:
    """The name and the data of an event that is no state, the same for every way to send it."""
    match source:
        case bytes() as frame:
            return "order", _with_account(_get_data(frame), label, tier)
        case TradeUpdate(frame=frame) as update:
            data = _get_data(frame) if frame else _encode_update(update)
            return "order", _with_account(data, label, tier)
        case CorrectedEvent(record=record, changed=changed, removed=removed):
            document: Struct = make_changed_orders_event(record, changed, removed)
            return "orders", ENCODER.encode(document)
        case OrderInDoubt(client_order_id=client_order_id, order_id=order_id):
            document = OrderStatusUnknownEvent(label, client_order_id, order_id, tier)
            return "unknown", ENCODER.encode(document)
        case Alert() as alert:
            return "alert", ENCODER.encode(make_alert_document(alert))
        case GapFoundEvent() as gap:
            return "gap", ENCODER.encode(_make_gap(label, tier, gap))
        case _:
            return "gone", ENCODER.encode(AccountRemovedEvent(label))


def _get_data(frame: bytes) -> bytes:
    """The trade update inside a frame, byte for byte, on one line."""
    data = bytes(_ENVELOPE.decode(frame).data)
    if not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    return data


def _encode_update(update: TradeUpdate) -> bytes:
    """A trade update without a frame; absent members are left out, as the broker does."""
    members = structs.asdict(update)
    del members["frame"]
    return ENCODER.encode({name: value for name, value in members.items() if value is not None})


def _with_account(data: bytes, label: AccountLabel, tier: str | None) -> bytes:
    # Last, so that ours takes precedence if the broker sends one, too.
    members = data.rstrip()[:-1]
    return b'%b,"account_id":%b,"tier":%b}' % (members, ENCODER.encode(label), ENCODER.encode(tier))


def _make_gap(label: AccountLabel, tier: str | None, gap: GapFoundEvent) -> GapEvent:
    times = [execution.at for execution in gap.recovered if execution.at]
    since = min(times, default=None) if gap.since is None else format_millis(gap.since)
    return GapEvent(
        account_id=label,
        tier=tier,
        since=since,
        until=None if gap.until is None else format_millis(gap.until),
        repaired=gap.repaired,
        recovered=len(gap.recovered),
        executions=list(gap.recovered[:MAX_EXECUTIONS]),
    )
