"""Follow a daemon's events for as long as anybody wants, across cuts, without missing any."""

import random
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from msgspec import Struct

from realtime.cli.client import DaemonClient
from realtime.cli.sse_parser import ServerSentEvent, SseParser
from realtime.errors import ConfigError, LinkError

SILENCE_S = 25.0
"""A heartbeat comes every 15 s: who says nothing for longer is not there."""

FIRST_S = 0.5
MAX_S = 8.0
"""Waits between attempts: halves to wholes of 0.5, 1, 2 … 8 s."""

AGAIN = frozenset({429, 502, 503, 504})
"""Answers that another try may change."""


class EventsLost(Struct, frozen=True):
    """The daemon cannot be heard; it is asked again in so many seconds."""

    reason: str
    wait_s: float


class EventFollower:
    """One subscription.

    The snapshot is asked for with the types `first`; from then on `types` are followed, so that
    nobody loads all orders only to hear of new ones. `pause(seconds)` waits; true ends it.
    """

    def __init__(
        self,
        daemon: DaemonClient,
        *,
        first: str,
        types: str,
        account: str | None = None,
        rng: random.Random,
        pause: Callable[[float], bool] | None = None,
    ) -> None:
        self._daemon = daemon
        self._first = first
        self._types = types
        self._account = account
        self._rng = rng
        self._pause = pause or threading.Event().wait
        self._last_id = ""

    def events(self) -> Iterator[ServerSentEvent | EventsLost]:
        """Everything from the snapshot on. Raises `LinkError` if there is no daemon to begin with.

        An account that the daemon does not know is a `ConfigError`.
        """
        failed, was_there = 0, False
        while True:
            try:
                for event in self._connection():
                    if event.name == "ready":
                        failed, was_there = 0, True
                    yield event
                reason = "the daemon has ended the connection"
            except LinkError as error:
                if error.status is not None and error.status not in AGAIN:
                    raise _mistake(error) from error
                if not was_there:
                    raise
                reason = error.message if error.status else "no connection to the daemon"
            wait_s = min(MAX_S, FIRST_S * 2**failed) * (0.5 + self._rng.random() / 2)
            failed = min(failed + 1, 10)
            yield EventsLost(reason, wait_s)
            if self._pause(wait_s):
                return

    def _connection(self) -> Iterator[ServerSentEvent]:
        """The events of one connection; two where the types change after the snapshot."""
        while True:
            types = self._types if self._last_id else self._first
            yield from self._subscription(types)
            if types == self._types or not self._last_id:
                return

    def _subscription(self, types: str) -> Iterator[ServerSentEvent]:
        lines = SseParser(self._last_id)
        for line in self._daemon.lines(self._address(types), silence_s=SILENCE_S):
            event = lines.take(line)
            if event is None:
                continue
            self._last_id = event.last_id
            yield event
            if event.name == "ready" and types != self._types:
                return

    def _address(self, types: str) -> str:
        query = {"types": types}
        if self._account is not None:
            query["account_id"] = self._account
        if self._last_id:
            query["last_event_id"] = self._last_id
        return f"/realtime/events?{urlencode(query, safe=',')}"


def _mistake(error: LinkError) -> LinkError | ConfigError:
    if error.status in (400, 404):
        return ConfigError(error.message, remedy=error.remedy)
    return error
