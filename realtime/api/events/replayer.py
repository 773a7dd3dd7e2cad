"""Brings a subscriber up to date, from the event buffer or with a snapshot.

That work is done by the subscriber's own task, one chunk and one subscriber at a time, so that many
subscribers at once hardly delay the others or the writer.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from realtime.api.documents.timestamps import format_millis
from realtime.api.events.batch import CHUNK_BYTES, Batch, Chunk, EventFilter, make_chunk
from realtime.api.events.event_buffer import BufferedEvent, EventBuffer
from realtime.api.events.event_types import SNAPSHOT
from realtime.api.events.sse_encoder import Ready, Resync, SseEncoder, encode_event
from realtime.api.events.subscriber import Subscriber
from realtime.core.model import AccountLabel
from realtime.store.store import Store

EVENTS_PER_STEP = 1000
"""Events that a subscriber which is behind receives in one step."""

MAX_ID_DIGITS = 18
"""A longer number is not one of our ids."""


class Replayer:
    """One for each broadcaster. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        buffer: EventBuffer,
        encoder: SseEncoder,
        clock: Callable[[], float],
        *,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._store = store
        self._buffer = buffer
        self._encoder = encoder
        self._clock = clock
        self._chunk_bytes = chunk_bytes
        self._lock = asyncio.Lock()

    def resume(self, subscriber: Subscriber, last_event_id: str | None) -> str | None:
        """Set the position at which a subscriber resumes; None if it can. Otherwise the reason for
        a snapshot: empty without an id."""
        if not last_event_id:
            return ""
        run, _, number = last_event_id.rpartition("-")
        if run != self._store.boot + subscriber.filter.id_suffix:
            is_this_run = run.partition(".")[0] == self._store.boot
            return "other_choice" if is_this_run else "other_run"
        if not (number.isascii() and number.isdigit() and len(number) < MAX_ID_DIGITS):
            return "unknown_id"
        subscriber.position = int(number)
        if subscriber.position > self._buffer.head:
            return "unknown_id"
        return None if self._buffer.has_all_after(subscriber.position) else "too_old"

    async def catch_up(self, subscriber: Subscriber, step: int = EVENTS_PER_STEP) -> bool:
        """Send all events up to now; False if some were no longer in the buffer.

        Later events are left to the broadcaster: on a busy day there is no end to wait for.
        """
        end = self._buffer.head
        while subscriber.position < end:
            if not self._buffer.has_all_after(subscriber.position):
                return False
            missed = self._buffer.get_after(subscriber.position, step)
            await self._send(subscriber, self.make_batch(missed).chunks(subscriber.filter))
            subscriber.position = missed[-1].seq
        return True

    async def send_snapshot(self, subscriber: Subscriber, reason: str) -> None:
        """Send the state of all accounts, the events since it began, and `ready`.

        Nothing in it has an id: a client that is disconnected in the middle starts again.
        """
        if reason:
            resync = Resync(as_of=format_millis(self._clock()), reason=reason)
            data = b"id:\n" + encode_event("resync", resync)
            subscriber.write(make_chunk(subscriber.position, data))
        position, sent_at = self._buffer.head, dict[AccountLabel, int]()
        await self._send(subscriber, self._states(subscriber.filter, position, sent_at))
        end = self._buffer.head
        while position < end:
            if not self._buffer.has_all_after(position):
                subscriber.position = position
                return
            events = self._buffer.get_after(position, EVENTS_PER_STEP)
            position = events[-1].seq
            newer = [event for event in events if event.seq > sent_at.get(event.label, 0)]
            await self._send(
                subscriber, self.make_batch(newer).chunks(subscriber.filter, with_ids=False)
            )
        subscriber.position = position
        self.send_ready(subscriber, is_resumed=False)

    def send_ready(self, subscriber: Subscriber, *, is_resumed: bool) -> None:
        """Send `ready`: the events from here on are new."""
        accounts = sum(1 for label in self._store.records if subscriber.filter.has_account(label))
        ready = Ready(
            as_of=format_millis(self._clock()),
            boot=self._store.boot,
            accounts=accounts,
            resumed=is_resumed,
        )
        event_id = self._encoder.encode_id(subscriber.filter.id_suffix, subscriber.position)
        subscriber.write(make_chunk(subscriber.position, event_id + encode_event("ready", ready)))

    async def send_rows(self, subscriber: Subscriber, labels: Iterable[AccountLabel]) -> None:
        """Send the current rows of some accounts, without an id."""
        bodies = [self._encoder.encode_state(label, "row") for label in labels]
        await self._send(subscriber, iter([make_chunk(subscriber.position, b"".join(bodies))]))

    def make_batch(self, events: Sequence[BufferedEvent]) -> Batch:
        """Events in a row, in chunks of the configured size."""
        return Batch(events, self._encoder, chunk_bytes=self._chunk_bytes)

    def _states(
        self, event_filter: EventFilter, position: int, sent_at: dict[AccountLabel, int]
    ) -> Iterator[Chunk]:
        """The state of every selected account; stores in `sent_at` the event number of each."""
        kinds = [kind for kind in SNAPSHOT if kind in event_filter.kinds]
        parts: list[bytes] = []
        size = 0
        for label in [label for label in self._store.records if event_filter.has_account(label)]:
            sent_at[label] = self._buffer.head
            bodies = [self._encoder.encode_state(label, kind) for kind in kinds]
            parts += bodies
            size += sum(map(len, bodies))
            if size >= self._chunk_bytes:
                yield make_chunk(position, b"".join(parts))
                parts.clear()
                size = 0
        if size:
            yield make_chunk(position, b"".join(parts))

    async def _send(self, subscriber: Subscriber, chunks: Iterator[Chunk]) -> None:
        """Write chunk by chunk, each after the last was sent, for one subscriber at a time."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._lock:
                subscriber.check()  # it may have left while it waited for the lock
                started_at = loop.time()
                chunk = next(chunks, None)
                if chunk is None:
                    return
                subscriber.write(chunk)
                await asyncio.sleep(2 * (loop.time() - started_at))
            await subscriber.wait_for_drain()
