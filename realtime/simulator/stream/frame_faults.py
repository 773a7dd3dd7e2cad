"""Applies faults of single events: one event in, the frames to send out.

Returns frames and delays; the broadcaster sends them. Faults apply once per account, so that all
its sockets get the same frames.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from realtime.simulator.faults.base import FrameFault
from realtime.simulator.faults.frames import (
    Delay,
    Drop,
    Duplicate,
    Garbage,
    MissingFields,
    NullData,
    Reorder,
    UnknownEvent,
    UnknownStatus,
)
from realtime.simulator.faults.registry import Fault, FaultRegistry
from realtime.simulator.stream import codec

FRAME_FAULTS: tuple[type[FrameFault], ...] = (
    Drop,
    Duplicate,
    Delay,
    Reorder,
    UnknownEvent,
    UnknownStatus,
    NullData,
    MissingFields,
    Garbage,
)

F = TypeVar("F", bound=FrameFault)


class ScheduledFrame(NamedTuple):
    """A frame and its delay in seconds."""

    after_s: float
    frame: bytes


class FrameFaultInjector:
    """Applies active frame faults. `release` is called with frames that were held too long."""

    def __init__(
        self,
        faults: FaultRegistry,
        rng: Random,
        call_later: Callable[[float, Callable[[], None]], None],
        release: Callable[[str, Sequence[ScheduledFrame]], None],
    ) -> None:
        self._faults_on = faults
        self._rng = rng
        self._call_later = call_later
        self._release = release
        # (fault id, label) → events seen, to apply to every n-th
        self._passed: dict[tuple[str, str], int] = {}
        # label → frames held to be sent in another order
        self._held: dict[str, list[bytes]] = {}

    @property
    def is_idle(self) -> bool:
        """Return whether no fault can apply, the usual case: then `inject` is not called."""
        return not self._held and not any(map(self._faults_on.is_active_for_any, FRAME_FAULTS))

    def inject(self, label: str, data: dict[str, object]) -> list[ScheduledFrame]:
        """Return the frames to send for this event."""
        event = str(data.get("event"))
        if self._trigger(Drop, label, event):
            return []
        frame = codec.trade_update(self._change_fields(label, event, data))
        scheduled = [
            ScheduledFrame(0.0, each) for each in self._add_unreadable(label, event, frame)
        ]
        if (duplicate := self._trigger(Duplicate, label, event)) and scheduled:
            scheduled += [ScheduledFrame(duplicate.after_s, scheduled[-1].frame)] * duplicate.times
        if delayed := self._trigger(Delay, label, event):
            scheduled = [
                ScheduledFrame(out.after_s + delayed.seconds, out.frame) for out in scheduled
            ]
        return self._reorder(label, event, scheduled)

    def _change_fields(self, label: str, event: str, data: dict[str, object]) -> dict[str, object]:
        if named := self._trigger(UnknownEvent, label, event):
            data = {**data, "event": named.name}
        order = data.get("order")
        if isinstance(order, dict) and (status := self._trigger(UnknownStatus, label, event)):
            data = {**data, "order": {**order, "status": status.name}}
        if missing := self._trigger(MissingFields, label, event):
            data = {key: value for key, value in data.items() if key not in missing.fields}
        return data

    def _add_unreadable(self, label: str, event: str, frame: bytes) -> list[bytes]:
        frames = [frame]
        if null := self._trigger(NullData, label, event):
            frames = [codec.NULL_DATA] if null.instead else [codec.NULL_DATA, frame]
        if garbage_fault := self._trigger(Garbage, label, event):
            unreadable = codec.malformed_frame(garbage_fault.form, frame)
            frames = [unreadable] if garbage_fault.instead else [unreadable, *frames]
        return frames

    def _reorder(
        self, label: str, event: str, scheduled: list[ScheduledFrame]
    ) -> list[ScheduledFrame]:
        held = self._held.get(label, [])
        if not held and not self._get_due_fault(Reorder, label, event):
            return scheduled
        fault = self._faults_on.active(Reorder, label)
        if fault is None:  # switched off while frames were held
            return [*self._release_held(label), *scheduled]
        if not held:
            self._call_later(
                fault.spec.within_s, lambda: self._release(label, self._release_held(label))
            )
        self._held.setdefault(label, []).extend(out.frame for out in scheduled)
        if len(self._held[label]) < fault.spec.window:
            return []
        self._faults_on.count_use(fault)
        return self._release_held(label)[::-1]

    def _release_held(self, label: str) -> list[ScheduledFrame]:
        return [ScheduledFrame(0.0, frame) for frame in self._held.pop(label, [])]

    def _trigger(self, kind: type[F], label: str, event: str) -> F | None:
        fault = self._get_due_fault(kind, label, event)
        return None if fault is None else self._faults_on.count_use(fault)

    def _get_due_fault(self, kind: type[F], label: str, event: str) -> Fault[F] | None:
        fault = self._faults_on.active(kind, label)
        if fault is None or fault.spec.event not in (None, event):
            return None
        if fault.spec.every > 1:
            at = (fault.id, label)
            self._passed[at] = self._passed.get(at, 0) + 1
            if self._passed[at] % fault.spec.every:
                return None
        by_chance = fault.spec.probability < 1
        return None if by_chance and self._rng.random() >= fault.spec.probability else fault
