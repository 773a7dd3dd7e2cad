"""What is recorded of a fleet, and what is not."""

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


async def test_values_are_exact_and_stale_ones_are_not_recorded() -> None:
    """Alpha and delta are synced, bravo is lost, the others were never read and will not be."""
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    await recorder.record()
    assert recorder.get_account(ALPHA) == [(WINDOW, 100_281_400_000)]
    assert recorder.get_account(BRAVO) == []
    assert recorder.get_fleet() == [(WINDOW, (100_281_400_000 * 2) + 9_000_000_000)]
    assert recorder.get_sum([ALPHA, DELTA]) == [(WINDOW, 109_281_400_000)]


async def test_outage_is_a_gap_in_the_curve() -> None:
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    for link in (LIVE, LOST, LOST, LIVE):
        store.update(ALPHA, now=clock(), link=link)
        await recorder.record()
        clock.now += 15
    assert [at - WINDOW for at, _ in recorder.get_account(ALPHA)] == [0, 45]
    assert len(recorder.get_fleet()) == 4


async def test_fleet_curve_starts_when_every_account_was_tried() -> None:
    """Or the second account's equity would look like a profit."""
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    store.update(AccountLabel("charlie"), now=NOW, link=structs.replace(LIVE, state="connecting"))
    await recorder.record()
    assert recorder.get_fleet() == []
    trade(store, AccountLabel("charlie"), "1", NOW)
    await recorder.record()
    assert len(recorder.get_fleet()) == 1


async def test_invalid_values_and_removed_accounts_are_dropped() -> None:
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    trade(store, ALPHA, "9" * 29, NOW)
    trade(store, DELTA, "", NOW)
    await recorder.record()
    assert recorder.get_account(ALPHA) == recorder.get_account(DELTA) == []
    trade(store, ALPHA, "1.5", NOW)
    await recorder.record()
    store.remove(ALPHA)
    await recorder.record()
    assert recorder.get_account(ALPHA) == []


async def test_a_curve_ends_with_the_account_behind_its_label() -> None:
    """Also where the label is never absent: removed and added again between two points."""
    store, clock = fleet(), Clock()
    recorder = Recorder(store, clock)
    await recorder.record()
    assert recorder.get_account(ALPHA) != []
    profile = store.records[ALPHA].profile
    store.remove(ALPHA)
    store.add(profile, now=NOW, link=LIVE)
    assert recorder.get_account(ALPHA) == [], "nothing is known of the other account yet"
    other = structs.replace(ACCOUNT, id="another", equity="5")
    store.update(ALPHA, now=NOW, state=structs.replace(state_of(), account=other))
    assert recorder.get_account(ALPHA) == []
    clock.now += 15
    await recorder.record()
    assert recorder.get_account(ALPHA) == [(WINDOW + 15, 5_000_000)]


def test_equity_is_recorded_every_15_seconds() -> None:
    async def scene() -> None:
        recorder = Recorder(fleet(), virtual.wall_clock)
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(62)
        task.cancel()
        begins = [at for at, _ in recorder.get_account(ALPHA)]
        assert [each - begins[0] for each in begins] == [0, 15, 30, 45]

    virtual.run(scene)
