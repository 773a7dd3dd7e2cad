"""Whenever a connection breaks: the client's state at the end equals the store's."""

import asyncio
import random
from collections.abc import Callable

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.event_types import get_events
from realtime.api.listener import serve
from realtime.core.apply import apply
from realtime.core.link import Link
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import AccountState
from realtime.store.records import Change, Profile
from realtime.store.store import Store
from tests import virtual
from tests.api.documents.made import ACCOUNT, LIVE, LOST, NOW, order, position, state_of
from tests.api.events.listener import Mirror, Parser

LABELS = tuple(AccountLabel(name) for name in ("alpha", "bravo", "charlie"))
STATUSES = ("new", "partially_filled", "filled", "canceled")
ALL = "types=order,account,positions,link,row"


class Broker:
    """Changes a store as the daemon does, at random."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.changes: list[Change] = []
        store.subscribe(self.changes.append)
        self.rng = random.Random(seed)
        self.now = NOW
        self._updates = 0
        for label in LABELS:
            store.add(Profile(label=label), now=NOW)

    def act(self) -> None:
        """One change of one account."""
        self.now += 1
        label = self.rng.choice(LABELS)
        record = self.store.get(label)
        if record is None:
            self.store.add(Profile(label=label), now=self.now)
        elif not record.has_data:
            self._read(label, state_of([order(1)], [position("AAPL")]), LIVE)
        else:
            acts: list[Callable[[AccountLabel, AccountState], None]] = [
                self._hear, self._hear, self._hear, self._money, self._lose_and_recover,
                self._find, self._confirm, self._remove,
            ]  # fmt: skip
            self.rng.choices(acts, [3, 3, 3, 2, 1, 1, 1, 0.2])[0](label, record.state)

    def _update(self, label: AccountLabel) -> TradeUpdate:
        number = self.rng.randrange(6)
        told = order(
            number,
            status=self.rng.choice(STATUSES),
            updated_at=f"2026-10-06T15:00:{self.rng.randrange(60):02}.123456789Z"[:-4] + "Z",
        )
        if self.rng.random() < 0.2:
            told = structs.replace(told, legs=(order(100 + number),))
        self._updates += 1
        return TradeUpdate(event="new", order=told, event_id=str(self._updates))

    def _hear(self, label: AccountLabel, state: AccountState) -> None:
        update = self._update(label)
        applied = apply(state, update, self.now)
        self.store.update(label, now=self.now, state=applied.state, updates=(update,))

    def _money(self, label: AccountLabel, state: AccountState) -> None:
        equity = str(self.rng.randrange(100_000))
        positions = {p.symbol: p for p in (position("TSLA"), position("AAPL", qty=equity))}
        account = structs.replace(ACCOUNT, equity=equity)
        self.store.update(
            label,
            now=self.now,
            state=structs.replace(state, account=account, positions=positions),
            recovered=(),
        )

    def _lose_and_recover(self, label: AccountLabel, state: AccountState) -> None:
        record = self.store.records[label]
        if record.link.is_synced:
            self.store.update(label, now=self.now, link=LOST)
            return
        updates = tuple(self._update(label) for _ in range(self.rng.randrange(3)))
        for update in updates:
            state = apply(state, update, self.now).state
        self._read(label, self._found(state), structs.replace(LIVE, since=self.now), updates)

    def _find(self, label: AccountLabel, state: AccountState) -> None:
        self.store.update(label, now=self.now, state=self._found(state), recovered=())

    def _found(self, state: AccountState) -> AccountState:
        orders = dict(state.orders)
        for found in [order(self.rng.randrange(6)), order(self.rng.randrange(50, 60))]:
            orders[found.id] = found
        if self.rng.random() < 0.5:
            del orders[self.rng.choice(list(orders))]
        return structs.replace(state, orders=orders)

    def _confirm(self, label: AccountLabel, _: AccountState) -> None:
        self.store.record_confirmation(label, now=self.now)

    def _remove(self, label: AccountLabel, _: AccountState) -> None:
        self.store.remove(label)

    def _read(
        self,
        label: AccountLabel,
        state: AccountState,
        link: Link,
        updates: tuple[TradeUpdate, ...] = (),
    ) -> None:
        self.store.update(
            label, now=self.now, state=state, link=link, updates=updates, recovered=()
        )


class Listening:
    """A client that can be disconnected after any number of bytes and resumes with its last id."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.parser, self.mirror = Parser(), Mirror()
        self.resumed = self.resyncs = 0
        self._url, self._http = url, http

    async def read(self, max_bytes: int) -> None:
        """Connect, read so many bytes, be cut."""
        headers = {}
        if self.parser.last_id:
            headers["Last-Event-ID"] = self.parser.last_id
        else:
            self.mirror.forget()
        async with self._http.get(self._url, headers=headers) as answer:
            assert answer.status == 200
            while max_bytes > 0:
                data = await answer.content.read(min(max_bytes, 4096))
                max_bytes -= len(data)
                for event in self.parser.feed(data):
                    self.resyncs += event.name == "resync"
                    self.resumed += event.name == "ready" and event.data["resumed"]
                    self.mirror.apply(event)
            answer.close()
        self.parser.cut()

    async def read_all(self, settled: Callable[[str], bool]) -> None:
        """Connect, and read until settled."""
        async with asyncio.timeout(100):
            while not (self.mirror.is_complete and settled(self.parser.last_id)):
                with_limit = self.read(1 << 30)
                try:
                    async with asyncio.timeout(3):
                        await with_limit
                except TimeoutError:
                    self.parser.cut()


