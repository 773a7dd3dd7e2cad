"""The clock drifts towards the machine's clock and never jumps."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.runtime.steady_clock import MAX_DRIFT, SteadyClock

STEPS = st.lists(st.tuples(st.floats(0, 100), st.floats(-1000, 1000)), max_size=40)


class Machine:
    """The wall clock and the monotonic clock, moved by a test."""

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


def test_clock_equals_a_steady_wall_clock() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.move(12.5)
    assert clock() == 1012.5


def test_a_jump_is_followed_slowly() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.move(10, jump=-3600)
    assert clock() == 1010 - 10 * MAX_DRIFT
    machine.move(3600 / MAX_DRIFT)
    assert abs(clock() - machine.wall) < 1e-6


@given(STEPS)
def test_clock_never_runs_backwards_and_drifts_within_its_bound(
    steps: list[tuple[float, float]],
) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock()
    for passed, jump in steps:
        machine.move(passed, jump)
        now = clock()
        slack = 1e-6
        assert passed * (1 - MAX_DRIFT) - slack <= now - before <= passed * (1 + MAX_DRIFT) + slack
        before = now
