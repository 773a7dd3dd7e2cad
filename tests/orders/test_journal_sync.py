"""What other processes write to the journal holds here: at once for the next order."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from realtime.orders.errors import Declined
from realtime.orders.journal import Journal
from realtime.orders.risk import Limits, RiskRules
from tests.orders.trading import TradingSetup, broker, order, trading
from tests.virtual import run, wall_clock

RESTING = {"type": "limit", "limit_price": "1", "account_id": "alpha"}


async def refusal(setup: TradingSetup, **more: object) -> str | None:
    try:
        await setup.place(order(**more))
    except Declined as error:
        return error.code
    return None


def test_a_halt_by_another_process_stops_the_next_order(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"

    async def main() -> None:
        async with broker(accounts=2) as simulator, trading(simulator, journal=path) as setup:
            other = Journal(path, wall_clock)
            other.write("trading.halted", {"scope": None, "principal": "shell"})
            assert await refusal(setup, **RESTING) == "orders_halted"
            assert not setup.ids("alpha")
            other.write("trading.resumed", {"scope": None, "principal": "shell"})
            await asyncio.sleep(1)
            assert await refusal(setup, **RESTING) is None

    run(main)


def test_a_halt_by_another_process_shows_within_a_second(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"

    async def main() -> bool:
        async with broker(accounts=1) as simulator, trading(simulator, journal=path) as setup:
            Journal(path, wall_clock).write("trading.halted", {"scope": "alpha"})
            await asyncio.sleep(1)
            return setup.gateway.kill_switch.state.halted

    assert run(main)


def test_a_liquidation_by_another_process_latches_the_account(tmp_path: Path) -> None:
    path = tmp_path / "orders.jsonl"

    async def main() -> list[str | None]:
        async with broker(accounts=1) as simulator, trading(simulator, journal=path) as setup:
            other = Journal(path, wall_clock)
            other.write("closing.begun", {"account": "alpha"})
            codes = [await refusal(setup, **RESTING)]
            other.write("closing.finished", {"account": "alpha"})
            await asyncio.sleep(1)
            return [*codes, await refusal(setup, **RESTING)]

    assert run(main) == ["account_closing", None]


def test_closes_of_two_processes_count_together(tmp_path: Path) -> None:
    """Two gateways, as a daemon and a command beside it: one position is sold once."""
    path = tmp_path / "orders.jsonl"

    async def main() -> tuple[list[str], Decimal]:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, journal=path) as daemon,
            trading(simulator, journal=path, seed=2) as command,
        ):
            await daemon.place(order(symbol="AMD", qty="100"))
            await asyncio.sleep(30)
            simulator.add_fault({"kind": "latency", "seconds": 0.3})

            async def close(setup: TradingSetup) -> str:
                try:
                    await setup.close_position("alpha", "AMD")
                except Declined as error:
                    return error.code
                return "placed"

            codes = await asyncio.gather(close(daemon), close(command))
            await asyncio.sleep(30)
            rows = simulator.exchange.positions("alpha")
            return sorted(codes), sum((Decimal(str(row["qty"])) for row in rows), Decimal())

    assert run(main) == (["placed", "position_unsettled"], Decimal(0))


@pytest.mark.parametrize("pause_s", [5, 70])
def test_caps_per_minute_survive_a_restart(tmp_path: Path, pause_s: int) -> None:
    path = tmp_path / "orders.jsonl"
    rules = RiskRules(limits=Limits(max_orders_per_minute=2))

    async def main() -> list[str | None]:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, rules=rules, journal=path) as setup:
                codes = [await refusal(setup, **RESTING) for _ in range(3)]
            await asyncio.sleep(pause_s)
            async with trading(simulator, rules=rules, journal=path, seed=2) as setup:
                return [*codes, await refusal(setup, **RESTING)]

    last = "guard_rate" if pause_s < 60 else None
    assert run(main) == [None, None, "guard_rate", last]


@pytest.mark.parametrize("wall_offset_s", [0, 7200, -7200])
def test_orders_of_two_processes_count_for_one_cap(tmp_path: Path, wall_offset_s: float) -> None:
    """Also after the machine's clock was set: entries have its time, caps another one."""
    path = tmp_path / "orders.jsonl"
    rules = RiskRules(limits=Limits(max_orders_per_minute=2))

    async def main() -> list[str | None]:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, rules=rules, journal=path, wall_offset_s=wall_offset_s) as daemon,
            trading(
                simulator, rules=rules, journal=path, seed=2, wall_offset_s=wall_offset_s
            ) as command,
        ):
            codes = [await refusal(setup, **RESTING) for setup in (daemon, command, daemon)]
            await asyncio.sleep(61)
            return [*codes, await refusal(daemon, **RESTING)]

    assert run(main) == [None, None, "guard_rate", None]


def test_an_order_of_another_process_is_ours(tmp_path: Path) -> None:
    """The same key in both results in one order."""
    path = tmp_path / "orders.jsonl"

    async def main() -> int:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, journal=path) as daemon,
            trading(simulator, journal=path, seed=2) as command,
        ):
            await command.place(order(**RESTING), key="k")
            await asyncio.sleep(1)
            assert (await daemon.place(order(**RESTING), key="k")).how == "replayed"
            return len(daemon.ids("alpha"))

    assert run(main) == 1
