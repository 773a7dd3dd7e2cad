"""Sends the accounts of this daemon to fronts: a snapshot of each, then every change.

The writer of the store only appends a change to a list. Frames are encoded 2 ms later, all at
once, and written to every front in one piece. A front that does not read is cut off and resumes; it
never delays the owner, nor another front.

Without a front nothing is encoded: changes are counted only.
"""

import asyncio
from collections.abc import Callable

from aiohttp import web
from msgspec import Struct, structs

from realtime.cluster.feed_buffer import FeedBuffer
from realtime.cluster.frames import FORMAT, Beat, Handed, Hello, encode_frame
from realtime.cluster.record_changes import make_change, make_snapshot
from realtime.core.model import AccountLabel
from realtime.store.records import Change, Record
from realtime.store.store import Store
from realtime.telemetry.log import get_logger

log = get_logger()

FEED_PATH = "/cluster/feed"
CONTENT_TYPE = "application/vnd.realtime.feed"

DELAY_S = 0.002
"""Changes wait this long for others, to leave in one write."""

MAX_SLICE_S = 0.001
"""The longest time that frames are encoded at once."""

BEAT_INTERVAL_S = 0.5

MAX_FRONTS = 64

MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Unsent bytes before a front is cut off: most of a second at 5000 changes per second."""

CHUNK_BYTES = 256 * 1024
READ_TIMEOUT_S = 10.0
"""A joining front that has not read a piece of this size by then is cut off."""

IDLE_S = 60.0
"""Frames are kept for this long after the last front has left, so that it can resume."""


class FeedIdentity(Struct, frozen=True, kw_only=True):
    """What an owner says of itself; see `Hello`."""

    fleet: str
    member: str
    version: str
    url: str | None = None


class FeedCounts(Struct):
    """What happened since the start."""

    frames: int = 0
    bytes: int = 0
    """Sent, over all fronts."""
    joined: int = 0
    """Connections that began with snapshots."""
    resumed: int = 0
    cut: int = 0
    """Fronts that were cut off because they did not read."""


class _Front:
    """A connection of a front."""

    def __init__(self, request: web.Request, transport: asyncio.Transport) -> None:
        self.address = request.remote or ""
        self._request = request
        self._transport = transport
        self.closed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        return not self._transport.is_closing()

    def has_room(self) -> bool:
        return self._transport.get_write_buffer_size() < MAX_UNSENT_BYTES

    def write(self, data: bytes) -> None:
        """Write a chunk of HTTP/1.1 (RFC 9112 section 7.1); it waits in the transport's buffer."""
        self._transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def wait_for_drain(self) -> None:
        """Wait until the front has read nearly everything. Raises `TimeoutError`."""
        async with asyncio.timeout(READ_TIMEOUT_S):
            await self._request.protocol._drain_helper()
        if not self.is_open:
            raise ConnectionResetError("the front has disconnected")

    def cut(self) -> None:
        self._transport.abort()
        self.closed.set()


