"""The demo's timetable fits the accounts, the time and the simulator."""

from realtime.cli.demo.chaos import SHOW_S, TIMETABLE, acts
from realtime.simulator.faults.catalogue import parse_fault


def test_the_simulator_knows_every_fault() -> None:
    for act in TIMETABLE:
        for fault in act.faults:
            assert parse_fault({**fault, "account": "alpha"}).account == "alpha"


def test_the_timetable_is_in_order_and_fits_into_the_show() -> None:
    times = [act.at_s for act in TIMETABLE]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < SHOW_S


async def test_only_accounts_that_there_are() -> None:
    assert [act.account async for act in acts(["alpha", "bravo"], intervals=0)] == [0, 1]
    assert [act async for act in acts(["a", "b", "c", "d"], intervals=0)] == list(TIMETABLE)
