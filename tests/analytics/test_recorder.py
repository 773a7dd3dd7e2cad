"""What is noted of a fleet, and what is not."""

import asyncio

from msgspec import structs

from realtime.analytics.recorder import Recorder
from realtime.core.model import AccountLabel
from realtime.store.store import Store
from tests import virtual
from tests.api.documents.made import ACCOUNT, LIVE, LOST, NOW, fleet, state_of
from tests.api.reader import Clock

ALPHA, BRAVO, DELTA = (AccountLabel(name) for name in ("alpha", "bravo", "delta"))
WINDOW = int(NOW) - int(NOW) % 15


def trade(store: Store, label: AccountLabel, equity: str, now: float) -> None:
    account = structs.replace(ACCOUNT, equity=equity)
    store.update(label, now=now, state=structs.replace(state_of(), account=account))


async def test_figures_are_exact_and_stale_ones_are_not_noted() -> None:
    """Alpha and delta are live, bravo is cut, the others were never read and will not be."""
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    await recorder.note()
    assert recorder.account(ALPHA) == [(WINDOW, 100_281_400_000)]
    assert recorder.account(BRAVO) == []
    assert recorder.whole() == [(WINDOW, (100_281_400_000 * 2) + 9_000_000_000)]
    assert recorder.part([ALPHA, DELTA]) == [(WINDOW, 109_281_400_000)]


async def test_an_outage_is_a_hole_in_the_curve() -> None:
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    for link in (LIVE, LOST, LOST, LIVE):
        store.update(ALPHA, now=clock(), link=link)
        await recorder.note()
        clock.now += 15
    assert [at - WINDOW for at, _ in recorder.account(ALPHA)] == [0, 45]
    assert len(recorder.whole()) == 4


async def test_the_fleet_begins_when_all_were_tried() -> None:
    """Or the second account's equity would look like a profit."""
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    store.update(AccountLabel("charlie"), now=NOW, link=structs.replace(LIVE, state="connecting"))
    await recorder.note()
    assert recorder.whole() == []
    trade(store, AccountLabel("charlie"), "1", NOW)
    await recorder.note()
    assert len(recorder.whole()) == 1


async def test_strange_figures_and_accounts_that_left_are_forgotten() -> None:
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    trade(store, ALPHA, "9" * 29, NOW)
    trade(store, DELTA, "", NOW)
    await recorder.note()
    assert recorder.account(ALPHA) == recorder.account(DELTA) == []
    trade(store, ALPHA, "1.5", NOW)
    await recorder.note()
    store.remove(ALPHA)
    await recorder.note()
    assert recorder.account(ALPHA) == []


def test_it_notes_every_quarter_of_a_minute() -> None:
    async def scene() -> None:
        recorder = Recorder(fleet(), virtual.wall_clock)
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(62)
        task.cancel()
        begins = [at for at, _ in recorder.account(ALPHA)]
        assert [each - begins[0] for each in begins] == [0, 15, 30, 45]

    virtual.run(scene)
