"""Faults of single events on their way to the client."""

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
    """Send the event again, `times` exact copies, `after_s` seconds later (0: at once)."""

    times: Annotated[int, Meta(ge=1, le=100)] = 1
    after_s: Seconds = 0.0


class Delay(FrameFault, frozen=True, kw_only=True, tag="delay"):
    """Send the event `seconds` late; events that are not delayed overtake it."""

    seconds: Duration = 1.0


class Reorder(FrameFault, frozen=True, kw_only=True, tag="reorder"):
    """Hold `window` events, then send them last first; not held longer than `within_s` seconds."""

    window: Annotated[int, Meta(ge=2, le=100)] = 2
    within_s: Duration = 1.0


class DuplicateOnReconnect(SocketFault, frozen=True, kw_only=True, tag="duplicate_on_reconnect"):
    """When a socket begins to listen, send the account's last `events` events once more."""

    events: Annotated[int, Meta(ge=1, le=20)] = 5


class UnknownEvent(FrameFault, frozen=True, kw_only=True, tag="unknown_event"):
    """Give the event a name nobody knows; its order is right."""

    name: str = "quantum_leap"


class UnknownStatus(FrameFault, frozen=True, kw_only=True, tag="unknown_status"):
    """Give the event's order a status nobody knows."""

    name: str = "pondering"


class NullData(FrameFault, frozen=True, kw_only=True, tag="null_data"):
    """Send {"stream":"trade_updates","data":null} before the event, or `instead` of it."""

    instead: bool = False


class MissingFields(FrameFault, frozen=True, kw_only=True, tag="missing_fields"):
    """Leave these keys out of the event's `data`; by default those that older frames lack."""

    fields: Annotated[tuple[Field, ...], Meta(min_length=1)] = ("event_id", "at")


class Garbage(FrameFault, frozen=True, kw_only=True, tag="garbage"):
    """Send a frame that cannot be read before the event, or `instead` of it."""

    form: Literal["noise", "truncated", "array", "number", "empty", "not_utf8"] = "noise"
    instead: bool = False


FAULT_TYPES: tuple[type[FrameFault] | type[SocketFault], ...] = (
    Drop, Duplicate, Delay, Reorder, DuplicateOnReconnect, UnknownEvent, UnknownStatus, NullData,
    MissingFields, Garbage,
)  # fmt: skip
