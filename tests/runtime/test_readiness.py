"""The start is over when every enabled account was tried."""

import asyncio

from msgspec import structs

from realtime.core.link import Link, LinkState
from realtime.core.model import AccountLabel
from realtime.runtime.readiness import Readiness, count_readiness, wait_until_ready
from realtime.store.records import Profile
from realtime.store.store import Store

A, B, C = map(AccountLabel, "abc")


def store_of(**states: LinkState) -> Store:
    store = Store(boot="test")
    for label, state in states.items():
        store.add(Profile(label=AccountLabel(label)), now=0.0, link=Link(state=state))
    return store


def set_state(store: Store, label: AccountLabel, state: LinkState) -> None:
    record = store.get(label)
    assert record is not None
    store.update(label, now=1.0, link=structs.replace(record.link, state=state))


async def test_ready_when_the_last_account_was_tried() -> None:
    """Each account counts once, however often it changes."""
    store = store_of(a="starting", b="starting", c="disabled")
    progress: list[int] = []
    waiting = asyncio.create_task(wait_until_ready(store, progress.append))
    await asyncio.sleep(0)
    set_state(store, A, "connecting")
    set_state(store, A, "synced")
    set_state(store, A, "waiting")
    await asyncio.sleep(0)
    assert not waiting.done()
    set_state(store, B, "refused")
    ready = await waiting
    assert ready == Readiness(enabled=2, synced=0, refused=1, waiting=1)
    assert progress == [0, 1, 2]


async def test_ready_immediately_without_untried_accounts() -> None:
    """No account is enabled, or all were tried before."""
    progress: list[int] = []
    assert (await wait_until_ready(store_of(a="disabled"), progress.append)).enabled == 0
    assert (await wait_until_ready(store_of(a="synced", b="waiting"), progress.append)).synced == 1
    assert progress == [0, 2]


async def test_subscription_ends_with_the_wait() -> None:
    """Also when the wait is cancelled."""
    store = store_of(a="starting")
    waiting = asyncio.create_task(wait_until_ready(store, lambda _: None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert store._subscribers == []


def test_counts_as_a_sentence() -> None:
    readiness = count_readiness(store_of(a="synced", b="synced", c="disabled"))
    assert str(readiness) == "2 synced"
    assert str(count_readiness(store_of(a="synced", b="syncing", c="refused"))) == (
        "1 synced, 1 waiting, 1 refused"
    )
