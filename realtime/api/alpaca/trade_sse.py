"""`GET /v2/events/trades`: trade updates as server-sent events, as Alpaca's Go SDK reads them.

Lines `data: {…}` with an event's own members, comments as heartbeats. `since` and `until` are RFC
3339 times, `since_id` and `until_id` ids of events (PROTOCOL 2.6); without them only what happens
from now on. The stream never ends by itself: Go takes an orderly end for the end of all events.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress

from aiohttp import web
from msgspec import Struct

from realtime.api.alpaca.account_selection import Caller
from realtime.api.alpaca.errors import AlpacaError, error_response
from realtime.api.alpaca.trade_events import AccountEvents, Frame
from realtime.api.alpaca.trade_hub import TradeHub
from realtime.api.responses import COMMON_HEADERS
from realtime.core.timestamps import NEVER, format_micros, nanoseconds
from realtime.store.records import Record

PATH = "/v2/events/trades"

HEARTBEAT_S = 15.0
MAX_WAITING = 2_000
"""Frames that wait for a client; one that does not read so many is disconnected, and resumes."""

MAX_STREAMS = 2_000
MAX_CLIENT_STREAMS = 500
"""Open streams, and those of one token or pair of keys: as for `/stream`. Each is a connection."""

HEADERS = {
    **COMMON_HEADERS,
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class EventsUnknown(AlpacaError):
    """Older events are wanted than are kept here."""


class EventRange(Struct, frozen=True, kw_only=True):
    """Which events a client wants; times in epoch ns, `NEVER` for none."""

    since: int = NEVER
    until: int = NEVER
    since_id: str = ""
    until_id: str = ""

    def has_ended(self, frame: Frame) -> bool:
        """Whether an event is after the last one that is wanted."""
        if self.until_id and frame.event_id is not None:
            return frame.event_id > self.until_id
        return self.until != NEVER and frame.at > self.until


def parse_range(query: Mapping[str, str]) -> EventRange:
    """Read the parameters. Raises `AlpacaError`."""
    times = {name: nanoseconds(query.get(name)) for name in ("since", "until")}
    for name, at in times.items():
        if query.get(name) and at == NEVER:
            raise _invalid(f"{name} is not a time (RFC 3339)")
    since, until = times["since"], times["until"]
    since_id, until_id = query.get("since_id", ""), query.get("until_id", "")
    if (since_id or until_id) and (since or until):
        raise _invalid("use either times or ids")
    if (until and not since) or (until_id and not since_id):
        raise _invalid("until needs since, and until_id needs since_id")
    return EventRange(since=since, until=until, since_id=since_id, until_id=until_id)


def select_past(events: AccountEvents, wanted: EventRange) -> list[Frame]:
    """The events that are kept since a time or an id. Raises `EventsUnknown`."""
    if wanted.since_id:
        known = [f.event_id for f in events.frames]
        if wanted.since_id not in known:
            raise _unknown(f"event {wanted.since_id[:64]}", events)
        return list(events.frames)[known.index(wanted.since_id) + 1 :]
    if wanted.since == NEVER:
        return []
    oldest = events.frames[0].at if events.is_truncated else events.started_at
    if wanted.since < oldest:
        raise _unknown("that time", events)
    return [frame for frame in events.frames if frame.at >= wanted.since]


class EventStream:
    """One client. `frames` of the hub wait in a bounded queue."""

    def __init__(
        self,
        request: web.Request,
        hub: TradeHub,
        wanted: EventRange,
        is_allowed: Callable[[], bool],
    ) -> None:
        self.is_allowed = is_allowed
        """Whether its keys or its token are still valid."""
        self._request = request
        self._hub = hub
        self._wanted = wanted
        self._waiting: asyncio.Queue[list[Frame] | None] = asyncio.Queue(MAX_WAITING)
        self._is_slow = False

    def deliver(self, frames: list[Frame]) -> None:
        """Add frames; never waits."""
        try:
            self._waiting.put_nowait(frames)
        except asyncio.QueueFull:
            self._hub.slow_clients += not self._is_slow
            self._break()

    def update_account(self, record: Record) -> None:
        """Account figures are not part of this stream."""

    def end(self) -> None:
        """Disconnect: the account was removed, or the keys changed."""
        self._break()
        with suppress(asyncio.QueueFull):
            self._waiting.put_nowait(None)

    def _break(self) -> None:
        """Close without an end: also while a write waits for a client that does not read."""
        self._is_slow = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def serve(self, past: list[Frame]) -> web.StreamResponse:
        """Send what is wanted, until the client leaves, or the end of the range."""
        response = web.StreamResponse(headers=HEADERS)
        await response.prepare(self._request)
        batch: list[Frame] | None = past
        with suppress(ConnectionError):
            while batch is not None and not self._is_slow:
                for frame in batch:
                    if self._wanted.has_ended(frame):
                        return response
                    await response.write(b"data: %b\n\n" % frame.data)
                batch = []
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        batch = await self._waiting.get()
                except TimeoutError:
                    if not self.is_allowed():  # the token has expired
                        break
                    await response.write(b":heartbeat\n\n")
        # An orderly end would be the end of all events for Go: it must see a broken connection.
        self._break()
        return response


async def serve_events(
    request: web.Request, hub: TradeHub, caller: Caller, is_allowed: Callable[[], bool]
) -> web.StreamResponse:
    """Serve one client of an account. Raises `AlpacaError` before the first byte."""
    label, client = caller.label, caller.principal.token_id or caller.label
    wanted = parse_range(request.query)
    if hub.streams.total() >= MAX_STREAMS or hub.streams[client] >= MAX_CLIENT_STREAMS:
        raise AlpacaError(error_response(429, "realtime: too many event streams are open"))
    events = hub.events(label)
    stream = EventStream(request, hub, wanted, is_allowed)
    past = select_past(events, wanted)
    hub.add(label, stream)
    hub.streams[client] += 1
    try:
        return await stream.serve(past)
    finally:
        hub.remove(label, stream)
        hub.streams -= Counter((client,))  # without those that have none left


def _invalid(text: str) -> AlpacaError:
    return AlpacaError(error_response(400, text))


def _unknown(what: str, events: AccountEvents) -> EventsUnknown:
    oldest = events.frames[0].at if events.is_truncated else events.started_at
    since = format_micros(oldest // 1000)
    text = f"realtime: {what} is not kept any more; events are known since {since}"
    return EventsUnknown(error_response(400, text))
