"""`state_at` gives what was visible at a moment, to the event."""

import random
from pathlib import Path

import pytest

from realtime.history.reading import NoHistory
from realtime.history.state_at import earliest, state_at
from tests.history.scene import Recording, play, trade


@pytest.mark.parametrize("seed", range(4))
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
