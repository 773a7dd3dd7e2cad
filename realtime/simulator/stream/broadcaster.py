"""Sends events to the sockets of their account, and keeps the connection slots.

A slot is an account's right to one socket. It is taken from authorization until the socket closes,
and some seconds longer after an unclean disconnect, as observed at the real broker.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Protocol

from realtime.simulator.exchange.engine import TradeUpdate
from realtime.simulator.faults.frames import DuplicateOnReconnect
from realtime.simulator.faults.registry import FaultRegistry
from realtime.simulator.faults.sockets import SecondConnection
from realtime.simulator.stream import codec
from realtime.simulator.stream.delay_queue import DelayQueue
from realtime.simulator.stream.frame_faults import FrameFaultInjector, ScheduledFrame

# Frames kept per account for `duplicate_on_reconnect`: 1000 accounts hold about 25 MB.
MAX_RECENT_FRAMES = 20


class Subscriber(Protocol):
    """An authorized socket."""

    def send_event(self, frame: bytes) -> None:
        """Queue an event's frame; must not block."""

    def evict(self) -> None:
        """Close because a newer socket takes the slot."""


class Broadcaster:
    """All authorized sockets by account."""

    def __init__(
        self, labels: Sequence[str], faults: FaultRegistry, rng: Random, now: Callable[[], float]
    ) -> None:
        self._faults_on = faults
        self._now = now
        self._delay = DelayQueue(now)
        self._injector = FrameFaultInjector(faults, rng, self._delay.schedule, self._send)
        # label → its authorized sockets, oldest first
        self._sockets: dict[str, list[Subscriber]] = {label: [] for label in labels}
        # label → until when a lost socket still holds the slot
        self._held_until: dict[str, float] = {}
        # label → its last frames, oldest first
        self._recent_frames: dict[str, deque[bytes]] = {
            label: deque(maxlen=MAX_RECENT_FRAMES) for label in labels
        }
        self._joined = 0
        self.published = 0

    def publish(self, update: TradeUpdate) -> None:
        """Send an event to all sockets that listen to its account."""
        self.published += 1
        label = update.label
        if self._injector.is_idle:
            frame = codec.trade_update(update.data)
            self._recent_frames[label].append(frame)
            for socket in self._sockets[label]:
                socket.send_event(frame)
        else:
            self._send(label, self._injector.inject(label, update.data))

    def sockets(self, label: str) -> int:
        """Return the number of sockets of an account."""
        return len(self._sockets[label])

    def is_slot_taken(self, label: str) -> bool:
        """Return whether the account's slot is taken, so that another socket is refused."""
        if self._mode(label).mode != "refuse-429":
            return False
        return bool(self._sockets[label]) or self._now() < self._held_until.get(label, 0.0)

    def are_all_slots_taken(self) -> bool:
        """Return whether every account's slot is taken."""
        if self._joined + len(self._held_until) < len(self._sockets):
            return False
        return all(map(self.is_slot_taken, self._sockets))

    def join(self, label: str, socket: Subscriber) -> None:
        """Add a newly authorized socket."""
        others = self._sockets[label]
        if self._mode(label).mode == "evict-oldest":
            for other in list(others):
                other.evict()
        others.append(socket)
        self._joined += 1

    def leave(self, label: str, socket: Subscriber, *, is_clean: bool) -> None:
        """Remove a socket; after an unclean disconnect the slot stays taken for a while."""
        self._sockets[label].remove(socket)
        self._joined -= 1
        if not is_clean:
            self._held_until[label] = self._now() + self._mode(label).release_s

    def replay(self, label: str, socket: Subscriber) -> None:
        """Send a new socket the account's last events, if that fault is on."""
        if fault := self._faults_on.trigger(DuplicateOnReconnect, label):
            for frame in list(self._recent_frames[label])[-fault.events :]:
                socket.send_event(frame)

    def close(self) -> None:
        """Drop delayed frames."""
        self._delay.close()

    def _mode(self, label: str) -> SecondConnection:
        fault = self._faults_on.active(SecondConnection, label)
        return _DEFAULT_MODE if fault is None else fault.spec

    def _send(self, label: str, scheduled: Sequence[ScheduledFrame]) -> None:
        for after_s, frame in scheduled:
            self._delay.schedule(after_s, partial(self._send_now, label, frame))

    def _send_now(self, label: str, frame: bytes) -> None:
        self._recent_frames[label].append(frame)
        for socket in self._sockets[label]:
            socket.send_event(frame)


_DEFAULT_MODE = SecondConnection()
