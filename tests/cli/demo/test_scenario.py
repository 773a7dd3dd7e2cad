"""The demo's schedule fits the accounts, the time and the simulator."""

from realtime.cli.demo.scenario import SCENARIO_S, SCHEDULE, scheduled_faults
from realtime.simulator.faults.catalogue import parse_fault


def test_the_simulator_knows_every_fault() -> None:
    for step in SCHEDULE:
        for fault in step.faults:
            assert parse_fault({**fault, "account": "alpha"}).account == "alpha"


def test_the_schedule_is_in_order_and_fits_into_the_scenario() -> None:
    times = [step.at_s for step in SCHEDULE]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < SCENARIO_S


async def test_only_existing_accounts_get_faults() -> None:
    assert [step.account async for step in scheduled_faults(["alpha", "bravo"], scale=0)] == [0, 1]
    assert [step async for step in scheduled_faults(["a", "b", "c", "d"], scale=0)] == list(
        SCHEDULE
    )
