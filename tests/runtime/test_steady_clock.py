"""The clock that drifts towards the machine's and never leaps."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.runtime.steady_clock import SLEW, SteadyClock

STEPS = st.lists(st.tuples(st.floats(0, 100), st.floats(-1000, 1000)), max_size=40)


class Machine:
    """Two clocks that a test moves."""

    def __init__(self) -> None:
        self.wall = 1000.0
        self.monotonic = 5.0

    def clock(self) -> SteadyClock:
        """A clock that reads these two."""
        return SteadyClock(lambda: self.wall, lambda: self.monotonic)

    def move(self, passed: float, jump: float = 0.0) -> None:
        """Let time pass, and the wall clock jump beside."""
        self.monotonic += passed
        self.wall += passed + jump


def test_it_shows_the_machines_time_while_that_is_steady() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.move(12.5)
    assert clock() == 1012.5


def test_a_jump_is_taken_in_slowly() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.move(10, jump=-3600)
    assert clock() == 1010 - 10 * SLEW
    machine.move(3600 / SLEW)
    assert abs(clock() - machine.wall) < 1e-6


@given(STEPS)
def test_it_never_runs_backwards_nor_faster_than_promised(
    steps: list[tuple[float, float]],
) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    for passed, jump in steps:
        machine.move(passed, jump)
        now = clock()
        slack = 1e-6
        assert passed * (1 - SLEW) - slack <= now - before <= passed * (1 + SLEW) + slack
        before = now
