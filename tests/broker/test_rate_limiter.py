"""Budgets of an account and the bound of the fleet, in virtual time."""

import asyncio
from collections import Counter

import pytest

from realtime.broker.rate_limiter import (
    MINUTE_S,
    MOST,
    PLACE_S,
    RESERVED,
    REST_MAX_S,
    REST_S,
    FleetLimiter,
    Lane,
    RateLimiter,
)
from realtime.errors import NotSent
from tests.virtual import run

Log = list[tuple[float, Lane]]


async def ask(limiter: RateLimiter, lane: Lane, log: Log, *, takes_s: float = 0.05) -> None:
    """One request."""
    async with limiter.slot(lane):
        log.append((asyncio.get_running_loop().time(), lane))
        await asyncio.sleep(takes_s)


async def all_of(limiter: RateLimiter, *lanes: str) -> Log:
    """Ask for all at once; gives who went when, in seconds from now."""
    log: Log = []
    start = asyncio.get_running_loop().time()
    async with asyncio.TaskGroup() as tasks:
        for lane in lanes:
            tasks.create_task(ask(limiter, "order" if lane == "order" else "read", log))
    return [(at - start, lane) for at, lane in log]


def busiest_minute(times: list[float]) -> int:
    """The most that fell into any 60 seconds."""
    return max(sum(start <= at < start + 60 for at in times) for start in times)


async def insist(limiter: RateLimiter, lane: Lane, log: Log) -> None:
    """Come back whenever we are told to."""
    while True:
        try:
            return await ask(limiter, lane, log)
        except NotSent as full:
            await asyncio.sleep(full.retry_after_s or 0)


def test_never_200_a_minute() -> None:
    """However many ask, no minute sees 200 requests, and the budget is used."""

    async def main() -> Log:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        lanes: tuple[Lane, ...] = ("order", "read", "urgent")
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes * 250:
                tasks.create_task(insist(limiter, lane, log))
        return log

    log = run(main)
    assert MOST - RESERVED <= busiest_minute([at for at, _ in log]) <= MOST
    assert len(log) == 750


def test_a_full_budget_says_when_to_come_back() -> None:
    """Orders go at once as long as there is room, and then they do not hang; cancels find room."""

    async def main() -> tuple[int, float, float]:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        loop = asyncio.get_running_loop()
        for _ in range(MOST - RESERVED):
            await ask(limiter, "order", log, takes_s=0)
        began = loop.time()
        with pytest.raises(NotSent, match="budget is spent") as full:
            await ask(limiter, "order", log)
        assert loop.time() == began
        await ask(limiter, "urgent", log, takes_s=0)
        budget = limiter.budget
        assert (budget.orders, budget.reads, budget.others) == (MOST - RESERVED + 1, 0, None)
        return len(log), log[-1][0] - log[0][0], full.value.retry_after_s or 0

    count, took_s, retry_after_s = run(main)
    assert (count, took_s) == (MOST - RESERVED + 1, 0)
    assert retry_after_s == pytest.approx(MINUTE_S)


def test_places_that_hang_hold_up_no_other_account() -> None:
    """An account's own places are few: whoever finds none is told, and others have theirs."""

    async def main() -> tuple[float, float]:
        fleet, log = FleetLimiter(orders=4), Log()
        hanging, other = RateLimiter(fleet, orders_at_once=2), RateLimiter(fleet, orders_at_once=2)
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(ask(hanging, "order", log, takes_s=60))
            await asyncio.sleep(1)
            began = loop.time()
            await ask(other, "order", log, takes_s=0)
            took_s = loop.time() - began
            with pytest.raises(NotSent, match="no place"):
                await ask(hanging, "order", log)
        return took_s, loop.time() - began

    waited_s, took_s = run(main)
    assert waited_s == 0
    assert took_s >= PLACE_S


def test_others_spend_too() -> None:
    """What the broker counts and we did not ask was another program's."""

    async def main() -> tuple[int, int | None, float | None]:
        limiter = RateLimiter(FleetLimiter())
        await ask(limiter, "read", [], takes_s=0)
        limiter.heard(remaining=150, reset_in_s=30, limit=200)
        budget = limiter.budget
        return budget.remaining, budget.others, budget.resets_in_s

    assert run(main) == (150, 49, 30)


