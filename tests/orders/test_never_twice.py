"""Each order once, and its result as it is: thousands of orders, every kind of lost response."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from realtime.broker.order_api import OrderResponse
from realtime.orders.errors import Declined, Unresolved
from realtime.orders.order_request import build_body
from realtime.orders.results import Placed
from tests.orders.trading import TradingSetup, broker, order, trading
from tests.orders.wire import wire_to
from tests.virtual import run

FAULTS: dict[str, dict[str, object]] = {
    "no answer, taken": {"kind": "no_answer", "performed": True},
    "no answer, not taken": {"kind": "no_answer", "performed": False},
    "504 after acceptance": {"kind": "accepted_but_504"},
    "503": {"kind": "server_error", "status": 503},
    "500": {"kind": "server_error", "status": 500},
    "429": {"kind": "rate_limited"},
    "429 without headers": {"kind": "rate_limited", "headers": False},
    "401": {"kind": "unauthorized", "html": True},
    "late": {"kind": "latency", "seconds": 14.0, "jitter_s": 6.0},
    "slow": {"kind": "latency", "seconds": 0.5, "jitter_s": 0.5},
}


def check_result(setup: TradingSetup, label: str, outcome: object, client_order_id: str) -> None:
    """The result agrees with the broker's books."""
    count = setup.ids(label).count(client_order_id)
    assert count <= 1, f"{client_order_id} is there {count} times"
    match outcome:
        case Placed():
            assert outcome.client_order_id == client_order_id
            assert count == 1, f"{client_order_id} was reported as placed"
        case Declined():
            assert count == 0, f"{client_order_id} was refused by {outcome.code}, and is there"
        case Unresolved():
            assert outcome.client_order_id == client_order_id
        case _:
            raise AssertionError(outcome)


async def attempt(
    setup: TradingSetup, label: str, client_order_id: str
) -> Placed | Declined | Unresolved:
    try:
        request = order(account_id=label, client_order_id=client_order_id)
        return await setup.place(request)
    except (Declined, Unresolved) as error:
        return error


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_under_one_fault_an_order_is_placed_at_most_once(fault: dict[str, object]) -> None:
    """At most one order, and its result as it is."""

    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            simulator.add_fault({**fault, "method": "POST", "count": 3})
            outcomes = {f"o-{n}": await attempt(setup, "alpha", f"o-{n}") for n in range(4)}
            await asyncio.sleep(60)
            for name, outcome in outcomes.items():
                check_result(setup, "alpha", outcome, name)
            if fault["kind"] in ("accepted_but_504", "no_answer") and fault.get("performed", True):
                assert all(isinstance(result, Placed) for result in outcomes.values())

    run(main)


def test_an_order_whose_response_is_lost_is_looked_up_and_not_sent_again() -> None:
    async def main() -> tuple[str, int]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            simulator.add_fault({"kind": "accepted_but_504", "method": "POST", "count": 1})
            outcome = await setup.place(order(account_id="alpha"))
            return outcome.how, setup.posts("alpha")

    assert run(main) == ("recovered", 2)


