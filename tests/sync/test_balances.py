"""Money is re-read after fills: coalesced, confirmed, and provisional until then."""

import asyncio

from structlog.testing import capture_logs

from realtime.core.state import MONEY
from tests.equality import unequal
from tests.fleet import Farm
from tests.sync.scene import play


def test_two_hundred_fills_in_a_second_cost_a_handful_of_requests() -> None:
    async def act(farm: Farm) -> None:
        before = farm.requests("alpha")
        for _ in range(20):
            for _ in range(10):
                farm.buy("alpha", qty="1")
            await asyncio.sleep(0.05)
        await farm.until(lambda: _fills(farm, "alpha") >= 200)
        await asyncio.sleep(8)
        assert farm.requests("alpha") - before <= 12
        await farm.until_done("alpha")
        assert await unequal(farm, "alpha") == []

    play(act, accounts=1)


def test_positions_that_lag_are_not_taken_and_not_called_confirmed() -> None:
    async def act(farm: Farm) -> None:
        await farm.fault(kind="lagging_positions", account="alpha", seconds=8, for_s=600)
        farm.buy("alpha", qty="5")
        await farm.until(lambda: _held(farm, "alpha", "AAPL") == "5")
        for _ in range(70):
            await asyncio.sleep(0.1)
            assert _held(farm, "alpha", "AAPL") == "5", "REST is behind: the stream told it"
            assert farm.record("alpha").state.provisional >= MONEY
        await farm.until_done("alpha")
        assert await unequal(farm, "alpha") == []

    play(act, accounts=1)


def test_a_reading_that_fails_leaves_the_mark_and_one_line() -> None:
    async def act(farm: Farm) -> None:
        with capture_logs() as lines:
            await farm.fault(kind="server_error", account="alpha", status=503, for_s=60)
            farm.buy("alpha")
            await asyncio.sleep(50)
            assert farm.record("alpha").state.provisional >= MONEY
            assert farm.links["alpha"].is_live, "the stream is well"
            await farm.until(farm.settled)
        failures = [
            line
            for line in lines
            if line["event"] == "money.refresh_failed" and line["log_level"] == "warning"
        ]
        assert len(failures) == 1

    play(act)


def test_prices_in_positions_never_grow_older_than_promised() -> None:
    async def act(farm: Farm) -> None:
        farm.buy("alpha", qty="5")
        await farm.until(farm.settled)
        farm.simulator.exchange.set_price("AAPL", "1000")
        await farm.until(lambda: _price(farm, "alpha", "AAPL") == "1000", within_s=16)

    play(act, accounts=1)


def test_a_slow_reading_does_not_land_after_a_younger_one() -> None:
    """The account's answer comes late, when the positions read before it are old already."""

    async def act(farm: Farm) -> None:
        farm.buy("alpha", qty="5")
        await farm.until(farm.settled)
        await farm.fault(kind="latency", account="alpha", path="/v2/account", seconds=6, count=1)
        farm.buy("alpha", qty="1")
        await farm.until(lambda: _held(farm, "alpha", "AAPL") == "6")
        await asyncio.sleep(1)
        farm.simulator.exchange.set_price("AAPL", "1000")
        await farm.fault(kind="garbage", account="alpha", instead=True, count=1)
        farm.buy("alpha", type="limit", limit_price="1")
        await farm.until(lambda: _price(farm, "alpha", "AAPL") == "1000", within_s=16)
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert _price(farm, "alpha", "AAPL") == "1000"

    play(act, accounts=1)


def _fills(farm: Farm, label: str) -> int:
    return sum(len(each) for each in farm.record(label).state.executions.values())


def _position(farm: Farm, label: str, symbol: str) -> tuple[str, str | None]:
    held = {str(s): p for s, p in farm.record(label).state.positions.items()}
    return (held[symbol].qty, held[symbol].current_price) if symbol in held else ("0", None)


def _held(farm: Farm, label: str, symbol: str) -> str:
    return _position(farm, label, symbol)[0]


def _price(farm: Farm, label: str, symbol: str) -> str | None:
    return _position(farm, label, symbol)[1]