class FeedServer:
    """One for each daemon that has accounts. `clock` gives epoch seconds."""

    def __init__(
        self,
        store: Store,
        identity: FeedIdentity,
        *,
        clock: Callable[[], float],
        get_epoch: Callable[[AccountLabel], int] = lambda label: 0,
        get_lease: Callable[[], tuple[float, bool] | None] = lambda: None,
        buffer: FeedBuffer | None = None,
    ) -> None:
        self._store = store
        self._identity = identity
        self._clock = clock
        self._get_epoch = get_epoch
        self._get_lease = get_lease
        """For how long this daemon may rely on its lease, and whether the engine answers; None:
        there is no engine."""
        self._buffer = FeedBuffer() if buffer is None else buffer
        self.counts = FeedCounts()
        self._changes: list[Change | Handed] = []
        """Not encoded yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._fronts: set[_Front] = set()
        self._synced: set[_Front] = set()
        self._written = 0
        """The number of the last frame that was written to the synced fronts."""
        self._left_at: float | None = None
        self._is_active = False
        self._messages: dict[AccountLabel, float] = {}
        """When each stream last delivered a frame, as of the last beat."""
        store.subscribe(self._handle_change)

    @property
    def fronts(self) -> int:
        """The number of connected fronts."""
        return len(self._fronts)

    @property
    def head(self) -> int:
        """The number of the newest change."""
        return self._buffer.head + len(self._changes)

    def hand_over(self, label: AccountLabel, *, owner: str, epoch: int) -> None:
        """Send the last frame of an account: another member owns it now."""
        self._add(Handed(label=label, n=0, owner=owner, epoch=epoch))

    def _handle_change(self, change: Change) -> None:
        """Called by the store with every change; the writer waits for it."""
        if change.after is not None and change.after.owner is not None:
            return  # of another daemon: that one sends it
        if change.after is None and change.before is not None and change.before.owner is not None:
            return
        self._add(change)

    def _add(self, change: Change | Handed) -> None:
        if not self._is_active:
            self._buffer.skip()
            return
        self._changes.append(change)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(DELAY_S, self._flush)

    def _flush(self, max_s: float = MAX_SLICE_S) -> None:
        """Encode changes, for `max_s` at most, and write the frames to the synced fronts."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        end, done = loop.time() + max_s, 0
        for change in self._changes:
            self._encode(change)
            done += 1
            if done % 16 == 0 and loop.time() >= end:
                break
        del self._changes[:done]
        if self._changes:
            self._timer = loop.call_later(0, self._flush)
        self._write()

    def _encode(self, change: Change | Handed) -> None:
        n = self._buffer.head + 1
        try:
            if isinstance(change, Handed):
                frame = encode_frame(structs.replace(change, n=n))
            else:
                epoch = self._get_epoch(change.label)
                frame = encode_frame(make_change(_without_other_owner(change), epoch=epoch, n=n))
        except Exception:  # a bug: the fronts get snapshots, and the owner goes on
            log.exception("feed.failed", account=change.label)
            self._buffer.skip()
            for front in list(self._fronts):
                front.cut()
            return
        self._buffer.append(frame)

    def _write(self) -> None:
        """Write the frames that are new to the synced fronts."""
        if not self._synced or self._written == self._buffer.head:
            self._written = self._buffer.head
            return
        if not self._buffer.has_all_after(self._written):  # more than the buffer holds at once
            self._cut(self._synced)
        else:
            data, _ = self._buffer.get_after(self._written, MAX_UNSENT_BYTES * 8)
            frames = self._buffer.head - self._written
            self._write_to_synced(data, frames)
        self._written = self._buffer.head

    def _write_to_synced(self, data: bytes, frames: int) -> None:
        late = [front for front in self._synced if front.is_open and not front.has_room()]
        self._cut(late)
        for front in tuple(self._synced):
            if not front.is_open:
                front.closed.set()
                self._synced.discard(front)
                continue
            front.write(data)
            self.counts.frames += frames
            self.counts.bytes += len(data)

    def _cut(self, fronts: set[_Front] | list[_Front]) -> None:
        for front in tuple(fronts):
            self.counts.cut += 1
            log.warning("feed.front_cut", address=front.address)
            self._synced.discard(front)
            front.cut()

    async def run(self) -> None:
        """Send a beat every half second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(BEAT_INTERVAL_S)
            if self._synced:
                self._flush()
                if not self._changes:
                    self._write_to_synced(encode_frame(self._make_beat()), 1)
            if self._fronts or not self._is_active:
                self._left_at = None
            elif self._left_at is None:
                self._left_at = loop.time()
            elif loop.time() - self._left_at > IDLE_S:
                self._deactivate()

    def _make_beat(self) -> Beat:
        messages = {
            record.profile.label: record.last_message_at
            for record in self._store
            if record.owner is None and record.last_message_at is not None
        }
        changed = {label: at for label, at in messages.items() if self._messages.get(label) != at}
        self._messages = messages
        lease = self._get_lease()
        return Beat(
            n=self._buffer.head,
            at=self._clock(),
            lease_s=None if lease is None else round(lease[0], 3),
            is_engine_reachable=None if lease is None else lease[1],
            messages=changed,
        )

    def _deactivate(self) -> None:
        """Keep nothing any more: no front is there, nor will one resume."""
        self._is_active = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for _ in self._changes:
            self._buffer.skip()
        self._changes.clear()
        self._buffer.clear()

    def close(self) -> None:
        """End all connections."""
        for front in self._fronts:
            front.closed.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Send frames to a front until it leaves, or is cut off."""
        transport = request.transport
        if len(self._fronts) >= MAX_FRONTS or transport is None or request.version < (1, 1):
            return web.Response(status=503, text=f"at most {MAX_FRONTS} fronts, by HTTP/1.1\n")
        response = web.StreamResponse(
            headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        )
        response.force_close()
        front = _Front(request, transport)
        self._fronts.add(front)
        self._is_active = True
        try:
            await response.prepare(request)
            after = parse_position(request.query.get("from"), self._store.boot)
            # One write of the library's, since it may hold back the head until the first.
            await response.write(encode_frame(self._make_hello(after)))
            await self._bring_up_to_date(front, after)
            await front.closed.wait()
        except ConnectionError:
            pass  # the usual end
        except TimeoutError:
            self._cut([front])
        finally:
            self._fronts.discard(front)
            self._synced.discard(front)
            if front.is_open:
                front.cut()
        return response

    def _make_hello(self, after: int | None) -> Hello:
        self._flush(max_s=1.0)
        return Hello(
            format=FORMAT,
            fleet=self._identity.fleet,
            member=self._identity.member,
            run=self._store.boot,
            version=self._identity.version,
            url=self._identity.url,
            head=self._buffer.head,
            resumed=self._can_resume(after),
            epochs={
                record.profile.label: self._get_epoch(record.profile.label)
                for record in self._own_records()
            },
        )

    def _can_resume(self, after: int | None) -> bool:
        return after is not None and self._buffer.has_all_after(after)

    def _own_records(self) -> list[Record]:
        return [record for record in self._store if record.owner is None]

    async def _bring_up_to_date(self, front: _Front, after: int | None) -> None:
        """Send what the front lacks, then every new frame."""
        position = self._buffer.head
        if after is not None and self._can_resume(after):
            self.counts.resumed += 1
            position = after
        else:
            self.counts.joined += 1
            position = await self._send_snapshots(front, position)
        # Until nothing is left and nothing was awaited since: from here on `_write` sends it all.
        while position < self._buffer.head or self._changes:
            position = await self._send_after(front, position)
        self._write()
        front.write(encode_frame(Beat(n=self._buffer.head, at=self._clock())))
        self._synced.add(front)

    async def _send_snapshots(self, front: _Front, position: int) -> int:
        """Send all accounts, resting as long as it works; return the position after it."""
        loop = asyncio.get_running_loop()
        for label in [record.profile.label for record in self._own_records()]:
            started_at = loop.time()
            record = self._store.get(label)
            if record is None or record.owner is not None:
                continue
            self._flush(max_s=1.0)  # the snapshot has all changes: none may get its number later
            snapshot = make_snapshot(record, epoch=self._get_epoch(label), n=self._buffer.head)
            front.write(encode_frame(snapshot))
            worked_s = loop.time() - started_at
            if position < self._buffer.head:
                position = await self._send_after(front, position)
            await front.wait_for_drain()
            await asyncio.sleep(worked_s)
        return position

    async def _send_after(self, front: _Front, position: int) -> int:
        self._flush(max_s=1.0)
        if not self._buffer.has_all_after(position):
            raise TimeoutError  # it does not keep up
        data, position = self._buffer.get_after(position, CHUNK_BYTES)
        if data:
            front.write(data)
            await front.wait_for_drain()
        return position


def parse_position(text: str | None, run: str) -> int | None:
    """The number up to which a front has all frames of this run; None: it has none."""
    of_run, _, digits = (text or "").partition(":")
    if of_run != run or not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        return None
    return int(digits)


def _without_other_owner(change: Change) -> Change:
    """A change by which an account comes from another daemon is a new account to the fronts."""
    if change.before is None or change.before.owner is None:
        return change
    return Change(label=change.label, before=None, after=change.after)
