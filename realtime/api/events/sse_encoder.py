"""Events as the bytes of the wire (WHATWG HTML, "Server-sent events"), each rendered once."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct, structs

from realtime.api.documents.document_cache import ENCODER, DocumentCache, RenderedDocument
from realtime.api.documents.events import (
    AccountRemovedEvent,
    GapEvent,
    OrderStatusUnknownEvent,
    account_stand,
    changed_orders,
    link_stand,
    positions_stand,
    row_event,
    working_orders,
)
from realtime.api.documents.timestamps import instant
from realtime.api.events.event_buffer import BufferedEvent, EventBuffer
from realtime.api.events.event_types import CorrectedEvent, GapFoundEvent, Kind
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.store.store import OrderInDoubt, Record, Store

STANDS: Mapping[Kind, tuple[str, Callable[[Record], Struct]]] = {
    "account": ("account", account_stand),
    "positions": ("positions", positions_stand),
    "link": ("link", link_stand),
    "working": ("orders", working_orders),
    "row": ("row", row_event),
}
"""Kind of state → the event's name, and what makes its document."""

BODIES_BYTES = 32 * 1024 * 1024
"""Memory for states as frames: 1000 accounts of 30 KB."""

MAX_EXECUTIONS = 500
"""Executions that a gap lists; how many they are is told in any case."""


class _Envelope(Struct):
    data: Raw


_ENVELOPE = msgspec.json.Decoder(_Envelope)


class Ready(Struct, frozen=True):
    """Event `ready`: the snapshot is complete, or all that was missed has been told."""

    as_of: str
    boot: str
    accounts: int
    """How many were chosen."""
    resumed: bool


class Resync(Struct, frozen=True):
    """Event `resync`: forget what you hold; a snapshot follows."""

    as_of: str
    reason: str


class Heartbeat(Struct, frozen=True):
    """Event `heartbeat`: nothing was left out up to here."""

    as_of: str


def event(name: str, document: object) -> bytes:
    """An event without its id."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), ENCODER.encode(document))


class SseEncoder:
    """Renders entries and states, and keeps what it rendered while it is true."""

    def __init__(self, store: Store, log: EventBuffer) -> None:
        self._store = store
        self._log = log
        self._states = DocumentCache(BODIES_BYTES)

    def id_of(self, mark: str, seq: int) -> bytes:
        """The line that names a position, for those whose choice has this mark."""
        return b"id: %b%b-%d\n" % (self._store.boot.encode(), mark.encode(), seq)

    def body(self, entry: BufferedEvent) -> bytes:
        """An entry as an event without its id; empty if there is nothing left to tell."""
        if entry.kind in STANDS:
            return self.state(entry.label, entry.kind)
        if entry.body is None:
            entry.body, entry.told = _told(entry), None
        return entry.body

    def state(self, label: AccountLabel, kind: Kind) -> bytes:
        """How a part of an account stands now; empty if the account is gone."""
        record = self._store.get(label)
        if record is None:
            return b""
        name, make = STANDS[kind]
        return self._states.get(
            (kind, label),
            self._log.newest(label),
            lambda: RenderedDocument(event(name, make(record))),
        ).body


def _told(entry: BufferedEvent) -> bytes:
    match entry.told:
        case bytes() as frame:
            return b"event: order\ndata: %b\n\n" % _with_account(_data(frame), entry.label)
        case TradeUpdate() as update:
            return b"event: order\ndata: %b\n\n" % _with_account(_written(update), entry.label)
        case CorrectedEvent(record=record, changed=changed, removed=removed):
            return event("orders", changed_orders(record, changed, removed))
        case OrderInDoubt(client_order_id=client_order_id, order_id=order_id):
            return event("unknown", OrderStatusUnknownEvent(entry.label, client_order_id, order_id))
        case GapFoundEvent() as found:
            return event("gap", _gap(entry.label, found))
        case _:
            return event("gone", AccountRemovedEvent(entry.label))


def _data(frame: bytes) -> bytes:
    """The trade update inside a frame, letter for letter, on one line."""
    data = bytes(_ENVELOPE.decode(frame).data)
    if not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.format(data, indent=-1)
    return data


def _written(update: TradeUpdate) -> bytes:
    """A trade update that no frame told: what it does not have is left out, as the broker does."""
    members = structs.asdict(update)
    del members["frame"]
    return ENCODER.encode({name: told for name, told in members.items() if told is not None})


def _with_account(data: bytes, label: AccountLabel) -> bytes:
    # Last, so that it is ours that counts should the broker name one, too.
    return b'%b,"account_id":%b}' % (data.rstrip()[:-1], ENCODER.encode(label))


def _gap(label: AccountLabel, found: GapFoundEvent) -> GapEvent:
    told = [execution.at for execution in found.recovered if execution.at]
    since = min(told, default=None) if found.since is None else instant(found.since)
    return GapEvent(
        account_id=label,
        since=since,
        until=None if found.until is None else instant(found.until),
        repaired=found.repaired,
        recovered=len(found.recovered),
        executions=list(found.recovered[:MAX_EXECUTIONS]),
    )
