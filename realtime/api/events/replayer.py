"""Leads a reader to where it is live: from a snapshot, or from where it left off.

That work is done by the reader's own task, one chunk at a time and one reader at a time, so that
however many come at once, the others and the writer hardly notice.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from realtime.api.documents.timestamps import instant
from realtime.api.events.batch import CHUNK_BYTES, Batch, Chunk, EventFilter, chunk
from realtime.api.events.event_buffer import BufferedEvent, EventBuffer
from realtime.api.events.event_types import SNAPSHOT
from realtime.api.events.sse_encoder import Ready, Resync, SseEncoder, event
from realtime.api.events.subscriber import Subscriber
from realtime.core.model import AccountLabel
from realtime.store.store import Store

ENTRIES_AT_ONCE = 1000
"""Entries that a reader who is behind takes in one step."""

ID_DIGITS = 18
"""A longer number is none of ours."""


class Replayer:
    """One a broadcast. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        log: EventBuffer,
        frames: SseEncoder,
        clock: Callable[[], float],
        *,
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self._store = store
        self._log = log
        self._frames = frames
        self._clock = clock
        self._chunk_bytes = chunk_bytes
        self._turn = asyncio.Lock()

    def place(self, reader: Subscriber, last_event_id: str | None) -> str | None:
        """Place a reader where it left off. Gives why it cannot be; empty if it begins."""
        if not last_event_id:
            return ""
        told, _, number = last_event_id.rpartition("-")
        if told != self._store.boot + reader.choice.mark:
            is_ours = told.partition(".")[0] == self._store.boot
            return "other_choice" if is_ours else "other_run"
        if not (number.isascii() and number.isdigit() and len(number) < ID_DIGITS):
            return "unknown_id"
        reader.position = int(number)
        if reader.position > self._log.head:
            return "unknown_id"
        return None if self._log.holds(reader.position) else "too_old"

    async def catch_up(self, reader: Subscriber, at_once: int = ENTRIES_AT_ONCE) -> bool:
        """Write all that happened until now; whether it was still there.

        What happens meanwhile is left to the broadcast: a busy day has no end to wait for.
        """
        end = self._log.head
        while reader.position < end:
            if not self._log.holds(reader.position):
                return False
            missed = self._log.after(reader.position, at_once)
            await self._send(reader, self.batch(missed).chunks(reader.choice))
            reader.position = missed[-1].seq
        return True

    async def snapshot(self, reader: Subscriber, reason: str) -> None:
        """Write how everything stands, what happened meanwhile, and that this is all.

        Nothing of it has an id: who is cut in the middle begins anew.
        """
        if reason:
            resync = Resync(as_of=instant(self._clock()), reason=reason)
            reader.write(chunk(reader.position, b"id:\n" + event("resync", resync)))
        position, seen = self._log.head, dict[AccountLabel, int]()
        await self._send(reader, self._stands(reader.choice, position, seen))
        end = self._log.head
        while position < end:
            if not self._log.holds(position):
                reader.position = position
                return
            entries = self._log.after(position, ENTRIES_AT_ONCE)
            position = entries[-1].seq
            news = [entry for entry in entries if entry.seq > seen.get(entry.label, 0)]
            await self._send(reader, self.batch(news).chunks(reader.choice, with_ids=False))
        reader.position = position
        self.tell_ready(reader, is_resumed=False)

    def tell_ready(self, reader: Subscriber, *, is_resumed: bool) -> None:
        """Say that from here on it is news."""
        accounts = sum(1 for label in self._store.records if reader.choice.wants(label))
        ready = Ready(
            as_of=instant(self._clock()),
            boot=self._store.boot,
            accounts=accounts,
            resumed=is_resumed,
        )
        position = reader.position
        reader.write(
            chunk(
                position, self._frames.id_of(reader.choice.mark, position) + event("ready", ready)
            )
        )

    async def send_rows(self, reader: Subscriber, labels: Iterable[AccountLabel]) -> None:
        """Write the rows of some accounts as they are now, without an id."""
        bodies = [self._frames.state(label, "row") for label in labels]
        await self._send(reader, iter([chunk(reader.position, b"".join(bodies))]))

    def batch(self, entries: Sequence[BufferedEvent]) -> Batch:
        """Entries in a row, in chunks of the size that is used here."""
        return Batch(entries, self._frames, chunk_bytes=self._chunk_bytes)

    def _stands(
        self, choice: EventFilter, position: int, seen: dict[AccountLabel, int]
    ) -> Iterator[Chunk]:
        """How every chosen account stands; notes in `seen` as of which position."""
        kinds = [kind for kind in SNAPSHOT if kind in choice.kinds]
        parts: list[bytes] = []
        size = 0
        for label in [label for label in self._store.records if choice.wants(label)]:
            seen[label] = self._log.head
            bodies = [self._frames.state(label, kind) for kind in kinds]
            parts += bodies
            size += sum(map(len, bodies))
            if size >= self._chunk_bytes:
                yield chunk(position, b"".join(parts))
                parts.clear()
                size = 0
        if size:
            yield chunk(position, b"".join(parts))

    async def _send(self, reader: Subscriber, chunks: Iterator[Chunk]) -> None:
        """Write chunk by chunk, each when the last was read, and one reader's at a time."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._turn:
                reader.check()  # it may have left long before its turn came
                began = loop.time()
                each = next(chunks, None)
                if each is None:
                    return
                reader.write(each)
                await asyncio.sleep(2 * (loop.time() - began))
            await reader.drained()
