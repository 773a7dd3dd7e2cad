"""Equal requests become one."""

import asyncio

import pytest

from realtime.errors import LinkError
from realtime.market.rest.single_flight import SingleFlight


async def test_equal_requests_share_one_piece_of_work() -> None:
    calls = 0

    async def work() -> int:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        return calls

    async with asyncio.TaskGroup() as tasks:
        flights: SingleFlight[int] = SingleFlight(tasks)
        results = await asyncio.gather(*(flights.run("a", work) for _ in range(100)))
        assert (results, calls, flights.joined, len(flights)) == ([1] * 100, 1, 99, 0)
        assert await flights.run("a", work) == 2


async def test_work_under_several_keys_is_found_by_each() -> None:
    done = asyncio.Event()

    async def work() -> str:
        await done.wait()
        return "both"

    async with asyncio.TaskGroup() as tasks:
        flights: SingleFlight[str] = SingleFlight(tasks)
        flight = flights.start(["a", "b"], work)
        assert flights.find("a") is flights.find("b") is flight
        assert flights.find("c") is None
        done.set()
        assert await flight == "both"


async def test_a_client_that_leaves_does_not_end_the_work_of_others() -> None:
    started, done = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        started.set()
        await done.wait()
        return "value"

    async with asyncio.TaskGroup() as tasks:
        flights: SingleFlight[str] = SingleFlight(tasks)
        first = asyncio.create_task(flights.run("a", work))
        await started.wait()
        second = asyncio.create_task(flights.run("a", work))
        first.cancel()
        await asyncio.wait([first])
        done.set()
        assert await second == "value"


async def test_an_error_reaches_each_waiter_and_is_not_kept() -> None:
    fails = True

    async def work() -> str:
        await asyncio.sleep(0)
        if fails:
            raise LinkError("down")
        return "value"

    async with asyncio.TaskGroup() as tasks:
        flights: SingleFlight[str] = SingleFlight(tasks)
        results = await asyncio.gather(
            *(flights.run("a", work) for _ in range(3)), return_exceptions=True
        )
        assert [type(result) for result in results] == [LinkError] * 3
        fails = False
        assert await flights.run("a", work) == "value"


async def test_the_end_of_the_owner_ends_the_waiters() -> None:
    async def work() -> str:
        await asyncio.Event().wait()
        return "never"

    async def own() -> None:
        async with asyncio.TaskGroup() as tasks:
            flights: SingleFlight[str] = SingleFlight(tasks)
            waiter.append(asyncio.create_task(flights.run("a", work)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            raise LinkError("stopped")

    waiter: list[asyncio.Task[str]] = []
    with pytest.raises(ExceptionGroup):
        await own()
    with pytest.raises(asyncio.CancelledError):
        await waiter[0]
