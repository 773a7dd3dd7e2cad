"""The budget follows the broker's headers and keeps a floor. All in virtual time."""

import asyncio

import pytest

from realtime.market.rest.request_budget import MAX_WAIT_S, BudgetUsedUp, RequestBudget
from tests import virtual


def make_budget() -> RequestBudget:
    return RequestBudget(asyncio.get_running_loop().time)


async def send(budget: RequestBudget, *, uses_floor: bool = False) -> None:
    async with budget.slot(uses_floor=uses_floor):
        pass


async def send_all(budget: RequestBudget, *, uses_floor: bool = False) -> int:
    """Send until the budget is used up; return how many were sent."""
    for sent in range(100_000):
        try:
            await send(budget, uses_floor=uses_floor)
        except BudgetUsedUp:
            return sent
    raise AssertionError("no bound")


def test_before_the_first_response_the_free_plan_is_assumed() -> None:
    async def main() -> None:
        budget = make_budget()
        assert await send_all(budget) == 200 - 20
        assert budget.status.remaining == 20
        await asyncio.sleep(60)
        await send(budget)

    virtual.run(main)


@pytest.mark.parametrize(
    ("limit", "floor"), [(50, 10), (200, 20), (600, 60), (1000, 100), (10_000, 100)]
)
def test_the_floor_is_a_part_of_the_limit(limit: int, floor: int) -> None:
    async def main() -> None:
        budget = make_budget()
        budget.update(limit=limit, remaining=floor + 1, resets_in_s=40)
        async with budget.slot():  # in flight: not in the report yet
            with pytest.raises(BudgetUsedUp) as refused:
                await send(budget)
            assert refused.value.retry_after_s == pytest.approx(40, abs=MAX_WAIT_S)
            await send(budget, uses_floor=True)
        assert budget.status.floor == floor

    virtual.run(main)


def test_of_responses_that_overtake_each_other_the_smallest_number_counts() -> None:
    async def main() -> None:
        budget = make_budget()
        budget.update(limit=200, remaining=190, resets_in_s=40)
        budget.update(limit=200, remaining=199, resets_in_s=40.9)
        assert budget.status.remaining == 190
        budget.update(limit=200, remaining=198, resets_in_s=10)  # of the window before
        assert budget.status.remaining == 190
        await asyncio.sleep(41)
        budget.update(limit=200, remaining=199, resets_in_s=60)
        assert budget.status.remaining == 199
        budget.update(limit=None, remaining=3, resets_in_s=None)
        assert budget.status.remaining == 199

    virtual.run(main)


def test_a_short_wait_for_the_next_window_is_no_refusal() -> None:
    async def main() -> None:
        budget = make_budget()
        budget.update(limit=200, remaining=0, resets_in_s=1.5)
        started = asyncio.get_running_loop().time()
        await send(budget)
        assert asyncio.get_running_loop().time() - started == pytest.approx(1.5, abs=0.1)

    virtual.run(main)


@pytest.mark.parametrize(("stated", "pause_s"), [(30.0, 30), (None, 5), (7200.0, 60), (0.0, 1)])
def test_after_429_nothing_is_sent_for_a_while(stated: float | None, pause_s: float) -> None:
    async def main() -> None:
        budget = make_budget()
        budget.handle_rate_limited(stated)
        assert budget.status.paused_s == pause_s
        if pause_s > MAX_WAIT_S:
            with pytest.raises(BudgetUsedUp) as refused:
                await send(budget, uses_floor=True)
            assert refused.value.retry_after_s == pytest.approx(pause_s)
        await asyncio.sleep(pause_s)
        await send(budget)

    virtual.run(main)
