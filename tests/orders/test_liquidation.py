"""Closing accounts: until the broker shows nothing, twice; longer than any token."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec import structs

from realtime.orders.errors import Declined
from realtime.orders.liquidation import LiquidationService
from tests.orders.trading import ANYONE, TradingSetup, broker, order, trading
from tests.virtual import run, wall_clock


async def fill(setup: TradingSetup, *symbols: str) -> None:
    for symbol in symbols:
        await setup.place(order(account_id="alpha", symbol=symbol, qty="10"))
    await asyncio.sleep(30)


def test_a_liquidation_continues_when_its_token_has_ended() -> None:
    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await fill(setup, "AMD", "KO")
            simulator.set_market("closed")
            principal = structs.replace(ANYONE, expires_at=wall_clock() + 5, token_id="t")
            async with LiquidationService(setup.gateway) as liquidations:
                liquidations.start(["alpha"], principal)
                await asyncio.sleep(60)
                simulator.set_market("always")
                assert await liquidations.wait_until_flat(["alpha"], 120)
                return liquidations.accounts["alpha"].state

    assert run(main) == "flat"


def test_positions_that_were_traded_a_moment_ago_are_closed_once() -> None:
    """Sales in flight when it starts: what is left is closed, and nothing turns short."""

    async def main() -> Decimal:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await fill(setup, "AMD")
            simulator.add_fault({"kind": "lagging_positions", "seconds": 5, "for_s": 60})
            simulator.add_fault({"kind": "latency", "seconds": 0.5, "method": "POST"})
            sale = asyncio.create_task(setup.place(order(symbol="AMD", qty="6", side="sell")))
            await asyncio.sleep(0.1)
            async with LiquidationService(setup.gateway) as liquidations:
                liquidations.start(["alpha"], ANYONE)
                assert await liquidations.wait_until_flat(["alpha"], 180)
            await sale
            sold = [o for o in setup.at_broker("alpha") if o["side"] == "sell"]
            assert not simulator.exchange.positions("alpha")
            return sum((Decimal(str(o["filled_qty"])) for o in sold), Decimal())

    assert run(main) == 10


def test_an_account_is_latched_until_it_is_flat_or_released(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, journal=tmp_path / "orders.jsonl") as setup,
        ):
            await fill(setup, "AMD")
            simulator.set_market("closed")
            async with LiquidationService(setup.gateway) as liquidations:
                liquidations.start(["alpha"], ANYONE)
                assert not await liquidations.wait_until_flat(["alpha"], 30)
                with pytest.raises(Declined) as error:
                    await setup.place(order())
                assert error.value.code == "account_closing"
                assert liquidations.release(["alpha"], ANYONE) == ["alpha"]
                assert liquidations.release(["alpha"], ANYONE) == []
                await setup.place(order(symbol="KO", type="limit", limit_price="1"))

    run(main)
