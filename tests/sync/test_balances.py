"""Money is re-read after fills: coalesced, confirmed, and provisional until then."""

import asyncio

from structlog.testing import capture_logs

from realtime.core.state import MONEY
from tests.equality import unequal
from tests.fleet import Fleet
from tests.sync.scene import play


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


def test_positions_that_lag_are_not_taken_and_not_called_confirmed() -> None:
    async def act(fleet: Fleet) -> None:
        await fleet.fault(kind="lagging_positions", account="alpha", seconds=8, for_s=600)
        fleet.buy("alpha", qty="5")
        await fleet.until(lambda: _held(fleet, "alpha", "AAPL") == "5")
        for _ in range(70):
            await asyncio.sleep(0.1)
            assert _held(fleet, "alpha", "AAPL") == "5", "REST is behind: the stream told it"
            assert fleet.record("alpha").state.provisional >= MONEY
        await fleet.until_done("alpha")
        assert await unequal(fleet, "alpha") == []

    play(act, accounts=1)


def test_a_reading_that_fails_leaves_the_mark_and_one_line() -> None:
    async def act(fleet: Fleet) -> None:
        with capture_logs() as lines:
            await fleet.fault(kind="server_error", account="alpha", status=503, for_s=60)
            fleet.buy("alpha")
            await asyncio.sleep(50)
            assert fleet.record("alpha").state.provisional >= MONEY
            assert fleet.links["alpha"].is_synced, "the stream is well"
            await fleet.until(fleet.settled)
        failures = [
            line
            for line in lines
            if line["event"] == "money.refresh_failed" and line["log_level"] == "warning"
        ]
        assert len(failures) == 1

    play(act)


def test_prices_in_positions_never_grow_older_than_promised() -> None:
    async def act(fleet: Fleet) -> None:
        fleet.buy("alpha", qty="5")
        await fleet.until(fleet.settled)
        fleet.simulator.exchange.set_price("AAPL", "1000")
        await fleet.until(lambda: _price(fleet, "alpha", "AAPL") == "1000", within_s=16)

    play(act, accounts=1)


def test_a_slow_reading_does_not_land_after_a_younger_one() -> None:
    """The account's answer comes late, when the positions read before it are old already."""

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


def _fills(fleet: Fleet, label: str) -> int:
    return sum(len(each) for each in fleet.record(label).state.executions.values())


def _position(fleet: Fleet, label: str, symbol: str) -> tuple[str, str | None]:
    held = {str(s): p for s, p in fleet.record(label).state.positions.items()}
    return (held[symbol].qty, held[symbol].current_price) if symbol in held else ("0", None)


def _held(fleet: Fleet, label: str, symbol: str) -> str:
    return _position(fleet, label, symbol)[0]


def _price(fleet: Fleet, label: str, symbol: str) -> str | None:
    return _position(fleet, label, symbol)[1]