def test_reads_alone_leave_room() -> None:
    """Reads alone use 60 %."""
    log = run(lambda: all_of(RateLimiter(FleetLimiter()), *["read"] * 400))
    assert 110 <= busiest_minute([at for at, _ in log]) <= 117


def test_a_snapshot_goes_at_once() -> None:
    """Four reads and an order need not wait."""
    log = run(lambda: all_of(RateLimiter(FleetLimiter()), "read", "read", "read", "read", "order"))
    assert all(at == 0 for at, _ in log)


def test_orders_before_reads() -> None:
    """Orders that come after a crowd of reads go before it, as fast as the budget allows."""
    log = run(lambda: all_of(RateLimiter(FleetLimiter()), *["read"] * 50, *["order"] * 10))
    last_order = max(at for at, lane in log if lane == "order")
    assert last_order < 3.2
    assert Counter(lane for at, lane in log if at < last_order)["read"] <= 5


def test_reads_do_not_starve() -> None:
    """Orders without end hold up a read for a while, not for ever."""

    async def main() -> Log:
        limiter, log = RateLimiter(FleetLimiter()), Log()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(300):
                tasks.create_task(insist(limiter, "order", log))
            for _ in range(5):
                tasks.create_task(insist(limiter, "read", log))
        return log

    log = run(main)
    assert min(at for at, lane in log if lane == "read") < 62


def test_spent_budget() -> None:
    """When the broker counts few left, reads rest until its reset and orders do not."""

    async def main() -> Log:
        limiter = RateLimiter(FleetLimiter())
        limiter.heard(remaining=120, reset_in_s=30)
        assert limiter.resting_s == 0
        limiter.heard(remaining=3, reset_in_s=30)
        assert limiter.resting_s == 30
        return await all_of(limiter, "read", "order")

    assert run(main) == [(0, "order"), (pytest.approx(30), "read")]


def test_refused() -> None:
    """After a 429 reads rest as the broker says, or a while if it does not; bounded."""

    async def main() -> list[float]:
        rests = []
        for retry_after_s in (7.0, None, 1e9, -5.0):
            limiter = RateLimiter(FleetLimiter())
            limiter.refused(retry_after_s)
            rests.append(limiter.resting_s)
        return rests

    assert run(main) == [7, REST_S, REST_MAX_S, 0]


def test_an_earlier_reset_does_not_shorten_a_rest() -> None:
    async def main() -> float:
        limiter = RateLimiter(FleetLimiter())
        limiter.refused(20)
        limiter.heard(remaining=0, reset_in_s=5)
        return limiter.resting_s

    assert run(main) == 20


def test_the_fleet_bounds_what_is_in_flight() -> None:
    """Accounts share the places of reads; an order has its own, and does not wait for them."""

    async def main() -> tuple[int, float]:
        fleet, most, inside = FleetLimiter(reads=3, orders=1), 0, 0
        log: Log = []

        async def read() -> None:
            nonlocal most, inside
            async with RateLimiter(fleet).slot("read"):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(10)
                inside -= 1

        async with asyncio.TaskGroup() as tasks:
            for _ in range(9):
                tasks.create_task(read())
            await asyncio.sleep(1)
            await ask(RateLimiter(fleet), "order", log)
        return most, log[0][0]

    assert run(main) == (3, 1)


def test_cancelled_while_waiting() -> None:
    """Whoever gives up leaves nothing locked and no place taken."""

    async def main() -> Log:
        fleet = FleetLimiter(reads=1)
        limiter = RateLimiter(fleet)
        log: Log = []
        for _ in range(3):
            async with asyncio.TaskGroup() as tasks:
                waiting = [tasks.create_task(ask(limiter, "read", log)) for _ in range(9)]
                await asyncio.sleep(0.01)
                for task in waiting:
                    task.cancel()
        await asyncio.sleep(60)
        return await all_of(limiter, "read", "order")

    assert run(main)[0] == (0, "read")
