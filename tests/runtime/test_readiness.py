"""The start is over when every enabled account has been tried."""

import asyncio

from msgspec import structs

from realtime.core.link import Link, LinkState
from realtime.core.model import AccountLabel
from realtime.runtime.readiness import Readiness, take_stock, until_ready
from realtime.store.store import Profile, Store

A, B, C = map(AccountLabel, "abc")


def store_of(**states: LinkState) -> Store:
    store = Store(boot="test")
    for label, state in states.items():
        store.add(Profile(label=AccountLabel(label)), now=0.0, link=Link(state=state))
    return store


def enter(store: Store, label: AccountLabel, state: LinkState) -> None:
    record = store.get(label)
    assert record is not None
    store.update(label, now=1.0, link=structs.replace(record.link, state=state))


async def test_ready_when_the_last_has_been_tried() -> None:
    """Each account counts once, however often it changes."""
    store = store_of(a="starting", b="starting", c="disabled")
    told: list[int] = []
    waiting = asyncio.create_task(until_ready(store, told.append))
    await asyncio.sleep(0)
    enter(store, A, "connecting")
    enter(store, A, "synced")
    enter(store, A, "waiting")
    await asyncio.sleep(0)
    assert not waiting.done()
    enter(store, B, "refused")
    ready = await waiting
    assert ready == Readiness(enabled=2, synced=0, refused=1, waiting=1)
    assert told == [0, 1, 2]


async def test_ready_at_once() -> None:
    """Nothing to wait for: no account is enabled, or all were tried before anybody looked."""
    told: list[int] = []
    assert (await until_ready(store_of(a="disabled"), told.append)).enabled == 0
    assert (await until_ready(store_of(a="synced", b="waiting"), told.append)).synced == 1
    assert told == [0, 2]


async def test_nobody_is_left_subscribed() -> None:
    """Also when the wait is given up."""
    store = store_of(a="starting")
    waiting = asyncio.create_task(until_ready(store, lambda _: None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert store._subscribers == []


def test_the_counts_as_a_sentence() -> None:
    stock = take_stock(store_of(a="synced", b="synced", c="disabled"))
    assert str(stock) == "2 synced"
    assert str(take_stock(store_of(a="synced", b="syncing", c="refused"))) == (
        "1 synced, 1 waiting, 1 refused"
    )
