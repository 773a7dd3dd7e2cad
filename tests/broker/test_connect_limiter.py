"""The farm connects a few at once, spaced, at the pace that the broker bears; in virtual time."""

import asyncio
from itertools import pairwise

import pytest

from realtime.broker.connect_limiter import SPACING_MAX_S, SPACING_MIN_S, ConnectLimiter, Outcome
from tests.virtual import run


class Crowd:
    """Attempts to connect, and what was seen of them."""

    def __init__(self, gate: ConnectLimiter, *, takes_s: float) -> None:
        self.gate = gate
        self.takes_s = takes_s
        self.started: list[tuple[float, int]] = []
        self.inside = 0
        self.most_inside = 0

    async def attempt(self, number: int) -> None:
        async with self.gate.pass_():
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
            self.started.append((asyncio.get_running_loop().time(), number))
            await asyncio.sleep(self.takes_s)
            self.inside -= 1

    async def run(self, count: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(self.attempt(number))


def test_width_and_order() -> None:
    """At most `width` are inside, and they go in the order they came."""

    async def main() -> Crowd:
        crowd = Crowd(ConnectLimiter(20), takes_s=0.3)
        await crowd.run(200)
        return crowd

    crowd = run(main)
    assert crowd.most_inside == 20
    assert [number for _, number in crowd.started] == list(range(200))
    assert crowd.started[-1][0] == pytest.approx(2.7, abs=0.3)


def test_a_thousand_are_spread() -> None:
    """A thousand quick handshakes take two seconds, not one moment."""

    async def main() -> Crowd:
        crowd = Crowd(ConnectLimiter(1000), takes_s=0.001)
        await crowd.run(1000)
        return crowd

    crowd = run(main)
    gaps = [b - a for (a, _), (b, _) in pairwise(crowd.started)]
    assert min(gaps) == pytest.approx(SPACING_MIN_S)
    assert crowd.started[-1][0] - crowd.started[0][0] == pytest.approx(2, abs=0.1)


def test_the_first_does_not_wait() -> None:
    async def main() -> float:
        start = asyncio.get_running_loop().time()
        async with ConnectLimiter().pass_():
            return asyncio.get_running_loop().time() - start

    assert run(main) == 0


@pytest.mark.parametrize("outcome", ["failed", "rate_limited"])
def test_slower_then_fast_again(outcome: Outcome) -> None:
    """Failures slow the farm down to a bound; a few successes make it fast again."""
    gate = ConnectLimiter()
    before = gate.spacing_s
    gate.report(outcome)
    assert gate.spacing_s > before
    for _ in range(1000):
        gate.report(outcome)
    assert gate.spacing_s == SPACING_MAX_S
    for _ in range(8):
        gate.report("ok")
    assert gate.spacing_s == SPACING_MIN_S


def test_spacing_is_kept() -> None:
    """What was learned spaces the next starts."""

    async def main() -> Crowd:
        gate = ConnectLimiter()
        for _ in range(100):
            gate.report("rate_limited")
        crowd = Crowd(gate, takes_s=0)
        await crowd.run(4)
        return crowd

    times = [at for at, _ in run(main).started]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([SPACING_MAX_S] * 3)


def test_cancelled_while_waiting() -> None:
    """Whoever gives up at the gate takes no place with it, wherever it stood."""

    async def main() -> Crowd:
        gate = ConnectLimiter(2)
        for _ in range(100):
            gate.report("rate_limited")
        crowd = Crowd(gate, takes_s=5)
        for pause_s in (0.0, 0.1, 0.3, 0.6, 1.1):
            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(crowd.attempt(n)) for n in range(5)]
                await asyncio.sleep(pause_s)
                for task in waiting:
                    task.cancel()
        crowd = Crowd(gate, takes_s=5)
        await crowd.run(4)
        return crowd

    crowd = run(main)
    assert crowd.most_inside == 2
    assert len(crowd.started) == 4


def test_a_failing_attempt_frees_its_place() -> None:
    async def main() -> None:
        gate = ConnectLimiter(1)
        for _ in range(3):
            with pytest.raises(OSError, match="gone"):
                async with gate.pass_():
                    raise OSError("gone")

    run(main)
