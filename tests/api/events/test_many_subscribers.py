"""Subscribers with different filters that come and go while others are being served."""

import asyncio
import random

import aiohttp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.api.app import build_application
from realtime.api.documents.documents import Documents
from realtime.api.events.broadcaster import Broadcaster
from realtime.api.events.event_buffer import EventBuffer
from realtime.api.events.event_types import get_events
from realtime.api.listener import serve
from realtime.core.model import AccountLabel, TradeUpdate
from realtime.core.state import AccountState
from realtime.store.store import Store
from tests import virtual
from tests.api.documents.made import NOW
from tests.api.events.test_resuming import Broker, Listening

CHOICES = ("", "?account_id=alpha", "?account_id=alpha,bravo&types=order", "?types=order,row", "")
PORT = 8090


class Steady(Broker):
    """Removes no account: a subscription to its label would be an error."""

    def _remove(self, label: AccountLabel, _: AccountState) -> None:
        self.store.record_confirmation(label, now=self.now)


class Hesitant(Broadcaster):
    """Between any two subscribers every other task may run."""

    async def _breathe(self) -> None:
        await asyncio.sleep(0.001)


class Follower(Listening):
    """Connects repeatedly, each time for a while."""

    def __init__(self, http: aiohttp.ClientSession, choice: str, seed: int) -> None:
        super().__init__(f"http://127.0.0.1:{PORT}/realtime/events{choice}", http)
        self._rng = random.Random(seed)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self.read(self._rng.choice([10, 500, 5_000, 50_000, 500_000]))


async def play(seed: int, acts: int, buffer: int) -> list[Follower]:
    """Apply changes while all follow; each must receive all that it selected once, in order."""
    store, log, rng = Store(boot="b00t"), EventBuffer(max_events=buffer), random.Random(seed)
    broadcaster = Hesitant(store, lambda: NOW, buffer=log, heartbeat_s=1, chunk_bytes=600)
    broker = Steady(store, seed)
    app = build_application(
        store, Documents(), clock=lambda: NOW, version="1", started_at=NOW, broadcast=broadcaster
    )
    async with (
        serve(app, "127.0.0.1", PORT),
        aiohttp.ClientSession(connector=virtual.world(seed).make_connector()) as http,
    ):
        followers = [Follower(http, choice, seed + n) for n, choice in enumerate(CHOICES)]
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(each.follow()) for each in followers]
            for _ in range(acts):
                for _ in range(rng.choice([0, 0, 1, 3, 20])):
                    await asyncio.sleep(0)
                broker.act()
                if rng.random() < 0.1:
                    await asyncio.sleep(0.01)
            for task in following:
                task.cancel()
        for follower in followers:
            follower.parser.cut()
            await follower.read_all(lambda last_id: last_id.endswith(f"-{log.head}"))
    kinds = [(change.label, told) for change in broker.changes for _, told in get_events(change)]
    for follower, choice in zip(followers, CHOICES, strict=True):
        news = kinds[follower.mirror.begins_at :]
        assert follower.mirror.updates == [
            told.event_id
            for label, told in news
            if isinstance(told, TradeUpdate) and ("account_id" not in choice or label in choice)
        ]
    return followers


few = settings(max_examples=max(1, settings().max_examples // 8))


@few
@example(45, 100)  # one joins between two choices
@given(st.integers(0, 100_000), st.integers(1, 200))
def test_every_subscriber_receives_every_event_once(seed: int, acts: int) -> None:
    followers = virtual.run(lambda: play(seed, acts, 100_000))
    assert not any(each.resyncs for each in followers)


@few
@given(st.integers(0, 100_000), st.integers(1, 200))
def test_every_subscriber_receives_every_event_once_with_a_small_buffer(
    seed: int, acts: int
) -> None:
    virtual.run(lambda: play(seed, acts, 20))
