"""The last moment: what changes while an order waits is checked again before its bytes leave."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from realtime.auth.principal import Principal
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.results import Placed
from realtime.orders.risk import Limits, RiskRules
from tests.orders.trading import ANYONE, TradingSetup, broker, order, trading
from tests.virtual import run, wall_clock

BATCH = 160
IN_FLIGHT = 8
RESTING = {"type": "limit", "limit_price": "1", "account_id": "alpha"}

Change = Callable[[TradingSetup], object]


def halt(setup: TradingSetup) -> object:
    return setup.gateway.kill_switch.halt(None, reason="storm", principal="ops")


def latch(setup: TradingSetup) -> object:
    setup.gateway.liquidating.add("alpha")
    return None


def disable(setup: TradingSetup) -> object:
    rules = setup.gateway.risk_checks.accounts["alpha"]
    limits = structs.replace(rules.limits, enabled=False)
    setup.gateway.risk_checks.accounts["alpha"] = structs.replace(rules, limits=limits)  # type: ignore[index]  # the daemon's own mapping
    return None


def lower_cap(setup: TradingSetup) -> object:
    rules = setup.gateway.risk_checks.accounts["alpha"]
    limits = structs.replace(rules.limits, max_notional="0.5")
    setup.gateway.risk_checks.accounts["alpha"] = structs.replace(rules, limits=limits)  # type: ignore[index]  # the daemon's own mapping
    return None


def cancel_all(setup: TradingSetup) -> object:
    return asyncio.create_task(setup.gateway.cancel_all(["alpha"], ANYONE))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (halt, "orders_halted"),
        (latch, "account_closing"),
        (disable, "trading_disabled"),
        (lower_cap, "guard_notional"),
        (cancel_all, "canceled_before_sent"),
    ],
)
def test_no_order_leaves_after_a_change_that_forbids_it(
    tmp_path: Path, change: Change, code: str
) -> None:
    """A batch waits for slots at the broker. After the change, only what was on the wire arrives:
    at most as many orders as may be in flight."""
    path = tmp_path / "orders.jsonl"

    async def main() -> None:
        async with (
            broker(accounts=1, requests_per_minute=100_000) as simulator,
            trading(simulator, journal=path, places=IN_FLIGHT) as setup,
        ):
            simulator.add_fault({"kind": "latency", "seconds": 0.5, "method": "POST"})
            batch = asyncio.create_task(setup.place_all([order(**RESTING)] * BATCH, key="k"))
            await asyncio.sleep(0.7)
            on_the_wire = count_left(path)
            change(setup)
            results = Counter(to_code(result) for result in await batch)
            assert count_left(path) == on_the_wire
            assert 0 < results["placed"] == on_the_wire <= 2 * IN_FLIGHT
            assert results == Counter({"placed": on_the_wire, code: BATCH - on_the_wire})
            assert not setup.gateway.order_clients["alpha"].in_flight

    run(main)


def count_left(path: Path) -> int:
    lines = path.read_text().splitlines()
    return sum(json.loads(line)["event"] == "order.intended" for line in lines)


def to_code(result: Placed | Declined | Unresolved) -> str:
    if isinstance(result, Declined):
        assert not result.reached_broker
        return result.code
    return "placed" if isinstance(result, Placed) else "order_unknown"


def test_a_stopped_order_may_be_sent_again_with_its_key() -> None:
    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator, places=1) as setup:
            simulator.add_fault({"kind": "latency", "seconds": 0.5, "method": "POST"})
            first = asyncio.create_task(setup.place(order(**RESTING)))
            waiting = asyncio.create_task(setup.place(order(**RESTING), key="k"))
            await asyncio.sleep(0.1)
            halt(setup)
            with pytest.raises(Declined) as error:
                await waiting
            assert (error.value.code, error.value.reached_broker) == ("orders_halted", False)
            assert isinstance(await first, Placed)
            setup.gateway.kill_switch.resume(None, principal="ops")
            return (await setup.place(order(**RESTING), key="k")).how

    assert run(main) == "confirmed"


def test_an_order_does_not_outlive_its_token() -> None:
    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator, places=1) as setup:
            simulator.add_fault({"kind": "latency", "seconds": 2, "method": "POST"})
            principal: Principal = structs.replace(ANYONE, expires_at=wall_clock() + 1)
            first = asyncio.create_task(setup.gateway.place(order(**RESTING), principal))
            waiting = asyncio.create_task(setup.gateway.place(order(**RESTING), principal))
            assert isinstance(await first, Placed)
            with pytest.raises(Declined) as error:
                await waiting
            return error.value.code

    assert run(main) == "token_expired"


def test_an_order_does_not_outlive_the_rules_that_permitted_it() -> None:
    """Keys were revoked while it waited: it must be sent again, with a token that is valid now."""
    generation = [1]

    async def main() -> str:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, places=1, get_generation=lambda: generation[0]) as setup,
        ):
            simulator.add_fault({"kind": "latency", "seconds": 2, "method": "POST"})
            principal: Principal = structs.replace(ANYONE, token_id="t", generation=1)
            first = asyncio.create_task(setup.gateway.place(order(**RESTING), principal))
            waiting = asyncio.create_task(setup.gateway.place(order(**RESTING), principal))
            await asyncio.sleep(1)
            generation[0] = 2
            assert isinstance(await first, Placed)
            with pytest.raises(Declined) as error:
                await waiting
            return error.value.code

    assert run(main) == "token_invalid"


def test_a_cap_per_minute_counts_when_orders_leave() -> None:
    """Orders that waited count from when they left, so no minute has more of them."""
    rules = RiskRules(limits=Limits(max_orders_per_minute=3))

    async def main() -> list[str]:
        async with (
            broker(accounts=1) as simulator,
            trading(simulator, rules=rules, places=1) as setup,
        ):
            simulator.add_fault({"kind": "latency", "seconds": 2, "method": "POST"})
            results = await setup.place_all([order(**RESTING)] * 4)
            await asyncio.sleep(55.5)  # a minute after the first, not after the last
            results += await setup.place_all([order(**RESTING)] * 2)
            return [to_code(result) for result in results]

    assert run(main) == ["placed"] * 3 + ["guard_rate", "placed", "guard_rate"]


def test_what_never_left_frees_its_place_in_the_cap() -> None:
    rules = RiskRules(limits=Limits(max_orders_per_minute=1))

    async def main() -> str:
        async with broker(accounts=1) as simulator, trading(simulator, rules=rules) as setup:
            await simulator.stop()
            with pytest.raises(Declined) as error:
                await setup.place(order(**RESTING))
            assert error.value.code == "broker_unreachable"
            with pytest.raises(Declined) as error:
                await setup.place(order(**RESTING))
            return error.value.code

    assert run(main) == "broker_unreachable"


def test_a_bug_before_an_order_leaves_is_a_refusal() -> None:
    """Not an unknown status: there is no order, and the key may be used again."""

    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            check = setup.gateway.kill_switch.check

            def fail(label: str) -> None:
                raise ValueError("a bug")

            setup.gateway.kill_switch.check = fail  # type: ignore[method-assign]  # the bug
            results = await setup.place_all([order(), order()], key="k")
            assert [to_code(result) for result in results] == ["order_failed"] * 2
            setup.gateway.kill_switch.check = check  # type: ignore[method-assign]
            results = await setup.place_all([order(), order()], key="k")
            assert [to_code(result) for result in results] == ["placed"] * 2

    run(main)
