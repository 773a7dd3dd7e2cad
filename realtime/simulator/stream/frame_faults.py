"""Faults of single events: one event in, the frames that leave because of it out.

Which frames, and how late each: the hub does the sending. Events are distorted once an account, so
that all its sockets see the same disorder.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from realtime.simulator.faults.base import FrameKind
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
from realtime.simulator.faults.registry import Fault, Switchboard
from realtime.simulator.stream import codec

FRAME_KINDS: tuple[type[FrameKind], ...] = (
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

F = TypeVar("F", bound=FrameKind)


class Outgoing(NamedTuple):
    """A frame, and how many seconds from now it leaves."""

    after_s: float
    frame: bytes


class Distorter:
    """Applies the frame faults that are on. `release` gets frames that were held too long."""

    def __init__(
        self,
        board: Switchboard,
        rng: Random,
        later: Callable[[float, Callable[[], None]], None],
        release: Callable[[str, Sequence[Outgoing]], None],
    ) -> None:
        self._board = board
        self._rng = rng
        self._later = later
        self._release = release
        # (fault id, label) → events that passed it, to strike every n-th
        self._passed: dict[tuple[str, str], int] = {}
        # label → frames held to be sent in another order
        self._held: dict[str, list[bytes]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no event can be distorted: nearly always, and then `distort` is not called."""
        return not self._held and not any(map(self._board.has, FRAME_KINDS))

    def distort(self, label: str, data: dict[str, object]) -> list[Outgoing]:
        """Give the frames that leave for this event."""
        event = str(data.get("event"))
        if self._strike(Drop, label, event):
            return []
        frame = codec.trade_update(self._changed(label, event, data))
        leaving = [Outgoing(0.0, each) for each in self._spoiled(label, event, frame)]
        if (twice := self._strike(Duplicate, label, event)) and leaving:
            leaving += [Outgoing(twice.after_s, leaving[-1].frame)] * twice.times
        if late := self._strike(Delay, label, event):
            leaving = [Outgoing(out.after_s + late.seconds, out.frame) for out in leaving]
        return self._reordered(label, event, leaving)

    def _changed(self, label: str, event: str, data: dict[str, object]) -> dict[str, object]:
        if named := self._strike(UnknownEvent, label, event):
            data = {**data, "event": named.name}
        order = data.get("order")
        if isinstance(order, dict) and (status := self._strike(UnknownStatus, label, event)):
            data = {**data, "order": {**order, "status": status.name}}
        if missing := self._strike(MissingFields, label, event):
            data = {key: value for key, value in data.items() if key not in missing.fields}
        return data

    def _spoiled(self, label: str, event: str, frame: bytes) -> list[bytes]:
        frames = [frame]
        if null := self._strike(NullData, label, event):
            frames = [codec.NULL_DATA] if null.instead else [codec.NULL_DATA, frame]
        if noise := self._strike(Garbage, label, event):
            rubbish = codec.garbage(noise.form, frame)
            frames = [rubbish] if noise.instead else [rubbish, *frames]
        return frames

    def _reordered(self, label: str, event: str, leaving: list[Outgoing]) -> list[Outgoing]:
        held = self._held.get(label, [])
        if not held and not self._wants(Reorder, label, event):
            return leaving
        fault = self._board.active(Reorder, label)
        if fault is None:  # switched off while frames were held
            return [*self._take_held(label), *leaving]
        if not held:
            self._later(fault.what.within_s, lambda: self._release(label, self._take_held(label)))
        self._held.setdefault(label, []).extend(out.frame for out in leaving)
        if len(self._held[label]) < fault.what.window:
            return []
        self._board.spend(fault)
        return self._take_held(label)[::-1]

    def _take_held(self, label: str) -> list[Outgoing]:
        return [Outgoing(0.0, frame) for frame in self._held.pop(label, [])]

    def _strike(self, kind: type[F], label: str, event: str) -> F | None:
        fault = self._wants(kind, label, event)
        return None if fault is None else self._board.spend(fault)

    def _wants(self, kind: type[F], label: str, event: str) -> Fault[F] | None:
        fault = self._board.active(kind, label)
        if fault is None or fault.what.event not in (None, event):
            return None
        if fault.what.every > 1:
            at = (fault.id, label)
            self._passed[at] = self._passed.get(at, 0) + 1
            if self._passed[at] % fault.what.every:
                return None
        by_chance = fault.what.probability < 1
        return None if by_chance and self._rng.random() >= fault.what.probability else fault