async def play(seed: int, steps: list[tuple[str, int]], buffer: int) -> Listening:
    """Apply changes and break connections according to `steps`; compare at the end."""
    store = Store(boot="b00t")
    log = EventBuffer(max_events=buffer)
    broadcaster = Broadcaster(store, lambda: NOW, buffer=log, heartbeat_s=1, chunk_bytes=600)
    broker = Broker(store, seed)
    app = build_application(
        store, Documents(), clock=lambda: NOW, version="1", started_at=NOW, broadcast=broadcaster
    )
    world = virtual.world(seed)
    async with (
        serve(app, "127.0.0.1", 8090) as port,
        aiohttp.ClientSession(connector=world.make_connector()) as http,
    ):
        listening = Listening(f"http://127.0.0.1:{port}/realtime/events?{ALL}", http)
        for what, number in steps:
            if what == "happens":
                for _ in range(number):
                    broker.act()
                    if number % 3 == 0:
                        await asyncio.sleep(0.001)
            else:
                reading = asyncio.create_task(listening.read(number))
                for _ in range(number % 40):
                    for _ in range(broker.rng.randrange(4)):
                        await asyncio.sleep(0)  # one turn of the loop: in mid-snapshot, perhaps
                    broker.act()
                await asyncio.wait([reading], timeout=2)
                reading.cancel()
                await asyncio.wait([reading])
                listening.parser.cut()
        await listening.read_all(lambda last_id: last_id == f"b00t-{log.head}")
        listening.mirror.compare(store)
    kinds = [each for change in broker.changes for each in get_events(change)]
    assert len(kinds) == log.head
    news = [told for _, told in kinds[listening.mirror.begins_at :]]
    heard = [told.event_id for told in news if isinstance(told, TradeUpdate)]
    assert listening.mirror.updates == heard
    assert buffer < len(kinds) or not listening.resyncs
    return listening


steps = st.lists(
    st.one_of(
        st.tuples(st.just("happens"), st.integers(1, 40)),
        st.tuples(st.just("read"), st.integers(1, 12_000) | st.integers(1, 100_000)),
    ),
    min_size=3,
    max_size=20,
)


@pytest.mark.slow
@given(st.integers(0, 1000), steps)
def test_nothing_is_lost_or_sent_twice(seed: int, steps: list[tuple[str, int]]) -> None:
    """With a buffer that holds everything no client ever gets a second snapshot."""
    virtual.run(lambda: play(seed, steps, 100_000))


@pytest.mark.slow
@given(st.integers(0, 1000), steps)
def test_small_buffer_costs_a_snapshot_and_nothing_else(
    seed: int, steps: list[tuple[str, int]]
) -> None:
    virtual.run(lambda: play(seed, steps, 8))


@pytest.mark.parametrize(("buffer", "resynced"), [(100_000, False), (8, True)])
def test_schedules_contain_resumes_and_snapshots(buffer: int, resynced: bool) -> None:
    """So the properties above test both."""
    steps = [("happens", 9), ("read", 30_000), ("happens", 40), ("read", 20_000), ("happens", 40)]
    listening = virtual.run(lambda: play(3, steps, buffer))
    assert bool(listening.resyncs) == resynced
    assert bool(listening.resumed) != resynced
