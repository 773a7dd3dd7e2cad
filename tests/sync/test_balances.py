"""Balances are refreshed after fills: coalesced, confirmed, and provisional until then."""

import asyncio
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from realtime.core.state import MONEY
from realtime.sync.balances import MAX_REFRESHES_PER_S, REFRESH_BURST, RefreshLimiter
from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play
from tests.virtual import run


def test_two_hundred_fills_in_a_second_cost_a_handful_of_requests() -> None:
    async def act(fleet: Fleet) -> None:
        before = fleet.requests("alpha")
        for _ in range(20):
            for _ in range(10):
                fleet.buy("alpha", qty="1")
            await asyncio.sleep(0.05)
        await fleet.until(lambda: _fills(fleet, "alpha") >= 200)
        await asyncio.sleep(8)
        assert fleet.requests("alpha") - before <= 12
        await fleet.until_done("alpha")
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


def test_lagging_positions_are_neither_applied_nor_confirmed() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="lagging_positions", account="alpha", seconds=8, for_s=600)
        fleet.buy("alpha", qty="5")
        await fleet.until(lambda: _held(fleet, "alpha", "AAPL") == "5")
        for _ in range(70):
            await asyncio.sleep(0.1)
            assert _held(fleet, "alpha", "AAPL") == "5", "REST lags the stream"
            assert fleet.record("alpha").state.provisional >= MONEY
        await fleet.until_done("alpha")
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


def test_failed_refresh_stays_provisional_and_logs_one_line() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="server_error", account="alpha", status=503, for_s=60)
            fleet.buy("alpha")
            await asyncio.sleep(50)
            assert fleet.record("alpha").state.provisional >= MONEY
            assert fleet.links["alpha"].is_synced, "the stream works"
            await fleet.until(fleet.settled)
        failures = [
            line
            for line in lines
            if line["event"] == "balances.refresh_failed" and line["log_level"] == "warning"
        ]
        assert len(failures) == 1

    play(act)


def test_prices_in_positions_are_refreshed_without_fills() -> None:
    async def act(fleet: Fleet) -> None:
        fleet.buy("alpha", qty="5")
        await fleet.until(fleet.settled)
        fleet.simulator.exchange.set_price("AAPL", "1000")
        await fleet.until(lambda: _price(fleet, "alpha", "AAPL") == "1000", within_s=16)

    play(act, accounts=1)


def test_slow_read_does_not_overwrite_a_newer_one() -> None:
    """The account's response is late, so the positions read before it are old."""

    async def act(fleet: Fleet) -> None:
        fleet.buy("alpha", qty="5")
        await fleet.until(fleet.settled)
        await fleet.fault(kind="latency", account="alpha", path="/v2/account", seconds=6, count=1)
        fleet.buy("alpha", qty="1")
        await fleet.until(lambda: _held(fleet, "alpha", "AAPL") == "6")
        await asyncio.sleep(1)
        fleet.simulator.exchange.set_price("AAPL", "1000")
        await fleet.fault(kind="garbage", account="alpha", instead=True, count=1)
        fleet.buy("alpha", type="limit", limit_price="1")
        await fleet.until(lambda: _price(fleet, "alpha", "AAPL") == "1000", within_s=16)
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert _price(fleet, "alpha", "AAPL") == "1000"

    play(act, accounts=1)


def refresh_times(count: int) -> list[tuple[float, int]]:
    """When each of `count` simultaneous callers is allowed to refresh."""

    async def main() -> list[tuple[float, int]]:
        limiter, times = RefreshLimiter(), list[tuple[float, int]]()

        async def refresh(number: int) -> None:
            await limiter.wait()
            times.append((asyncio.get_running_loop().time(), number))

        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                tasks.create_task(refresh(number))
        return [(at - began, number) for at, number in times]

    return run(main)


def test_burst_of_refreshes_does_not_wait() -> None:
    assert refresh_times(REFRESH_BURST)[-1][0] == 0


def test_thousand_refreshes_take_ten_seconds_in_order() -> None:
    times = refresh_times(1000)
    assert [number for _, number in times] == list(range(1000))
    assert times[-1][0] == pytest.approx(1000 / MAX_REFRESHES_PER_S, abs=0.3)
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(times[REFRESH_BURST:])]
    assert min(gaps) == pytest.approx(1 / MAX_REFRESHES_PER_S, abs=0.002)


def test_cancelled_refresh_delays_no_other() -> None:
    async def main() -> float:
        loop, limiter = asyncio.get_running_loop(), RefreshLimiter()
        tasks = [loop.create_task(limiter.wait()) for _ in range(100)]
        await asyncio.sleep(0.1)
        for task in tasks[:90]:
            task.cancel()
        began = loop.time()
        await asyncio.gather(*tasks[90:])
        return loop.time() - began

    assert run(main) < 0.2


def _fills(fleet: Fleet, label: str) -> int:
    return sum(len(executions) for executions in fleet.record(label).state.executions.values())


def _position(fleet: Fleet, label: str, symbol: str) -> tuple[str, str | None]:
    held = {str(s): p for s, p in fleet.record(label).state.positions.items()}
    return (held[symbol].qty, held[symbol].current_price) if symbol in held else ("0", None)


def _held(fleet: Fleet, label: str, symbol: str) -> str:
    return _position(fleet, label, symbol)[0]


def _price(fleet: Fleet, label: str, symbol: str) -> str | None:
    return _position(fleet, label, symbol)[1]
