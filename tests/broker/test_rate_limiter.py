"""Rate limits of an account and of the fleet, in virtual time."""

import asyncio
from collections import Counter

import pytest

from realtime.broker.rate_limiter import (
    DEFAULT_PAUSE_S,
    FORWARD_RESERVE,
    LOOKUP_BURST,
    MAX_PAUSE_S,
    MAX_PER_MINUTE,
    MINUTE_S,
    RESERVE,
    SLOT_TIMEOUT_S,
    FleetLimiter,
    Lane,
    RateLimiter,
)
from realtime.errors import NotSent
from tests.virtual import run

Log = list[tuple[float, Lane]]


async def request(limiter: RateLimiter, lane: Lane, log: Log, *, takes_s: float = 0.05) -> None:
    """One request."""
    async with limiter.slot(lane):
        log.append((asyncio.get_running_loop().time(), lane))
        await asyncio.sleep(takes_s)


async def request_all(limiter: RateLimiter, *lanes: str) -> Log:
    """Make one request per lane, all at once; return when each left, in seconds from now."""
    log: Log = []
    start = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        for lane in lanes:
            tasks.create_task(request(limiter, "order" if lane == "order" else "read", log))
    return [(at - start, lane) for at, lane in log]


def busiest_minute(times: list[float]) -> int:
    """The maximum number of requests in any 60 seconds."""
    return max(sum(start <= at < start + 60 for at in times) for start in times)


async def retry(limiter: RateLimiter, lane: Lane, log: Log) -> None:
    """Retry at the time that the limiter reports."""
    while True:
        try:
            return await request(limiter, lane, log)
        except NotSent as error:
            await asyncio.sleep(error.retry_after_s or 0)


def test_never_200_a_minute() -> None:
    """However many requests wait, no minute has 200, and the budget is used."""

    async def main() -> Log:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        lanes: tuple[Lane, ...] = ("order", "read", "urgent")
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes * 250:
                tasks.create_task(retry(limiter, lane, log))
        return log

    log = run(main)
    assert MAX_PER_MINUTE - RESERVE <= busiest_minute([at for at, _ in log]) <= MAX_PER_MINUTE
    assert len(log) == 750


def test_used_up_budget_reports_when_to_retry() -> None:
    """Orders leave at once while there is budget, then fail at once; cancels still have budget."""

    async def main() -> tuple[int, float, float]:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        loop = asyncio.get_running_loop()
        for _ in range(MAX_PER_MINUTE - RESERVE):
            await request(limiter, "order", log, takes_s=0)
        began = loop.time()
        with pytest.raises(NotSent, match="budget is used up") as full:
            await request(limiter, "order", log)
        assert loop.time() == began
        await request(limiter, "urgent", log, takes_s=0)
        budget = limiter.budget
        assert (budget.orders, budget.reads, budget.others) == (
            MAX_PER_MINUTE - RESERVE + 1,
            0,
            None,
        )
        return len(log), log[-1][0] - log[0][0], full.value.retry_after_s or 0

    count, took_s, retry_after_s = run(main)
    assert (count, took_s) == (MAX_PER_MINUTE - RESERVE + 1, 0)
    assert retry_after_s == pytest.approx(MINUTE_S)


def test_hanging_orders_delay_no_other_account() -> None:
    """An order without a slot fails; other accounts have their own slots."""

    async def main() -> tuple[float, float]:
        fleet, log = FleetLimiter(orders=4), Log()
        hanging, other = RateLimiter(fleet, orders_at_once=2), RateLimiter(fleet, orders_at_once=2)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(request(hanging, "order", log, takes_s=60))
            await asyncio.sleep(1)
            began = loop.time()
            await request(other, "order", log, takes_s=0)
            took_s = loop.time() - began
            with pytest.raises(NotSent, match="too many orders in flight"):
                await request(hanging, "order", log)
        return took_s, loop.time() - began

    waited_s, took_s = run(main)
    assert waited_s == 0
    assert took_s >= SLOT_TIMEOUT_S


