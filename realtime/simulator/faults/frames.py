"""Faults of single events on the stream."""

from typing import Annotated, Literal

from msgspec import Meta

from realtime.simulator.faults.base import Duration, FrameFault, Seconds, SocketFault

Field = Literal[
    "at", "event", "event_id", "execution_id", "legs", "order", "position_qty", "position_qtys",
    "previous_execution_id", "price", "qty", "reason", "settle_date", "swap_rate", "timestamp",
]  # fmt: skip


class Drop(FrameFault, frozen=True, kw_only=True, tag="drop"):
    """Never send the event."""


class Duplicate(FrameFault, frozen=True, kw_only=True, tag="duplicate"):
    """Send `times` more exact copies of the event, `after_s` seconds later (0: immediately)."""

    times: Annotated[int, Meta(ge=1, le=100)] = 1
    after_s: Seconds = 0.0


class Delay(FrameFault, frozen=True, kw_only=True, tag="delay"):
    """Send the event `seconds` late; events that are not delayed overtake it."""

    seconds: Duration = 1.0


class Reorder(FrameFault, frozen=True, kw_only=True, tag="reorder"):
    """Hold `window` events, at most `within_s` seconds, then send them in reverse order."""

    window: Annotated[int, Meta(ge=2, le=100)] = 2
    within_s: Duration = 1.0


class DuplicateOnReconnect(SocketFault, frozen=True, kw_only=True, tag="duplicate_on_reconnect"):
    """When a socket starts listening, send the account's last `events` events again."""

    events: Annotated[int, Meta(ge=1, le=20)] = 5


class UnknownEvent(FrameFault, frozen=True, kw_only=True, tag="unknown_event"):
    """Replace the event's name with an unknown one; its order stays correct."""

    name: str = "quantum_leap"


class UnknownStatus(FrameFault, frozen=True, kw_only=True, tag="unknown_status"):
    """Replace the status of the event's order with an unknown one."""

    name: str = "pondering"


class NullData(FrameFault, frozen=True, kw_only=True, tag="null_data"):
    """Send {"stream":"trade_updates","data":null} before the event, or `instead` of it."""

    instead: bool = False


class MissingFields(FrameFault, frozen=True, kw_only=True, tag="missing_fields"):
    """Omit these keys from the event's `data`; by default those that older frames lack."""

    fields: Annotated[tuple[Field, ...], Meta(min_length=1)] = ("event_id", "at")


class Garbage(FrameFault, frozen=True, kw_only=True, tag="garbage"):
    """Send an undecodable frame before the event, or `instead` of it."""

    form: Literal["noise", "truncated", "array", "number", "empty", "not_utf8"] = "noise"
    instead: bool = False


FAULT_TYPES: tuple[type[FrameFault] | type[SocketFault], ...] = (
    Drop, Duplicate, Delay, Reorder, DuplicateOnReconnect, UnknownEvent, UnknownStatus, NullData,
    MissingFields, Garbage,
)  # fmt: skip
