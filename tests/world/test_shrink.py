"""A failing schedule is shortened to what it takes."""

from msgspec import structs

from tests.world.history import Outcome
from tests.world.report import describe
from tests.world.schedule import Act, Schedule, draw
from tests.world.shrink import shrink


def schedule_of(count: int) -> Schedule:
    acts = tuple(Act(float(n), "cut", "alpha", {"number": n}) for n in range(count))
    return structs.replace(draw(1), acts=acts)


def live(schedule: Schedule) -> Outcome:
    """Fails of the acts 3 and 17 together; of act 5 alone it fails otherwise."""
    numbers = {act.details["number"] for act in schedule.acts}
    broken = "both" if {3, 17} <= numbers else "other" if 5 in numbers else None
    return Outcome(schedule=schedule, digest="", figures={}, broken=broken, details="why")


def test_only_what_it_takes_is_left() -> None:
    shrunk = shrink(live(schedule_of(20)), live)
    assert [act.details["number"] for act in shrunk.schedule.acts] == [3, 17]
    assert shrunk.broken == "both"


def test_what_takes_everything_is_left_alone() -> None:
    outcome = live(structs.replace(schedule_of(20), acts=schedule_of(20).acts[3:18:14]))
    assert shrink(outcome, live) == outcome


def test_the_report_tells_how_to_see_it_again() -> None:
    outcome = live(schedule_of(20))
    told = describe(outcome, shrink(outcome, live), "small")
    assert "scripts/simulate --seeds 1..2" in told
    assert "it still breaks with" in told
    assert told.count("cut number=3") == 2