def test_reads_and_lookups_leave_the_reserve_to_cancels() -> None:
    """Orders, reads and lookups of clients use what they can; a cancel still leaves at once."""

    async def main() -> tuple[int, float]:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        loop = asyncio.get_running_loop()
        for _ in range(150):
            await request(limiter, "order", log, takes_s=0)
        reading = [loop.create_task(request(limiter, "read", log)) for _ in range(200)]
        asking = [loop.create_task(retry(limiter, "lookup", log)) for _ in range(200)]
        await asyncio.sleep(40)
        used = len(log)
        began = loop.time()
        for _ in range(RESERVE):
            await request(limiter, "urgent", log, takes_s=0)
        took_s = loop.time() - began
        for task in (*reading, *asking):
            task.cancel()
        return used, took_s

    assert run(main) == (MAX_PER_MINUTE - RESERVE, 0)


def test_lookups_have_a_small_share_of_their_own() -> None:
    """230 lookups by clients; the state is kept in sync and traders are not slower."""

    async def main() -> tuple[int, int, float]:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        loop = asyncio.get_running_loop()
        refused = 0
        for _ in range(230):
            try:
                await request(limiter, "lookup", log, takes_s=0)
            except NotSent as error:
                refused += error.retry_after_s is not None
        began = loop.time()
        await request(limiter, "read", log, takes_s=0)
        await request(limiter, "urgent", log, takes_s=0)
        return len(log), refused, loop.time() - began

    assert run(main) == (LOOKUP_BURST + 2, 225, 0)


def test_lookups_pause_with_reads() -> None:
    async def main() -> None:
        limiter = RateLimiter(FleetLimiter())
        limiter.handle_rate_limited(20)
        with pytest.raises(NotSent, match="used up for the next 20 s"):
            await request(limiter, "lookup", [])

    run(main)


def test_requests_of_other_programs_are_counted() -> None:
    """What the broker counts and we did not send came from another program."""

    async def main() -> tuple[int, int | None, float | None]:
        limiter = RateLimiter(FleetLimiter())
        await request(limiter, "read", [], takes_s=0)
        limiter.update_from_headers(remaining=150, reset_in_s=30, limit=200)
        budget = limiter.budget
        return budget.remaining, budget.others, budget.resets_in_s

    assert run(main) == (150, 49, 30)


def test_reads_alone_leave_room() -> None:
    """Reads alone use 60 %."""
    log = run(lambda: request_all(RateLimiter(FleetLimiter()), *["read"] * 400))
    assert 110 <= busiest_minute([at for at, _ in log]) <= 117


def test_snapshot_leaves_at_once() -> None:
    """Four reads and an order do not wait."""
    log = run(
        lambda: request_all(RateLimiter(FleetLimiter()), "read", "read", "read", "read", "order")
    )
    assert all(at == 0 for at, _ in log)


def test_orders_before_reads() -> None:
    """Orders that arrive after many reads leave before them, as fast as the budget allows."""
    log = run(lambda: request_all(RateLimiter(FleetLimiter()), *["read"] * 50, *["order"] * 10))
    last_order = max(at for at, lane in log if lane == "order")
    assert last_order < 3.2
    assert Counter(lane for at, lane in log if at < last_order)["read"] <= 5


def test_reads_do_not_starve() -> None:
    """Constant orders delay a read for a while, not indefinitely."""

    async def main() -> Log:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(300):
                tasks.create_task(retry(limiter, "order", log))
            for _ in range(5):
                tasks.create_task(retry(limiter, "read", log))
        return log

    log = run(main)
    assert min(at for at, lane in log if lane == "read") < 62


