"""Sends every event to all subscribers, without ever making the store's writer wait.

The writer only adds events to the buffer. One task, `run`, reads the new ones, encodes them once
for each filter and writes them to all synced subscribers; then it rests for as long as it worked,
so that the writer has at least half of the event loop's time, whatever the number of subscribers.
The events of that time form one batch, in which a state that changed twice is sent once.

A subscriber starts with a snapshot or resumes; so does one that fell behind (`replayer`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import web
from msgspec import Struct

from realtime.analytics.tier_bounds import Alert
from realtime.api.documents.accounts import make_account_row
from realtime.api.documents.document_cache import RowCache
from realtime.api.documents.mark_totals import add_up_marks
from realtime.api.documents.timestamps import format_millis
from realtime.api.events.batch import CHUNK_BYTES, Batch, Chunk, EventFilter, make_chunk
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.paced import EVENTS_PER_READ, find_newest_fills, make_fleet_event
from realtime.api.events.replayer import Replayer
from realtime.api.events.sse_encoder import Heartbeat, SseEncoder, encode_event
from realtime.api.events.subscriber import (
    READ_TIMEOUT_S,
    Subscriber,
    SubscriberLeft,
    SubscriberStalled,
)
from realtime.api.problems import Problem
from realtime.api.responses import COMMON_HEADERS
from realtime.api.security.client_limits import address_group
from realtime.core.mark_totals import MarkTotals
from realtime.market.marks.status import MarksStatus
from realtime.store.records import Record
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_SUBSCRIBERS = 1000
"""Open event connections; a further one is refused with `Retry-After`."""

RETRY_MS = 2000
"""How long a browser waits before it reconnects."""

HEARTBEAT_S = 15.0
"""Maximum silence; a heartbeat also reports how far the stream is."""

MIN_REST_S = 0.002
"""The shortest pause between two batches."""

MAX_SLICE_S = 0.002
"""The longest time that the event loop is blocked at once."""

MAX_RESYNCS = 3
"""Snapshots in a row that a subscriber may fail to keep up with before it is disconnected."""

MAX_LIFETIME_S = 86_400.0
"""With a token that is valid for longer, the client reconnects after a day."""

LATER_S = 30
"""Retry-After when there are too many subscribers."""

HEADERS = {
    **COMMON_HEADERS,
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


MAX_SHARE = 0.25
"""The part of all subscriptions that one token, or one address without a token, may have."""


class Subscription(Struct, frozen=True, kw_only=True):
    """The events that a client selected, and how long it may receive them."""

    filter: EventFilter
    last_event_id: str | None = None
    expires_at: float | None = None
    """When the permission ends, epoch seconds; None: never."""
    token_id: str | None = None
    """The user of the permission; None: no token."""
    interval_s: float | None = None
    """Seconds between two deliveries; None: at once."""
    has_totals: bool = False
    """Whether event `fleet` is sent, once an interval."""


class Broadcaster:
    """One for each server. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        *,
        wall_clock: Callable[[], float] | None = None,
        buffer: EventBuffer | None = None,
        max_subscribers: int = MAX_SUBSCRIBERS,
        read_timeout_s: float = READ_TIMEOUT_S,
        heartbeat_s: float = HEARTBEAT_S,
        chunk_bytes: int = CHUNK_BYTES,
        marks: Callable[[], MarksStatus] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wall_clock = wall_clock or clock
        self._buffer = EventBuffer() if buffer is None else buffer
        self._encoder = SseEncoder(store, self._buffer)
        self._max_subscribers = max_subscribers
        self._read_timeout_s = read_timeout_s
        self._heartbeat_s = heartbeat_s
        self._replayer = Replayer(
            store, self._buffer, self._encoder, clock, chunk_bytes=chunk_bytes
        )
        self._rows = RowCache(make_account_row)
        self._subscribers: set[Subscriber] = set()
        self._synced: dict[EventFilter, set[Subscriber]] = {}
        self._joining: list[Subscriber] = []
        self._position = 0
        """The last event that was written to the synced subscribers."""
        self._yield_at = 0.0
        self._has_work = asyncio.Event()
        self._is_closing = False
        self._marks = marks
        store.subscribe(self._buffer.handle_change)
        self._buffer.add_listener(self._wake)

    @property
    def subscribers(self) -> int:
        """The number of open event connections."""
        return len(self._subscribers)

    def send_alert(self, alert: Alert) -> None:
        """Send an alert to the subscribers that selected the type."""
        self._buffer.add_alert(alert)

    def _wake(self) -> None:
        # Without subscribers nothing is sent; one that joins wakes the task itself (`_join`).
        if self._subscribers:
            self._has_work.set()

    async def run(self) -> None:
        """Send events and heartbeats to the synced subscribers, until cancelled."""
        loop = asyncio.get_running_loop()
        heartbeat_at = loop.time() + self._heartbeat_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(heartbeat_at):
                    await self._has_work.wait()
            started_at = loop.time()
            self._yield_at = started_at + MAX_SLICE_S
            if self._has_work.is_set():
                self._has_work.clear()
                await self._send_events()
            if loop.time() >= heartbeat_at:
                await self._send_heartbeat()
                heartbeat_at = loop.time() + self._heartbeat_s
            await asyncio.sleep(max(MIN_REST_S, loop.time() - started_at))

    async def serve(self, request: web.Request, subscription: Subscription) -> web.StreamResponse:
        """Send events to a client until it leaves. Raises the problem `too_many_subscribers`."""
        if len(self._subscribers) >= self._max_subscribers and self._is_full():
            raise Problem(
                "too_many_subscribers",
                f"{self._max_subscribers} clients are subscribed",
                headers={"Retry-After": str(LATER_S)},
            )
        self._check_share(request, subscription)
        response = web.StreamResponse(headers=HEADERS)
        response.force_close()
        subscriber = Subscriber(subscription.filter, request, read_timeout_s=self._read_timeout_s)
        subscriber.client = subscription.token_id or address_group(request.remote or "")
        self._subscribers.add(subscriber)
        timer = self._end_with_permission(subscriber, subscription)
        try:
            await response.prepare(request)
            if request.method == "GET" and not self._is_closing:
                await response.write(b"retry: %d\n\n" % RETRY_MS)
                await self._serve(subscriber, subscription)
        except (SubscriberLeft, ConnectionError):
            pass  # the usual end
        except SubscriberStalled:
            self._store.count("subscribers.disconnected")
            log.info("subscriber.disconnected", subscribers=len(self._subscribers) - 1)
            subscriber.disconnect()
        finally:
            if timer is not None:
                timer.cancel()
            self._subscribers.discard(subscriber)
            self._remove_synced(subscriber)
        return response

    def _check_share(self, request: web.Request, subscription: Subscription) -> None:
        """Raise `too_many_subscribers` if the token, or without one the address, has its share."""
        client = subscription.token_id or address_group(request.remote or "")
        share = max(1, int(self._max_subscribers * MAX_SHARE))
        if client is not None:
            own = sum(s.client == client and s.is_connected for s in self._subscribers)
            if own >= share:
                raise Problem(
                    "too_many_subscribers",
                    f"{share} clients are subscribed with this token or from this address",
                    headers={"Retry-After": str(LATER_S)},
                )

    def _is_full(self) -> bool:
        """Whether there is no room after removing subscribers whose connection is closed.

        Otherwise that is noticed at the next write: at the next heartbeat.
        """
        closed = [subscriber for subscriber in self._subscribers if not subscriber.is_connected]
        for subscriber in closed:
            self._fall_behind(subscriber)
        return len(self._subscribers) - len(closed) >= self._max_subscribers

    def _end_with_permission(
        self, subscriber: Subscriber, subscription: Subscription
    ) -> asyncio.TimerHandle | None:
        """End the response when the permission ends: the client must send a new token."""
        subscriber.token_id = subscription.token_id
        subscriber.expires_at = subscription.expires_at
        if subscription.expires_at is None:
            return None
        left_s = max(0.0, subscription.expires_at - self._wall_clock())
        loop = asyncio.get_running_loop()
        return loop.call_later(min(left_s, MAX_LIFETIME_S), self._end, subscriber)

    def _end(self, subscriber: Subscriber) -> None:
        if subscriber.is_behind and not subscriber.is_synced:
            subscriber.disconnect()  # it does not keep up: the end would not reach it
        subscriber.close()

    def revoke(self) -> None:
        """End every response that required a token: the rules of tokens have changed."""
        for subscriber in self._subscribers:
            if subscriber.token_id is not None:
                self._end(subscriber)

    def close(self) -> None:
        """End every response. Subscribers that do not keep up are disconnected."""
        self._is_closing = True
        for subscriber in self._subscribers:
            self._end(subscriber)

    async def _send_events(self) -> None:
        """Write new events to all synced subscribers, and add those that have caught up."""
        head, start = self._buffer.head, self._position
        joining, self._joining = self._joining, []
        self._position = head
        if not self._buffer.has_all_after(start):
            for subscriber in self._all_synced():
                self._fall_behind(subscriber)
        elif self._synced and start < head:
            batch = self._replayer.make_batch(self._buffer.get_after(start))
            for event_filter, subscribers in list(self._synced.items()):
                if batch.may_match(event_filter):
                    chunks = await self._encode(batch, event_filter)
                    await self._write_all(list(subscribers), chunks, start, head)
        for subscriber in joining:
            self._finish_joining(subscriber)

    async def _encode(self, batch: Batch, event_filter: EventFilter) -> list[Chunk]:
        """The events that a filter accepts, without blocking the loop for long."""
        chunks: list[Chunk] = []
        for chunk in batch.chunks(event_filter):
            chunks.append(chunk)
            await self._yield_to_loop()
        return chunks

    async def _send_heartbeat(self) -> None:
        """Send all synced subscribers the number up to which they have every event."""
        now = self._wall_clock()
        for subscriber in self._subscribers:
            # The timer of the permission does not see a step of the system clock.
            if subscriber.expires_at is not None and now >= subscriber.expires_at:
                self._end(subscriber)
        heartbeat = encode_event("heartbeat", Heartbeat(as_of=format_millis(self._clock())))
        position = self._position
        for subscriber in self._all_synced():
            if subscriber.is_behind:  # for a whole heartbeat, or just now: its task will see
                subscriber.position = position
                self._fall_behind(subscriber)
        for event_filter, subscribers in list(self._synced.items()):
            event_id = self._encoder.encode_id(event_filter.id_suffix, position)
            chunks = [make_chunk(position, event_id + heartbeat)]
            await self._write_all(list(subscribers), chunks, position, position)

    async def _write_all(
        self, subscribers: Sequence[Subscriber], chunks: Sequence[Chunk], start: int, end: int
    ) -> None:
        """Write the events between two numbers, without blocking the loop for long."""
        for subscriber in subscribers if chunks else ():
            await self._yield_to_loop()
            # One that joined meanwhile received all of this while it caught up.
            if subscriber.is_synced and subscriber.position <= start:
                subscriber.position = start
                self._write(subscriber, chunks, end)

    async def _yield_to_loop(self) -> None:
        """Let other tasks run if this one has run for `MAX_SLICE_S`."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._yield_at:
            await asyncio.sleep(0)
            self._yield_at = loop.time() + MAX_SLICE_S

    def _write(self, subscriber: Subscriber, chunks: Sequence[Chunk], end: int) -> None:
        for chunk in chunks:
            if not (subscriber.is_connected and subscriber.has_room()):
                self._fall_behind(subscriber)
                return
            subscriber.write(chunk)
        subscriber.position = end

    def _join(self, subscriber: Subscriber) -> None:
        """Add a subscriber that has caught up with the buffer to the synced ones."""
        if subscriber.position == self._position:
            self._add_synced(subscriber)
        else:
            self._joining.append(subscriber)
            self._has_work.set()

    def _finish_joining(self, subscriber: Subscriber) -> None:
        """The same for one that was ahead of the others until now, or is behind by a batch."""
        if subscriber not in self._subscribers:
            return
        if not self._buffer.has_all_after(subscriber.position):
            subscriber.fall_behind()
            return
        count = self._position - subscriber.position
        missed = self._buffer.get_after(subscriber.position, count)
        self._add_synced(subscriber)
        chunks = list(self._replayer.make_batch(missed).chunks(subscriber.filter))
        self._write(subscriber, chunks, self._position)

    def _add_synced(self, subscriber: Subscriber) -> None:
        subscriber.is_synced = True
        self._synced.setdefault(subscriber.filter, set()).add(subscriber)

    def _fall_behind(self, subscriber: Subscriber) -> None:
        self._remove_synced(subscriber)
        subscriber.fall_behind()

    def _remove_synced(self, subscriber: Subscriber) -> None:
        subscriber.is_synced = False
        subscribers = self._synced.get(subscriber.filter)
        if subscribers is not None:
            subscribers.discard(subscriber)
            if not subscribers:
                del self._synced[subscriber.filter]

    def _all_synced(self) -> list[Subscriber]:
        return [s for subscribers in self._synced.values() for s in subscribers]

    async def _serve(self, subscriber: Subscriber, subscription: Subscription) -> None:
        """Bring a subscriber up to date whenever it is not. Raises `SubscriberLeft` or
        `SubscriberStalled`."""
        reason = self._replayer.resume(subscriber, subscription.last_event_id)
        is_resumed, failures = reason is None, 0
        while True:
            if reason is not None:
                await self._replayer.send_snapshot(subscriber, reason)
            if subscription.interval_s is not None:
                await self._pace(subscriber, subscription, is_resumed=is_resumed)
                is_resumed = False
            elif await self._replayer.catch_up(subscriber):
                if is_resumed:
                    self._replayer.send_ready(subscriber, is_resumed=True)
                is_resumed, failures = False, 0
                self._join(subscriber)
                await subscriber.wait_while_synced()
                await subscriber.wait_for_drain()
            reason = None
            if not self._buffer.has_all_after(subscriber.position):
                reason, failures = "slow", failures + 1
                self._store.count("subscribers.resynced")
                if failures > MAX_RESYNCS:
                    raise SubscriberStalled

    async def _pace(
        self, subscriber: Subscriber, subscription: Subscription, *, is_resumed: bool
    ) -> None:
        """Deliver once an interval, until the buffer no longer holds the next event."""
        loop = asyncio.get_running_loop()
        heartbeat_at = loop.time() + self._heartbeat_s
        if is_resumed and subscriber.filter.rows is not None:
            await self._replayer.send_rows(subscriber, subscriber.filter.rows)
        while True:
            start = subscriber.position
            if not await self._replayer.catch_up(subscriber, EVENTS_PER_READ):
                return
            if is_resumed:
                self._replayer.send_ready(subscriber, is_resumed=True)
                is_resumed = False
            if subscription.has_totals and self._buffer.has_all_after(start):
                self._send_totals(subscriber, start)
            if loop.time() >= heartbeat_at:
                heartbeat = Heartbeat(as_of=format_millis(self._clock()))
                self._write_event(subscriber, encode_event("heartbeat", heartbeat))
                heartbeat_at = loop.time() + self._heartbeat_s
            with suppress(TimeoutError):
                async with asyncio.timeout(subscription.interval_s):
                    await subscriber.wait_while_synced()
            await subscriber.wait_for_drain()

    def _send_totals(self, subscriber: Subscriber, start: int) -> None:
        """Write event `fleet`: the totals now, and fills since a position."""
        has_account = subscriber.filter.has_account
        events = self._buffer.get_after(start, subscriber.position - start)
        self._rows.remove_absent(self._store)
        records = [record for record in self._store if has_account(record.profile.label)]
        document = make_fleet_event(
            records,
            self._rows.get,
            find_newest_fills(events, self._encoder, has_account),
            updates=sum(1 for e in events if e.kind == "order" and has_account(e.label)),
            now=self._clock(),
            marks=self._get_mark_totals(records, subscriber.filter),
        )
        self._write_event(subscriber, encode_event("fleet", document))

    def _get_mark_totals(
        self, records: Sequence[Record], event_filter: EventFilter
    ) -> MarkTotals | None:
        """The sums of these accounts: those of all are kept, those of some are added up."""
        if self._marks is None:
            return None
        return self._marks().totals if event_filter.labels is None else add_up_marks(records)

    def _write_event(self, subscriber: Subscriber, event: bytes) -> None:
        """Write an event with the id of the subscriber's position."""
        position = subscriber.position
        event_id = self._encoder.encode_id(subscriber.filter.id_suffix, position)
        subscriber.write(make_chunk(position, event_id + event))
