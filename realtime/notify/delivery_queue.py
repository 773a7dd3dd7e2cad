"""Which message of a webhook is sent next: pure, decided from results and the time.

Each account has a lane, in which one message is under way at a time; so its order is kept. After a
failure the lane waits. Where the receiver cannot be reached at all, the whole webhook waits, and
then one message tries for all of them.

A message that its receiver rejected `max_attempts` times is parked, and the lane continues. A
receiver that could not be reached as often is parked as a whole: nothing is tried any more until a
person asks for it.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

from msgspec import Struct

from realtime.notify.outbox import StoredMessage

FIRST_RETRY_S = 1.0
MAX_RETRY_S = 3600.0
"""Waits are 1, 2, 4, … s, at most an hour, each × 0.5 to 1: twenty attempts are a night."""

FailureKind = Literal["rejected", "unreachable", "gone"]


class Failure(Struct, frozen=True):
    """An attempt that was not confirmed. `reason` never contains a secret."""

    kind: FailureKind
    reason: str
    retry_after_s: float | None = None


class Lane(Struct, eq=False):
    """One account's messages, the next first."""

    messages: deque[StoredMessage] = deque()
    attempts: int = 0
    """Of the first one."""
    is_in_flight: bool = False
    round: int = 0
    """Of its attempt under way."""