def test_low_budget_pauses_reads() -> None:
    """When the broker counts few requests left, reads pause until its reset and orders do not."""

    async def main() -> Log:
        limiter = RateLimiter(FleetLimiter())
        limiter.update_from_headers(remaining=120, reset_in_s=30)
        assert limiter.reads_paused_s == 0
        limiter.update_from_headers(remaining=3, reset_in_s=30)
        assert limiter.reads_paused_s == 30
        return await request_all(limiter, "read", "order")

    assert run(main) == [(0, "order"), (pytest.approx(30), "read")]


def test_429_pauses_reads() -> None:
    """After a 429 reads pause as long as the broker asks, or a default; bounded."""

    async def main() -> list[float]:
        pauses = []
        for retry_after_s in (7.0, None, 1e9, -5.0):
            limiter = RateLimiter(FleetLimiter())
            limiter.handle_rate_limited(retry_after_s)
            pauses.append(limiter.reads_paused_s)
        return pauses

    assert run(main) == [7, DEFAULT_PAUSE_S, MAX_PAUSE_S, 0]


def test_earlier_reset_does_not_shorten_a_pause() -> None:
    async def main() -> float:
        limiter = RateLimiter(FleetLimiter())
        limiter.handle_rate_limited(20)
        limiter.update_from_headers(remaining=0, reset_in_s=5)
        return limiter.reads_paused_s

    assert run(main) == 20


def test_the_fleet_bounds_what_is_in_flight() -> None:
    """Accounts share the slots of reads; orders have their own and do not wait for them."""

    async def main() -> tuple[int, float]:
        fleet, limit, inside = FleetLimiter(reads=3, orders=1), 0, 0
        log: Log = []

        async def read() -> None:
            nonlocal limit, inside
            async with RateLimiter(fleet).slot("read"):
                inside += 1
                limit = max(limit, inside)
                await asyncio.sleep(10)
                inside -= 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(9):
                tasks.create_task(read())
            await asyncio.sleep(1)
            await request(RateLimiter(fleet), "order", log)
        return limit, log[0][0]

    assert run(main) == (3, 1)


def test_cancelled_while_waiting() -> None:
    """A cancelled request leaves nothing locked and no slot taken."""

    async def main() -> Log:
        fleet = FleetLimiter(reads=1)
        limiter = RateLimiter(fleet)
        log: Log = []
        for _ in range(3):
            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(request(limiter, "read", log)) for _ in range(9)]
                await asyncio.sleep(0.01)
                for task in waiting:
                    task.cancel()
        await asyncio.sleep(60)
        return await request_all(limiter, "read", "order")

    assert run(main)[0] == (0, "read")


def test_forwarded_requests_leave_room_for_orders() -> None:
    """A program that asks without a pause gets 20 at once and 60 a minute; orders leave at once."""

    async def main() -> None:
        limiter = RateLimiter(FleetLimiter())
        log: Log = []
        for _ in range(20):
            await request(limiter, "forward", log, takes_s=0.0)
        assert log[-1][0] - log[0][0] < 1.0
        requests = (request(limiter, "forward", log) for _ in range(60))
        results = await asyncio.gather(*requests, return_exceptions=True)
        refused = [result for result in results if isinstance(result, NotSent)]
        assert len(refused) > 50
        assert all(error.retry_after_s is not None for error in refused)
        started_at = asyncio.get_running_loop().time()
        await request(limiter, "order", log)
        assert asyncio.get_running_loop().time() - started_at < 0.1
        assert limiter.budget.reads == sum(lane == "forward" for _, lane in log)

    run(main)


def test_forwarded_requests_leave_more_of_a_minute_than_the_reserve() -> None:
    async def main() -> None:
        limiter = RateLimiter(FleetLimiter())
        log: Log = []
        for _ in range(MAX_PER_MINUTE - FORWARD_RESERVE):
            await request(limiter, "order", log, takes_s=0.0)
        with pytest.raises(NotSent):
            await request(limiter, "forward", log)
        await request(limiter, "order", log)

    run(main)
