"""The fleet connects a few at once, spaced, at the pace that the broker bears; in virtual time."""

import asyncio
from itertools import pairwise

import pytest

from realtime.broker.connect_limiter import MAX_SPACING_S, MIN_SPACING_S, ConnectLimiter, Outcome
from tests.virtual import run


class Crowd:
    """Attempts to connect, and what was seen of them."""

    def __init__(self, connect_limiter: ConnectLimiter, *, takes_s: float) -> None:
        self.connect_limiter = connect_limiter
        self.takes_s = takes_s
        self.started: list[tuple[float, int]] = []
        self.inside = 0
        self.most_inside = 0

    async def attempt(self, number: int) -> None:
        async with self.connect_limiter.slot():
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
        connection_limiter = Crowd(ConnectLimiter(20), takes_s=0.3)
        await connection_limiter.run(200)
        return connection_limiter

    connection_limiter = run(main)
    assert connection_limiter.most_inside == 20
    assert [number for _, number in connection_limiter.started] == list(range(200))
    assert connection_limiter.started[-1][0] == pytest.approx(2.7, abs=0.3)


def test_a_thousand_are_spread() -> None:
    """A thousand quick handshakes take two seconds, not one moment."""

    async def main() -> Crowd:
        connection_limiter = Crowd(ConnectLimiter(1000), takes_s=0.001)
        await connection_limiter.run(1000)
        return connection_limiter

    connection_limiter = run(main)
    gaps = [b - a for (a, _), (b, _) in pairwise(connection_limiter.started)]
    assert min(gaps) == pytest.approx(MIN_SPACING_S)
    assert connection_limiter.started[-1][0] - connection_limiter.started[0][0] == pytest.approx(
        2, abs=0.1
    )


def test_the_first_does_not_wait() -> None:
    async def main() -> float:
        start = asyncio.get_running_loop().time()
        async with ConnectLimiter().slot():
            return asyncio.get_running_loop().time() - start

    assert run(main) == 0


@pytest.mark.parametrize("outcome", ["failed", "rate_limited"])
def test_slower_then_fast_again(outcome: Outcome) -> None:
    """Failures slow the fleet down to a bound; a few successes make it fast again."""
    connect_limiter = ConnectLimiter()
    before = connect_limiter.spacing_s
    connect_limiter.report(outcome)
    assert connect_limiter.spacing_s > before
    for _ in range(1000):
        connect_limiter.report(outcome)
    assert connect_limiter.spacing_s == MAX_SPACING_S
    for _ in range(8):
        connect_limiter.report("ok")
    assert connect_limiter.spacing_s == MIN_SPACING_S


def test_spacing_is_kept() -> None:
    """What was learned spaces the next starts."""

    async def main() -> Crowd:
        connect_limiter = ConnectLimiter()
        for _ in range(100):
            connect_limiter.report("rate_limited")
        connection_limiter = Crowd(connect_limiter, takes_s=0)
        await connection_limiter.run(4)
        return connection_limiter

    times = [at for at, _ in run(main).started]
    assert [b - a for a, b in pairwise(times)] == pytest.approx([MAX_SPACING_S] * 3)


def test_cancelled_while_waiting() -> None:
    """Whoever gives up at the gate takes no place with it, wherever it stood."""

    async def main() -> Crowd:
        connect_limiter = ConnectLimiter(2)
        for _ in range(100):
            connect_limiter.report("rate_limited")
        connection_limiter = Crowd(connect_limiter, takes_s=5)
        for pause_s in (0.0, 0.1, 0.3, 0.6, 1.1):
            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(connection_limiter.attempt(n)) for n in range(5)]
                await asyncio.sleep(pause_s)
                for task in waiting:
                    task.cancel()
        connection_limiter = Crowd(connect_limiter, takes_s=5)
        await connection_limiter.run(4)
        return connection_limiter

    connection_limiter = run(main)
    assert connection_limiter.most_inside == 2
    assert len(connection_limiter.started) == 4


def test_a_failing_attempt_frees_its_place() -> None:
    async def main() -> None:
        connect_limiter = ConnectLimiter(1)
        for _ in range(3):
            with pytest.raises(OSError, match="gone"):
                async with connect_limiter.slot():
                    raise OSError("gone")

    run(main)
