"""Everything that happens, to everybody who listens, without ever making the writer wait.

The store's writer only notes a change in the log. One task, `run`, takes what is new, puts it
together once for each kind of reader and writes it to all that are live; then it rests for as long
as it worked, so that at least half of the loop's time is left for the writer however many listen.
What happens meanwhile is one batch, and states that changed twice are told once.

A reader begins with a snapshot, or where it left off; so does one that fell behind (`usher`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp import web
from msgspec import Struct

from realtime.api.documents.accounts import account_row
from realtime.api.documents.document_cache import RowCache
from realtime.api.documents.timestamps import instant
from realtime.api.events.batch import CHUNK_BYTES, Batch, Chunk, EventFilter, chunk
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.paced import ENTRIES_PER_READ, make_fleet_event, newest_fills
from realtime.api.events.replayer import Replayer
from realtime.api.events.sse_encoder import Heartbeat, SseEncoder, event
from realtime.api.events.subscriber import (
    READ_WITHIN_S,
    Subscriber,
    SubscriberLeft,
    SubscriberStalled,
)
from realtime.api.problems import Problem
from realtime.api.responses import COMMON_HEADERS
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

MAX_READERS = 1000
"""Connections that are pushed to; one more is told to come back."""

RETRY_MS = 2000
"""How long a browser waits before it connects again."""

HEARTBEAT_S = 15.0
"""A reader hears something at least so often, and learns by it how far it is."""

REST_S = 0.002
"""The shortest rest between two batches."""

SLICE_S = 0.002
"""The longest the loop is kept at a stretch."""

MAX_RESYNCS = 3
"""Snapshots in a row that a reader may fail to keep up with before it is cut."""

MAX_S = 86_400.0
"""A token that is good for longer has its reader connect again after a day."""

LATER_S = 30
"""Retry-After where there are too many."""

HEADERS = {
    **COMMON_HEADERS,
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class Subscription(Struct, frozen=True, kw_only=True):
    """What a reader asked for."""

    choice: EventFilter
    last_event_id: str | None = None
    until: float | None = None
    """When the permission to listen ends, epoch seconds; None: never."""
    holder: str | None = None
    """Whose permission it is; None: nobody's."""
    interval_s: float | None = None
    """Seconds between two deliveries; None: at once."""
    has_totals: bool = False
    """Whether event `fleet` is sent, once an interval."""