class DeliveryQueue:
    """One webhook's messages. Times are the event loop's; `rng` draws from [0, 1)."""

    def __init__(self, max_attempts: int, rng: Callable[[], float]) -> None:
        self.max_attempts = max_attempts
        self.failures = 0
        """Failures to reach the receiver since the last attempt that reached it."""
        self.paused_until = 0.0
        self.parked_reason: str | None = None
        """Why nothing is tried any more."""
        self.waiting = 0
        self.bytes = 0
        self.in_flight = 0
        self._round = 0
        """Rises with every failure that is counted: attempts that were under way together, and
        fail together, are one failure."""
        self._rng = rng
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[str] = deque()
        self._delayed: list[tuple[float, str]] = []
        self._parked: dict[int, StoredMessage] = {}
        self._states: dict[tuple[str, str], StoredMessage] = {}
        """Account and kind → its newest state that was never sent."""

    @property
    def parked(self) -> int:
        """How many messages are parked."""
        return len(self._parked)

    @property
    def total(self) -> int:
        """How many messages are stored."""
        return self.waiting + len(self._parked)

    def add(self, message: StoredMessage, *, is_state: bool = False) -> None:
        """Add a stored message at the end of its lane."""
        self.bytes += message.size
        if message.is_parked:
            self._parked[message.n] = message
            return
        self.waiting += 1
        lane = self._lanes.get(message.account)
        if lane is None:
            lane = self._lanes[message.account] = Lane(deque(), message.attempts)
            self._ready.append(message.account)
        lane.messages.append(message)
        if is_state and not message.attempts:
            self._states[message.account, message.kind] = message

    def find_state(self, account: str, kind: str) -> StoredMessage | None:
        """The message that a newer state of this kind replaces: none that was ever sent."""
        return self._states.get((account, kind))

    def resize(self, message: StoredMessage, size: int) -> None:
        """Record that a stored state was replaced by one of another size."""
        self.bytes += size - message.size
        message.size = size

    def take(self, now: float, room: int) -> list[StoredMessage]:
        """The messages to send now, each the first of its lane."""
        if self.parked_reason is not None or now < self.paused_until:
            return []
        while self._delayed and self._delayed[0][0] <= now:
            self._ready.append(heapq.heappop(self._delayed)[1])
        if self.failures:
            room = min(room, 1 - self.in_flight)
            if not self._ready and self._delayed and room > 0:
                self._ready.append(heapq.heappop(self._delayed)[1])
        taken: list[StoredMessage] = []
        while self._ready and len(taken) < room:
            lane = self._lanes[self._ready.popleft()]
            lane.is_in_flight, lane.round = True, self._round
            message = lane.messages[0]
            self._forget_state(message)
            taken.append(message)
        self.in_flight += len(taken)
        return taken

    def next_time(self) -> float | None:
        """When there may be something to take without a new message or result."""
        if self.parked_reason is not None or not self.waiting:
            return None
        if self.failures:
            return None if self.in_flight else self.paused_until
        if self._ready:
            return self.paused_until
        return max(self.paused_until, self._delayed[0][0]) if self._delayed else None

    def put_back(self, message: StoredMessage) -> None:
        """A message that was taken and not sent stays first of its lane."""
        lane = self._end_flight(message)
        if lane is not None:
            self._ready.appendleft(message.account)

    def succeed(self, message: StoredMessage) -> None:
        """The receiver has confirmed the message."""
        self.failures, self.paused_until = 0, 0.0
        lane = self._end_flight(message)
        if lane is not None:
            self._remove_first(lane, message)
            self.bytes -= message.size

    def fail(self, message: StoredMessage, failure: Failure, now: float) -> bool:
        """The attempt was not confirmed; returns whether the message is parked now."""
        lane = self._end_flight(message)
        if failure.kind == "rejected":
            self.failures, self.paused_until = 0, 0.0
        elif lane is None or lane.round == self._round:
            self.failures += 1
            self._round += 1
        if lane is None:
            return False
        lane.attempts += 1
        wait_s = self._wait_s(lane.attempts, failure.retry_after_s)
        if failure.kind == "gone":
            self._park_all(f"{failure.reason}: the receiver wants no more messages")
        elif failure.kind == "unreachable":
            if self.failures >= self.max_attempts:
                self._park_all(f"{failure.reason}, {self.failures} times in a row")
            else:
                pause_s = self._wait_s(max(1, self.failures), failure.retry_after_s)
                self.paused_until = max(self.paused_until, now + pause_s)
        elif lane.attempts >= self.max_attempts:
            self._remove_first(lane, message)
            self._parked[message.n] = message
            return True
        heapq.heappush(self._delayed, (now + wait_s, message.account))
        return False

    def attempts_of(self, message: StoredMessage) -> int:
        """How often the first message of a lane was tried."""
        lane = self._lanes.get(message.account)
        return 0 if lane is None else lane.attempts

    def unpark(self) -> int:
        """Send everything again from the first attempt on; returns how many were parked: all, if
        the webhook was parked as a whole.

        A parked message goes where it was: before the later ones of its account.
        """
        count, parked = len(self._parked), list(self._parked.values())
        if self.parked_reason is not None:
            count += self.waiting
        self._parked.clear()
        self.failures, self.paused_until, self.parked_reason = 0, 0.0, None
        self._delayed.clear()
        self._ready.clear()
        for message in parked:
            lane = self._lanes.setdefault(message.account, Lane(deque()))
            lane.messages.append(message)
            self.waiting += 1
        for account, lane in self._lanes.items():
            first = [lane.messages.popleft()] if lane.is_in_flight else []
            lane.messages = deque([*first, *sorted(lane.messages, key=lambda m: m.n)])
            lane.attempts = 0
            if not lane.is_in_flight:
                self._ready.append(account)
        return count

    def __iter__(self) -> Iterator[StoredMessage]:
        for lane in self._lanes.values():
            yield from lane.messages

    def _park_all(self, reason: str) -> None:
        self.parked_reason = reason

    def _wait_s(self, attempts: int, retry_after_s: float | None) -> float:
        ladder = min(MAX_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts - 1, 20))
        wait_s: float = ladder * (0.5 + self._rng() / 2)
        return max(wait_s, min(retry_after_s or 0.0, MAX_RETRY_S))

    def _end_flight(self, message: StoredMessage) -> Lane | None:
        self.in_flight -= 1
        lane = self._lanes.get(message.account)
        if lane is None or not lane.is_in_flight or lane.messages[0].n != message.n:
            return None
        lane.is_in_flight = False
        return lane

    def _remove_first(self, lane: Lane, message: StoredMessage) -> None:
        lane.messages.popleft()
        lane.attempts = 0
        self.waiting -= 1
        if lane.messages:
            lane.attempts = lane.messages[0].attempts
            self._ready.append(message.account)
        else:
            del self._lanes[message.account]

    def _forget_state(self, message: StoredMessage) -> None:
        key = (message.account, message.kind)
        known = self._states.get(key)
        if known is not None and known.n == message.n:
            del self._states[key]
