"""A fleet that trades all at once reads its money in turns; in virtual time."""

import asyncio
from itertools import pairwise

import pytest

from realtime.sync.refresh_limiter import AT_ONCE, PER_S, RefreshLimiter
from tests.virtual import run


def waited(count: int) -> list[tuple[float, int]]:
    """When each of so many that ask at once had its turn."""

    async def main() -> list[tuple[float, int]]:
        refresh_limiter, had = RefreshLimiter(), list[tuple[float, int]]()

        async def ask(number: int) -> None:
            await refresh_limiter.wait()
            had.append((asyncio.get_running_loop().time(), number))

        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(ask(number))
        return [(at - began, number) for at, number in had]

    return run(main)


def test_a_few_do_not_wait() -> None:
    assert waited(AT_ONCE)[-1][0] == 0


def test_a_thousand_have_their_turns_in_order_within_ten_seconds() -> None:
    had = waited(1000)
    assert [number for _, number in had] == list(range(1000))
    assert had[-1][0] == pytest.approx(1000 / PER_S, abs=0.3)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(had[AT_ONCE:])]
    assert min(gaps) == pytest.approx(1 / PER_S, abs=0.002)


def test_who_gives_up_waiting_holds_up_nobody() -> None:
    async def main() -> float:
        loop, refresh_limiter = asyncio.get_running_loop(), RefreshLimiter()
        tasks = [loop.create_task(refresh_limiter.wait()) for _ in range(100)]
        await asyncio.sleep(0.1)
        for task in tasks[:90]:
            task.cancel()
        began = loop.time()
        await asyncio.gather(*tasks[90:])
        return loop.time() - began

    assert run(main) < 0.2
