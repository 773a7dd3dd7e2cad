"""Events as messages: those of `/realtime/events`, and the gaps of what was not sent."""

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from realtime.api.documents.document_cache import ENCODER
from realtime.api.documents.events import GapEvent
from realtime.api.documents.timestamps import format_millis
from realtime.api.events.event_types import ALWAYS, KINDS, STATE_KINDS, EventSource, Kind
from realtime.api.events.sse_encoder import STATE_EVENTS, encode_source
from realtime.core.model import AccountLabel
from realtime.core.state import Execution
from realtime.core.timestamps import microseconds
from realtime.store.records import Record

STOP_OVERLAP_S = 60.0
"""A gap after a stop lists executions from this long before it: the broker's clock is not ours."""

FILLS_OF_FIRST_READ = 100
"""Executions that the first read of an account fetches (`broker/snapshot.py`). With as many, there
may have been more."""

MAX_LISTED = 500
"""Executions that a gap lists, as on `/realtime/events`."""

Reason = Literal["stopped", "overflow"]


class Message(Struct, frozen=True, gc=False):
    """One message for the webhooks that select it."""

    account: AccountLabel
    kind: Kind
    name: str
    """The event's name, which is the message's type."""
    body: bytes


class LossEvent(GapEvent, frozen=True, kw_only=True):
    """Event `gap` where events were not sent: `lost` is their number, None if it is unknown."""

    reason: Reason
    lost: int | None


def select_kinds(types: tuple[str, ...]) -> frozenset[Kind]:
    """The kinds of events of some types, and those that are always sent."""
    return ALWAYS.union(*(kinds for name, kinds in KINDS.items() if name in types))


def make_state_messages(record: Record, kinds: frozenset[Kind]) -> Iterator[Message]:
    """The present state of an account, of these kinds: after a gap."""
    for kind in sorted(STATE_KINDS & kinds):
        if has_state(record, kind):
            yield make_message(record.profile.label, kind, None, record)


def has_state(record: Record, kind: Kind) -> bool:
    """Whether an account has a state of this kind: without market data it has no mark."""
    return kind != "mark" or record.mark is not None


def make_message(
    label: AccountLabel,
    kind: Kind,
    source: EventSource | bytes,
    record: Record | None,
    *,
    tier: str | None = None,
    at: float | None = None,
) -> Message:
    """One message: a state of `record`, or what `source` is encoded to, with its tier and time."""
    if kind in STATE_EVENTS and record is not None:
        name, make = STATE_EVENTS[kind]
        data = ENCODER.encode(make(record))
        at = record.as_of
    else:
        name, data = encode_source(source, label, tier)
    return Message(label, kind, name, _wrap(name, at or 0.0, data))


def make_loss_message(
    label: AccountLabel, record: Record | None, *, since: float, until: float, lost: int
) -> Message:
    """The gap that stands for events which found no room."""
    gap = LossEvent(
        account_id=label,
        tier=None if record is None else record.profile.tier,
        since=format_millis(since),
        until=format_millis(until),
        repaired=False,
        recovered=0,
        executions=[],
        reason="overflow",
        lost=lost,
    )
    return Message(label, "gap", "gap", _wrap("gap", until, ENCODER.encode(gap)))


def make_stop_message(record: Record, since: float) -> Message:
    """The gap between the last event that was stored and the first read after a restart."""
    executions = _executions_since(record, since - STOP_OVERLAP_S)
    known = sum(len(of_order) for of_order in record.state.executions.values())
    oldest_is_known = known < FILLS_OF_FIRST_READ or known > len(executions)
    gap = LossEvent(
        account_id=record.profile.label,
        tier=record.profile.tier,
        since=format_millis(since),
        until=format_millis(record.as_of),
        repaired=oldest_is_known,
        recovered=len(executions),
        executions=executions[-MAX_LISTED:],
        reason="stopped",
        lost=None,
    )
    body = _wrap("gap", record.as_of, ENCODER.encode(gap))
    return Message(record.profile.label, "gap", "gap", body)


def make_test_body(now: float) -> bytes:
    """The body of `realtime notify test`."""
    return _wrap("test", now, b'{"message":"sent by realtime notify test"}')


def _executions_since(record: Record, since: float) -> list[Execution]:
    found = [
        execution
        for of_order in record.state.executions.values()
        for execution in of_order.values()
        if microseconds(execution.at) >= since * 1e6
    ]
    return sorted(found, key=lambda execution: microseconds(execution.at))


def _wrap(name: str, at: float, data: bytes) -> bytes:
    """The three members that the Standard Webhooks specification recommends."""
    stamp = format_millis(at)
    return b'{"type":"%b","timestamp":"%b","data":%b}' % (name.encode(), stamp.encode(), data)