LABELS = 6
ORDERS = 50


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_thousands_of_orders_under_faults_are_each_placed_once(seed: int) -> None:
    """Faults and cuts at random, callers that repeat: every order once, and each in the end."""

    async def main() -> Counter[str]:
        rng = random.Random(seed)
        async with (
            broker(accounts=LABELS, seed=seed, requests_per_minute=100_000) as simulator,
            wire_to(simulator.port, rng, own_port=8092) as wire,
            trading(simulator, seed=seed, url="http://127.0.0.1:8092") as setup,
        ):
            wire.before, wire.after = 0.05, 0.05
            results: Counter[str] = Counter()

            async def add_faults() -> None:
                while True:
                    await asyncio.sleep(rng.uniform(0, 2))
                    if len(simulator.faults.list_active()) > 3:
                        continue
                    fault = rng.choice(list(FAULTS.values()))
                    method = rng.choice(["POST", "POST", "GET"])
                    simulator.add_fault({**fault, "method": method, "count": rng.randint(1, 3)})

            async def repeat(label: str, client_order_id: str) -> None:
                await asyncio.sleep(rng.uniform(0, 100))
                for _ in range(240):  # naive: it repeats without regard to the request budget
                    outcome = await attempt(setup, label, client_order_id)
                    check_result(setup, label, outcome, client_order_id)
                    results[type(outcome).__name__] += 1
                    if isinstance(outcome, Placed):
                        return
                    wait_s = getattr(outcome, "retry_after_s", None) or 1
                    await asyncio.sleep(wait_s + rng.uniform(0, 5))
                raise AssertionError(f"{client_order_id} was never placed")

            labels = list(simulator.exchange.labels)
            faults = asyncio.create_task(add_faults())
            async with asyncio.TaskGroup() as tasks:
                for label in labels:
                    for n in range(ORDERS):
                        tasks.create_task(repeat(label, f"{label}-{n}"))
            faults.cancel()
            simulator.faults.clear()
            await asyncio.sleep(60)
            for label in labels:
                assert sorted(setup.ids(label)) == sorted(f"{label}-{n}" for n in range(ORDERS))
            results["cuts"] = wire.cuts
            return results

    results = run(main, limit_s=36_000)
    assert results["Placed"] == LABELS * ORDERS
    assert results["Unresolved"] > 10
    assert results["Declined"] > 10
    assert results["cuts"] > 20


def test_a_key_results_in_one_order() -> None:
    """However often, and however close together, it is sent."""

    async def main() -> None:
        async with broker(accounts=2) as simulator, trading(simulator) as setup:
            simulator.add_fault({"kind": "latency", "seconds": 1, "method": "POST"})
            request = order(strategy="round_robin")
            placed = await asyncio.gather(*(setup.place(request, key="k-1") for _ in range(20)))
            again = await setup.place(request, key="k-1")
            assert len({each.order.id for each in [*placed, again]}) == 1
            assert again.how == "replayed"
            assert len(setup.ids("alpha") + setup.ids("bravo")) == 1
            with pytest.raises(Declined, match="another call"):
                await setup.place(order(strategy="round_robin", qty="2"), key="k-1")

    run(main)


@pytest.mark.parametrize("keeps_journal", [True, False])
def test_a_key_survives_a_restart(tmp_path: Path, keeps_journal: bool) -> None:
    """With the journal, and even without: the order's id is derived from the key."""
    path = tmp_path / "orders.jsonl"

    async def main() -> None:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, seed=1, journal=path) as setup:
                first = await setup.place(order(), key="k-1")
                lost = await attempt(setup, "alpha", "own-1")
                assert isinstance(lost, Placed)
            if not keeps_journal:
                path.unlink()
            async with trading(simulator, seed=2, journal=path) as setup:
                again = await setup.place(order(), key="k-1")
                assert again.order.id == first.order.id
                assert setup.ids("alpha").count(first.client_order_id) == 1
                assert len(setup.ids("alpha")) == 2

    run(main)


def test_an_order_that_was_cut_off_is_looked_up_after_a_restart(tmp_path: Path) -> None:
    """What the journal shows as intended is looked up before it is sent again."""
    path = tmp_path / "orders.jsonl"

    async def main() -> tuple[str, int]:
        async with broker(accounts=1) as simulator:
            async with trading(simulator, seed=1, journal=path) as setup:
                simulator.add_fault({"kind": "no_answer", "performed": True, "method": "POST"})
                task = asyncio.create_task(setup.place(order(), key="k-1"))
                await asyncio.sleep(0.5)
                task.cancel()
            simulator.faults.clear()
            async with trading(simulator, seed=2, journal=path) as setup:
                again = await setup.place(order(), key="k-1")
                return again.how, len(setup.ids("alpha"))

    assert run(main) == ("recovered", 1)


