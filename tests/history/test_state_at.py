"""`state_at` gives what was visible at a moment, to the event."""

import random
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from realtime.core.extended import extend
from realtime.core.link import Link
from realtime.core.model import AccountLabel
from realtime.history.exact import US, epoch_us
from realtime.history.fleet_at import fleet_at
from realtime.history.queries import equity
from realtime.history.reading import FileReader, NoHistory
from realtime.history.state_at import earliest, state_at
from tests.api.documents.made import BOOKS, order, put
from tests.history.scene import Recording, Small, play, trade
from tests.seeds import seeds


@pytest.mark.parametrize("seed", seeds(1, 4))
def test_orders_and_quantities_of_any_moment(tmp_path: Path, seed: int) -> None:
    """At every moment something changed, and just before it; bit for bit in orders."""
    rng = random.Random(seed)

    async def act(recording: Recording) -> None:
        await trade(recording, 90.0, rng)
        recording.writer.write()
        for label, seen in recording.seen.items():
            moments = {at_us: record for at_us, record in seen if record.has_data}
            assert len(moments) > 50
            for at_us in rng.sample(sorted(moments), 40):
                past, record = state_at(recording.reader, label, at_us), moments[at_us]
                assert past.state.orders == record.state.orders
                assert past.state.parents == {
                    leg: parent
                    for leg, parent in record.state.parents.items()
                    if leg in record.state.orders
                }
                assert {s: p.qty for s, p in past.state.positions.items()} == {
                    s: p.qty for s, p in record.state.positions.items()
                }
                assert past.link == record.link
                assert past.gap is None

    play(tmp_path, act, seed=seed)


def test_before_the_first_record_there_is_nothing(tmp_path: Path) -> None:
    async def act(recording: Recording) -> None:
        await trade(recording, 5.0, random.Random(1))
        recording.writer.write()
        first = earliest(recording.reader, "alpha")
        assert first is not None
        with pytest.raises(NoHistory) as caught:
            state_at(recording.reader, "alpha", first - 1)
        assert caught.value.earliest_us == first
        with pytest.raises(NoHistory):
            state_at(recording.reader, "nobody", first + 1)

    play(tmp_path, act)


def test_fields_that_only_the_broker_knows_are_part_of_the_past(tmp_path: Path) -> None:
    """Byte for byte, in the first body of an order, in a change, and in a snapshot."""
    small = Small(tmp_path)
    moments = []
    for number, extra in enumerate((b'{"tax_lot": {"n": 1.50}}', b'{"tax_lot": [2.50], "x": 1e2}')):
        small.clock.now += 1
        raw = msgspec.json.encode(order(950))[:-1] + b"," + extra[1:]
        status = "new" if number == 0 else "accepted"
        known = structs.replace(order(950), status=status)
        record = small.store.get("alpha")
        assert record is not None
        state = structs.replace(
            record.state, orders={**record.state.orders, known.id: extend(known, raw)}
        )
        small.store.update(AccountLabel("alpha"), now=small.clock.now, state=state)
        small.writer.write()
        moments.append(epoch_us(small.clock.now))
    small.clock.now += 86_400
    small.touch("alpha", 951)
    small.writer.write()
    moments.append(epoch_us(small.clock.now))
    bodies = [
        msgspec.json.encode(
            state_at(FileReader(small.directory), "alpha", at_us).state.orders[order(950).id]
        )
        for at_us in moments
    ]
    assert b'"tax_lot":{"n": 1.50}' in bodies[0]
    assert b'"tax_lot":[2.50],"x":1e2' in bodies[1]
    assert bodies[2] == bodies[1]
    assert small.writer.status.lost == {}


def test_an_account_that_was_removed_is_not_shown_after_it(tmp_path: Path) -> None:
    """Until the label is the one of an account that was read, which may be another."""
    small = Small(tmp_path)
    small.writer.write()
    small.clock.now += 60
    small.writer.write()
    before = epoch_us(small.clock.now)
    small.clock.now += 10
    small.store.remove(AccountLabel("alpha"))
    small.writer.write()
    removed = epoch_us(small.clock.now)
    small.clock.now += 10
    assert BOOKS.account is not None
    other = structs.replace(BOOKS.account, id="0ther", account_number="PA0EXAMPLE99", equity="5")
    put(small.store, "alpha", Link(state="starting", since=small.clock.now))
    small.writer.write()
    added = epoch_us(small.clock.now)
    small.clock.now += 70
    small.store.update(
        AccountLabel("alpha"), now=small.clock.now, state=structs.replace(BOOKS, account=other)
    )
    for _ in range(2):
        small.clock.now += 60
        small.writer.write()
    reader = FileReader(small.directory)
    assert state_at(reader, "alpha", before).state.orders == BOOKS.orders
    for at_us in (removed, added):
        with pytest.raises(NoHistory):
            state_at(reader, "alpha", at_us)
    now_us = epoch_us(small.clock.now)
    past = state_at(reader, "alpha", now_us)
    assert past.state.account is not None
    assert past.state.account.account_number == "PA0EXAMPLE99"
    curve = equity(reader, "alpha", before - 60 * US, now_us, "1Min")
    assert [point.equity for point in curve.points] == ["5", "5"]
    assert fleet_at(reader, now_us)["alpha"].equity == "5"