class Broadcaster:
    """One a server. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float],
        *,
        ring: EventBuffer | None = None,
        max_readers: int = MAX_READERS,
        read_within_s: float = READ_WITHIN_S,
        heartbeat_s: float = HEARTBEAT_S,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = EventBuffer() if ring is None else ring
        self._frames = SseEncoder(store, self._log)
        self._max_readers = max_readers
        self._read_within_s = read_within_s
        self._heartbeat_s = heartbeat_s
        self._replayer = Replayer(store, self._log, self._frames, clock, chunk_bytes=chunk_bytes)
        self._rows = RowCache(account_row)
        self._readers: set[Subscriber] = set()
        self._live: dict[EventFilter, set[Subscriber]] = {}
        self._joining: list[Subscriber] = []
        self._position = 0
        """Up to where the live readers have been told."""
        self._breath_at = 0.0
        self._woken = asyncio.Event()
        self._is_closing = False
        store.subscribe(self._log.take)
        self._log.on_news(self._woken.set)

    @property
    def readers(self) -> int:
        """How many listen."""
        return len(self._readers)

    async def run(self) -> None:
        """Tell the live readers what happens, and that nothing does, until cancelled."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._heartbeat_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(beat_at):
                    await self._woken.wait()
            began = loop.time()
            self._breath_at = began + SLICE_S
            if self._woken.is_set():
                self._woken.clear()
                await self._tell()
            if loop.time() >= beat_at:
                await self._beat()
                beat_at = loop.time() + self._heartbeat_s
            await asyncio.sleep(max(REST_S, loop.time() - began))

    async def serve(self, request: web.Request, subscription: Subscription) -> web.StreamResponse:
        """Push to a reader until it leaves. Raises the problem `too_many_readers`."""
        if len(self._readers) >= self._max_readers and self._is_full():
            raise Problem(
                "too_many_readers",
                f"{self._max_readers} readers are listening",
                headers={"Retry-After": str(LATER_S)},
            )
        response = web.StreamResponse(headers=HEADERS)
        response.force_close()
        reader = Subscriber(subscription.choice, request, read_within_s=self._read_within_s)
        self._readers.add(reader)
        ending = self._end_in_time(reader, subscription)
        try:
            await response.prepare(request)
            if request.method == "GET" and not self._is_closing:
                await response.write(b"retry: %d\n\n" % RETRY_MS)
                await self._attend(reader, subscription)
        except (SubscriberLeft, ConnectionError):
            pass  # the usual end
        except SubscriberStalled:
            self._store.count("readers.cut")
            log.info("reader.cut", readers=len(self._readers) - 1)
            reader.cut()
        finally:
            if ending is not None:
                ending.cancel()
            self._readers.discard(reader)
            self._forget(reader)
        return response

    def _is_full(self) -> bool:
        """Whether there is no room, after those who have gone without a word were let go.

        Otherwise that is noticed when they are written to: at the next heartbeat.
        """
        gone = [reader for reader in self._readers if not reader.is_connected]
        for reader in gone:
            self._leave(reader)
        return len(self._readers) - len(gone) >= self._max_readers

    def _end_in_time(
        self, reader: Subscriber, subscription: Subscription
    ) -> asyncio.TimerHandle | None:
        """Have the response end when the permission does: the reader must show a new token."""
        reader.holder = subscription.holder
        if subscription.until is None:
            return None
        left_s = max(0.0, subscription.until - self._clock())
        return asyncio.get_running_loop().call_later(min(left_s, MAX_S), self._end, reader)

    def _end(self, reader: Subscriber) -> None:
        if reader.is_behind and not reader.is_synced:
            reader.cut()  # it does not keep up: the end would not reach it
        reader.close()

    def revoke(self) -> None:
        """End every response that a token was needed for: the rules of tokens have changed."""
        for reader in self._readers:
            if reader.holder is not None:
                self._end(reader)

    def close(self) -> None:
        """End every response. Those who do not keep up are cut: the end would not reach them."""
        self._is_closing = True
        for reader in self._readers:
            self._end(reader)

    async def _tell(self) -> None:
        """Write what is new to all who are live, and let those in who have caught up."""
        head, begin = self._log.head, self._position
        joining, self._joining = self._joining, []
        self._position = head
        if not self._log.holds(begin):
            for reader in self._all_live():
                self._leave(reader)
        elif self._live and begin < head:
            batch = self._replayer.batch(self._log.after(begin))
            for choice, readers in list(self._live.items()):
                if batch.concerns(choice):
                    chunks = await self._put_together(batch, choice)
                    await self._write_all(list(readers), chunks, begin, head)
        for reader in joining:
            self._let_in(reader)

    async def _put_together(self, batch: Batch, choice: EventFilter) -> list[Chunk]:
        """What a choice lets through, without keeping the loop for long."""
        chunks: list[Chunk] = []
        for each in batch.chunks(choice):
            chunks.append(each)
            await self._breathe()
        return chunks

    async def _beat(self) -> None:
        """Tell all who are live up to where they have heard everything."""
        beat = event("heartbeat", Heartbeat(as_of=instant(self._clock())))
        at = self._position
        for reader in self._all_live():
            if reader.is_behind:  # for a whole heartbeat, or just now: its task will see
                reader.position = at
                self._leave(reader)
        for choice, readers in list(self._live.items()):
            chunks = [chunk(at, self._frames.id_of(choice.mark, at) + beat)]
            await self._write_all(list(readers), chunks, at, at)

    async def _write_all(
        self, readers: Sequence[Subscriber], chunks: Sequence[Chunk], begin: int, end: int
    ) -> None:
        """Write what happened between two positions, without keeping the loop for long."""
        for reader in readers if chunks else ():
            await self._breathe()
            # One that joined meanwhile was told all of this while it caught up.
            if reader.is_synced and reader.position <= begin:
                reader.position = begin
                self._write(reader, chunks, end)

    async def _breathe(self) -> None:
        """Let others run if it has been long since they could."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._breath_at:
            await asyncio.sleep(0)
            self._breath_at = loop.time() + SLICE_S

    def _write(self, reader: Subscriber, chunks: Sequence[Chunk], end: int) -> None:
        for each in chunks:
            if not (reader.is_connected and reader.has_room()):
                self._leave(reader)
                return
            reader.write(each)
        reader.position = end

    def _join(self, reader: Subscriber) -> None:
        """Let a reader who has caught up with the log be live."""
        if reader.position == self._position:
            self._enter(reader)
        else:
            self._joining.append(reader)
            self._woken.set()

    def _let_in(self, reader: Subscriber) -> None:
        """The same for one that was ahead of the others until now, or is behind by a batch."""
        if reader not in self._readers:
            return
        if not self._log.holds(reader.position):
            reader.fall_behind()
            return
        missed = self._log.after(reader.position, self._position - reader.position)
        self._enter(reader)
        chunks = list(self._replayer.batch(missed).chunks(reader.choice))
        self._write(reader, chunks, self._position)

    def _enter(self, reader: Subscriber) -> None:
        reader.is_synced = True
        self._live.setdefault(reader.choice, set()).add(reader)

    def _leave(self, reader: Subscriber) -> None:
        self._forget(reader)
        reader.fall_behind()

    def _forget(self, reader: Subscriber) -> None:
        reader.is_synced = False
        readers = self._live.get(reader.choice)
        if readers is not None:
            readers.discard(reader)
            if not readers:
                del self._live[reader.choice]

    def _all_live(self) -> list[Subscriber]:
        return [reader for readers in self._live.values() for reader in readers]

    async def _attend(self, reader: Subscriber, subscription: Subscription) -> None:
        """Lead a reader to where it is live, again and again. Raises `Left` or `Deaf`."""
        reason = self._replayer.place(reader, subscription.last_event_id)
        is_resumed, failed = reason is None, 0
        while True:
            if reason is not None:
                await self._replayer.snapshot(reader, reason)
            if subscription.interval_s is not None:
                await self._pace(reader, subscription, is_resumed=is_resumed)
                is_resumed = False
            elif await self._replayer.catch_up(reader):
                if is_resumed:
                    self._replayer.tell_ready(reader, is_resumed=True)
                is_resumed, failed = False, 0
                self._join(reader)
                await reader.lived()
                await reader.drained()
            reason = None
            if not self._log.holds(reader.position):
                reason, failed = "slow", failed + 1
                self._store.count("readers.resynced")
                if failed > MAX_RESYNCS:
                    raise SubscriberStalled

    async def _pace(
        self, reader: Subscriber, subscription: Subscription, *, is_resumed: bool
    ) -> None:
        """Deliver once an interval, until the buffer no longer holds what comes next."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + self._heartbeat_s
        if is_resumed and reader.choice.rows is not None:
            await self._replayer.send_rows(reader, reader.choice.rows)
        while True:
            begin = reader.position
            if not await self._replayer.catch_up(reader, ENTRIES_PER_READ):
                return
            if is_resumed:
                self._replayer.tell_ready(reader, is_resumed=True)
                is_resumed = False
            if subscription.has_totals and self._log.holds(begin):
                self._send_totals(reader, begin)
            if loop.time() >= beat_at:
                beat = event("heartbeat", Heartbeat(as_of=instant(self._clock())))
                reader.write(
                    chunk(
                        reader.position,
                        self._frames.id_of(reader.choice.mark, reader.position) + beat,
                    )
                )
                beat_at = loop.time() + self._heartbeat_s
            with suppress(TimeoutError):
                async with asyncio.timeout(subscription.interval_s):
                    await reader.lived()
            await reader.drained()

    def _send_totals(self, reader: Subscriber, begin: int) -> None:
        """Write event `fleet`: the totals now, and fills since a position."""
        choice = reader.choice
        entries = self._log.after(begin, reader.position - begin)
        self._rows.forget_strangers(self._store)
        document = make_fleet_event(
            [record for record in self._store if choice.wants(record.profile.label)],
            self._rows.of,
            newest_fills(entries, self._frames, choice.wants),
            updates=sum(1 for e in entries if e.kind == "order" and choice.wants(e.label)),
            now=self._clock(),
        )
        data = self._frames.id_of(choice.mark, reader.position) + event("fleet", document)
        reader.write(chunk(reader.position, data))
