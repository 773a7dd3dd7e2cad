"""What the schedules are made of."""

from collections import Counter

from realtime.simulator.faults.catalogue import FAULT_TYPES as CATALOGUE
from realtime.simulator.faults.catalogue import parse_fault
from tests.world.acts import SIMULATED_WORDS
from tests.world.kinds import KINDS, SIMULATED
from tests.world.schedule import draw

LEFT_OUT = {"accepted_but_504", "msgpack", "after_unauthorized", "changed_fields"}
"""About orders that are placed, frames that are asked for, sockets that are kept after a refusal:
the daemon of these worlds does none of it."""


def test_every_fault_of_the_simulator_takes_part() -> None:
    assert set(CATALOGUE) - SIMULATED_WORDS == LEFT_OUT


def test_two_hundred_seeds_draw_everything() -> None:
    drawn = Counter(act.what for seed in range(200) for act in draw(seed).acts)
    assert set(drawn) == set(KINDS)


def test_what_is_drawn_can_be_switched_on() -> None:
    for seed in range(200):
        for act in draw(seed).acts:
            if act.what in SIMULATED_WORDS:
                parse_fault({"kind": act.what, "account": act.account, **act.details})
    assert len(SIMULATED) > 20


def test_nothing_happens_to_the_spared() -> None:
    spared = [draw(seed) for seed in range(200) if draw(seed).spared is not None]
    assert len(spared) > 30
    for schedule in spared:
        assert schedule.spared not in {act.account for act in schedule.acts}
        assert None not in {act.account for act in schedule.acts}
