"""What to send to the broker next, so that its set of subscriptions becomes the wanted one.

Pure: the shell sends what `next_change` returns and passes on the broker's acks and errors. One
message is in flight at a time, with at most `MAX_NAMES` names, and each ack is compared with what
is expected: above 3200 names in one message some stay silent (reports of clients, MARKET 3.5).

A *request* is what one client adds. An error on it concerns that client alone; everything else is
repaired here: names that an ack lacks, and names that the broker has without need.
"""

from collections import Counter, deque
from collections.abc import Collection, Mapping
from typing import Literal

from msgspec import Struct

from realtime.market.stream.channels import Pairs

MAX_NAMES = 100
"""Names in one message."""

MAX_ATTEMPTS = 3
"""Messages in a row with a name that no ack confirms; then it is reported."""

RETRY_S = 60.0
"""After that it is tried again at this interval; so is a name that the broker refused."""

Action = Literal["subscribe", "unsubscribe"]


class Request:
    """Subscriptions that one client adds. `code` is the broker's error once it is refused."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs
        self.is_done = False
        self.code: int | None = None
        self.may_retry = True


class Change(Struct, frozen=True):
    """One message to the broker."""

    action: Action
    pairs: Pairs
    request: Request | None = None


class Acked(Struct, frozen=True):
    """What an ack changed in the broker's set, and how many names differ from what was expected."""

    added: Pairs
    removed: Pairs
    differences: int


class SubscriptionPlan:
    """The broker's set of subscriptions as of its last ack, and what is under way."""

    def __init__(self) -> None:
        self.requests: deque[Request] = deque()
        self._reset()

    def _reset(self) -> None:
        self.acked: set[tuple[str, str]] = set()
        self.refused: dict[tuple[str, str], int] = {}
        """Wanted subscriptions that the broker refused → its error code."""
        self.in_flight: Change | None = None
        self._refresh: set[tuple[str, str]] = set()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._retry_at: dict[tuple[str, str], float] = {}
        self._max_repair = MAX_NAMES

    @property
    def unacked(self) -> set[tuple[str, str]]:
        """Wanted subscriptions that repeated messages did not establish."""
        return {pair for pair, count in self._attempts.items() if count >= MAX_ATTEMPTS}

    def request(self, pairs: Pairs) -> Request | None:
        """Add a client's request; None if the broker has all of it already."""
        if pairs <= self.acked:
            return None
        request = Request(pairs)
        self.requests.append(request)
        return request

    def refresh(self, pairs: Collection[tuple[str, str]]) -> None:
        """Unsubscribe and subscribe again: the broker has them, and does not send them."""
        self._refresh |= self.acked.intersection(pairs)

    def next_change(self, wanted: Collection[tuple[str, str]], now: float) -> Change | None:
        """Return the next message, which is then in flight; None if there is none to send now."""
        if self.in_flight is None:
            self.in_flight = self._find_change(set(wanted), now)
        return self.in_flight

    def _find_change(self, wanted: set[tuple[str, str]], now: float) -> Change | None:
        # 1. what no client needs: it may hold the room that a request needs
        unneeded = (self.acked - wanted) | (self._refresh & self.acked)
        if unneeded:
            self._refresh -= unneeded
            return Change("unsubscribe", _first(unneeded, MAX_NAMES))
        # 2. requests of clients, in their order
        self._finish_accepted()
        for request in self.requests:
            missing = request.pairs - self.acked - self.unacked
            return Change("subscribe", _first(missing, MAX_NAMES), request)
        # 3. repairs, and everything after a reconnect
        absent = {p for p in wanted - self.acked if self._retry_at.get(p, now) <= now}
        return Change("subscribe", _first(absent, self._max_repair)) if absent else None

    def next_retry(self) -> float | None:
        """Return when a name is tried again."""
        return min(self._retry_at.values(), default=None)

    def handle_ack(
        self, channels: Mapping[str, Collection[str]], known: Collection[str], now: float
    ) -> Acked:
        """Apply an ack: the full set. `known` are the stream's channels.

        A channel that the ack does not list keeps what is expected: the test feed lists three.
        """
        change, self.in_flight = self.in_flight, None
        expected = self._expect(change)
        reported = {(channel, name) for channel in known for name in channels.get(channel, ())} | {
            pair for pair in expected if pair[0] not in channels
        }
        before, self.acked = self.acked, reported
        if change is not None and change.action == "subscribe":
            self._count_attempts(change.pairs, now)
        self._finish_accepted()
        return Acked(
            added=frozenset(reported - before),
            removed=frozenset(before - reported),
            differences=len(expected ^ reported),
        )

    def handle_error(self, code: int, now: float, *, has_room: bool = False) -> Request | None:
        """Apply an error; return the request that failed with it.

        `has_room`: lingering subscriptions were ended meanwhile, so a request may be sent again.
        """
        change, self.in_flight = self.in_flight, None
        if change is None or change.action == "unsubscribe":
            return None
        request = change.request
        if request is not None:
            if has_room and request.may_retry:
                request.may_retry = False
                return None
            self.requests.remove(request)
            request.code = code
            self._finish(request)
            return request
        if len(change.pairs) > 1:
            self._max_repair = max(1, len(change.pairs) // 2)
            return None
        for pair in change.pairs:
            self.refused[pair] = code
            self._retry_at[pair] = now + RETRY_S
        return None

    def disconnect(self) -> list[Request]:
        """Forget the broker's set: the connection is lost. Return the requests, all accepted: they
        are part of what is subscribed next."""
        requests = list(self.requests)
        self.requests.clear()
        self._reset()
        for request in requests:
            self._finish(request)
        return requests

    def _finish_accepted(self) -> None:
        """Finish the requests of which the broker has everything, or does not confirm the rest."""
        established = self.acked | self.unacked
        for request in list(self.requests):
            if request.pairs <= established:
                self.requests.remove(request)
                self._finish(request)

    def _finish(self, request: Request) -> None:
        request.is_done = True

    def _expect(self, change: Change | None) -> set[tuple[str, str]]:
        if change is None:
            return set(self.acked)
        if change.action == "subscribe":
            return self.acked | change.pairs
        return self.acked - change.pairs

    def _count_attempts(self, pairs: Pairs, now: float) -> None:
        for pair in pairs:
            if pair in self.acked:
                self._attempts.pop(pair, None)
                self._retry_at.pop(pair, None)
                self.refused.pop(pair, None)
                continue
            self._attempts[pair] += 1
            if self._attempts[pair] >= MAX_ATTEMPTS:
                self._retry_at[pair] = now + RETRY_S
        self._max_repair = min(MAX_NAMES, self._max_repair * 2)


def _first(pairs: Collection[tuple[str, str]], count: int) -> Pairs:
    return frozenset(sorted(pairs)[:count])
