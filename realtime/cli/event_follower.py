"""Follows a daemon's events across interruptions, without missing any."""

import random
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

from msgspec import Struct

from realtime.cli.client import DaemonClient, DaemonError
from realtime.cli.sse_parser import ServerSentEvent, SseParser
from realtime.errors import ConfigError, LinkError, RealtimeError

MAX_SILENCE_S = 25.0
"""A heartbeat arrives every 15 s: a connection that is silent for longer is lost."""

FIRST_RETRY_S = 0.5
MAX_RETRY_S = 8.0
"""Waits between attempts: 0.5, 1, 2 … 8 s, each times 0.5 to 1."""

RETRIED_STATUSES = frozenset({429, 502, 503, 504})


class EventsLost(Struct, frozen=True):
    """The events are interrupted; the next attempt is in `wait_s` seconds."""

    reason: str
    wait_s: float


class EventFollower:
    """One subscription.

    The snapshot is requested with the event types `first`; after it `types` are followed, so that
    a client does not load all orders only to see new ones. `pause(seconds)` waits; true ends it.
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
        """Yield everything from the snapshot on. Raises `LinkError` if there is no daemon at first.

        An account that the daemon does not know raises `ConfigError`.
        """
        failures, was_ready = 0, False
        while True:
            try:
                for event in self._read_connection():
                    if event.name == "ready":
                        failures, was_ready = 0, True
                    yield event
                reason = "the daemon ended the connection"
            except DaemonError as error:
                if error.status not in RETRIED_STATUSES or not was_ready:
                    raise _usage_error(error) from error
                reason = error.message
            except RealtimeError as error:
                if not was_ready:
                    raise
                is_lost = isinstance(error, LinkError)
                reason = "no connection to the daemon" if is_lost else error.message
            wait_s = min(MAX_RETRY_S, FIRST_RETRY_S * 2**failures)
            wait_s *= 0.5 + self._rng.random() / 2
            failures = min(failures + 1, 10)
            yield EventsLost(reason, wait_s)
            if self._pause(wait_s):
                return

    def _read_connection(self) -> Iterator[ServerSentEvent]:
        """The events of one connection; of two if the types change after the snapshot."""
        while True:
            types = self._types if self._last_id else self._first
            yield from self._subscribe(types)
            if types == self._types or not self._last_id:
                return

    def _subscribe(self, types: str) -> Iterator[ServerSentEvent]:
        parser = SseParser(self._last_id)
        for line in self._daemon.stream_lines(self._path(types), silence_s=MAX_SILENCE_S):
            event = parser.parse_line(line)
            if event is None:
                continue
            self._last_id = event.last_id
            yield event
            if event.name == "ready" and types != self._types:
                return

    def _path(self, types: str) -> str:
        query = {"types": types}
        if self._account is not None:
            query["account_id"] = self._account
        if self._last_id:
            query["last_event_id"] = self._last_id
        return f"/realtime/events?{urlencode(query, safe=',')}"


def _usage_error(error: DaemonError) -> RealtimeError:
    if error.status in (400, 404):
        return ConfigError(error.message, remedy=error.remedy)
    return error