def test_a_caller_that_leaves_does_not_stop_its_order() -> None:
    async def main() -> int:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            simulator.add_fault({"kind": "latency", "seconds": 2, "method": "POST"})
            task = asyncio.create_task(setup.place(order(client_order_id="o-1")))
            await asyncio.sleep(1)
            task.cancel()
            again = await setup.place(order(client_order_id="o-1"))
            assert again.how == "replayed"
            return len(setup.ids("alpha"))

    assert run(main) == 1


def test_a_lost_close_is_found_although_its_position_is_gone() -> None:
    """A close of unknown status is repeated with its key: it is looked up before anything is read
    that it may have changed."""

    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(qty="5"))
            await asyncio.sleep(20)
            simulator.add_fault({"kind": "accepted_but_504", "method": "POST", "count": 1})
            # The position is read, then no lookup works any more.
            simulator.add_fault({"kind": "server_error", "path": "/v2/orders:", "count": 50})
            with pytest.raises(Unresolved):
                await setup.close_position("alpha", "AAPL", key="k")
            simulator.faults.clear()
            await asyncio.sleep(5)
            assert not simulator.exchange.positions("alpha")
            closed = await setup.close_position("alpha", "AAPL", key="k")
            assert (closed.order.side, closed.order.qty) == ("sell", "5")
            assert len(setup.ids("alpha")) == 2

    run(main)


def test_a_refusal_of_a_repeated_order_says_nothing_about_the_first() -> None:
    """Sent without a response, sent again and refused: the first may exist all the same. So it is
    reported as unknown, until it is found."""

    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            await setup.place(order(qty="5"))
            await asyncio.sleep(20)
            simulator.add_fault({"kind": "accepted_but_504", "method": "POST", "count": 1})
            simulator.add_fault({"kind": "server_error", "path": "/v2/orders:", "for_s": 30})
            for _ in range(2):
                # The second time the position is gone, because the first has closed it.
                with pytest.raises(Unresolved):
                    await setup.close_position("alpha", "AAPL", key="k")
                await asyncio.sleep(3)
            await asyncio.sleep(30)
            closed = await setup.close_position("alpha", "AAPL", key="k")
            assert (closed.order.side, closed.order.qty) == ("sell", "5")
            assert len(setup.ids("alpha")) == 2

    run(main)


def test_a_halt_after_an_order_was_lost() -> None:
    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            simulator.add_fault({"kind": "server_error", "method": "POST", "count": 1})
            with pytest.raises(Unresolved):
                await setup.place(order(), key="k")
            setup.gateway.kill_switch.halt(None, reason="", principal="ops")
            with pytest.raises(Unresolved, match="orders are halted"):
                await setup.place(order(), key="k")
            assert not setup.ids("alpha")
            setup.gateway.kill_switch.resume(None, principal="ops")
            assert (await setup.place(order(), key="k")).how == "confirmed"

    run(main)


def test_a_response_about_another_order_is_none() -> None:
    """A proxy that mixes up responses: ours is looked up."""

    async def main() -> tuple[str | None, bool]:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            other = await setup.place(order(client_order_id="other"))
            order_client = setup.gateway.order_clients["alpha"]

            async def send_mixed_up() -> OrderResponse:
                await order_client.api.submit(build_body(order(client_order_id="ours")))
                return OrderResponse(other.order, None)

            response, was_recovered = await order_client.send(
                "ours", send_mixed_up, has_left=lambda: True, is_ours=True
            )
            return response.order.client_order_id, was_recovered

    assert run(main) == ("ours", True)


def test_an_order_of_unknown_status_is_looked_up_in_the_background() -> None:
    """Its status is known once it is found."""

    async def main() -> None:
        async with broker(accounts=1) as simulator, trading(simulator) as setup:
            simulator.add_fault({"kind": "latency", "seconds": 30, "method": "POST", "count": 1})
            with pytest.raises(Unresolved) as lost:
                await setup.place(order(client_order_id="o-1"))
            assert lost.value.client_order_id == "o-1"
            await asyncio.sleep(60)
            record = setup.gateway.index.get_by_id("alpha", "o-1")
            assert record is not None
            assert record.state in ("placed", "unknown")
            assert setup.ids("alpha").count("o-1") <= 1

    run(main)
