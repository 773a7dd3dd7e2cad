"""Intents whose answers are lost, come late, or meet a halt on their way."""

import asyncio

import pytest

from realtime.cluster.etcd_keys import IntentValue, Keys, decode
from realtime.cluster.etcd_types import Get
from realtime.errors import (
    EngineHalted,
    EngineUnreachable,
    IntentExists,
    NotOwner,
    RealtimeError,
)
from tests.cluster.fleets import HALT, ModelFleet, make_intent, run_on_model, wait_for

KEYS = Keys("test")


def in_store(fleet: ModelFleet) -> dict[str, str | None]:
    """Return the intents that the store has, and their outcomes."""
    found: dict[str, str | None] = {}
    for pair in fleet.model.get(Get(KEYS.all_intents, is_prefix=True)):
        value = decode(pair.value, IntentValue)
        assert value is not None
        found[value.intent.client_order_id] = value.outcome
    return found


@pytest.mark.parametrize("seed", range(20))
def test_an_order_whose_recording_was_answered_late_or_never_is_recorded_once(seed: int) -> None:
    """Answers are lost and transactions arrive seconds later: an order counts as recorded only if
    the store has it, and one that was refused does not stay open."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            client = fleet.clients["beta"]
            client.lost_answers, client.late = 0.3, 0.2
            recorded = []
            for number in range(20):
                try:
                    await beta.intend(make_intent(number=number))
                except RealtimeError:
                    beta.settle("alpha", f"order-{number}", "refused")
                else:
                    recorded.append(f"order-{number}")
                await asyncio.sleep(1.0)
            client.lost_answers = client.late = 0.0
            for order in recorded:
                assert in_store(fleet)[order] is None
            assert recorded

    run_on_model(main, seed=seed)


def test_a_lost_answer_is_found_by_its_marker_and_sent_once() -> None:
    """The intent in the store is this attempt's own: it is fenced again, and goes."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            client = fleet.clients["beta"]
            client.lost_answers = 1.0
            task = asyncio.create_task(beta.intend(make_intent()))
            await wait_for(lambda: "order-1" in in_store(fleet))
            client.lost_answers = 0.0
            await task
            assert in_store(fleet) == {"order-1": None}

    run_on_model(main)


def test_a_halt_that_comes_between_a_lost_answer_and_the_next_attempt_stops_the_order() -> None:
    """It is fenced again, not believed; and nothing stays open."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
            await beta.claim("alpha", reason="start")
            client = fleet.clients["beta"]
            client.lost_answers = 1.0
            task = asyncio.create_task(beta.intend(make_intent()))
            await wait_for(lambda: "order-1" in in_store(fleet))
            await gamma.set_halt(None, HALT)
            client.lost_answers = 0.0
            with pytest.raises(EngineHalted):
                await task
            beta.settle("alpha", "order-1", "refused")
            await wait_for(lambda: in_store(fleet) == {})

    run_on_model(main)


def test_an_intent_of_another_attempt_is_not_taken_for_this_one() -> None:
    """Another daemon recorded the same order: it is never sent a second time."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("gamma") as gamma:
            async with fleet.member("beta") as beta:
                await beta.claim("alpha", reason="start")
                await beta.intend(make_intent())
            await wait_for(lambda: "beta" not in gamma.members)
            await gamma.claim("alpha", reason="free")
            client = fleet.clients["gamma"]
            client.lost_answers = 1.0
            task = asyncio.create_task(gamma.intend(make_intent()))
            await asyncio.sleep(1.0)
            client.lost_answers = 0.0
            with pytest.raises(IntentExists):
                await task

    run_on_model(main)


def test_an_engine_that_is_down_refuses_orders_within_four_seconds_and_lets_closes_go() -> None:
    """As long as no other daemon can own the account."""

    async def main(fleet: ModelFleet) -> None:
        loop = asyncio.get_running_loop()
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            started_at = loop.time()
            fleet.model.go_down(30)
            close = asyncio.create_task(beta.intend(make_intent(number=2, reduces_risk=True)))
            with pytest.raises(EngineUnreachable):
                await beta.intend(make_intent())
            assert loop.time() - started_at < 4.0
            await close
            assert loop.time() - started_at < 4.0

    run_on_model(main)


def test_a_settled_intent_says_what_became_of_its_order() -> None:
    """A refused one is removed: its id may be used again. Any other stays for two days."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            for number in range(1, 5):
                await beta.intend(make_intent(number=number))
            beta.settle("alpha", "order-1", "placed")
            beta.settle("alpha", "order-2", "refused")
            beta.settle("alpha", "order-3", "not_found")
            beta.settle("alpha", "order-99", "placed")
            assert beta.intents.count_open("alpha") == 1
            expected = {"order-1": "placed", "order-3": "not_found", "order-4": None}
            await wait_for(lambda: in_store(fleet) == expected)
            leases = [pair.lease for pair in fleet.model.get(Get(KEYS.all_intents, is_prefix=True))]
            assert leases[2] == 0  # open: it stays until it is settled
            for lease in leases[:2]:
                assert 48 * 3600 <= fleet.model.leases[lease].ttl_s <= 50 * 3600

    run_on_model(main)


def test_an_order_that_waits_for_the_engine_while_its_owner_is_replaced_is_refused() -> None:
    """The first transaction that reaches etcd again fails, before the daemon has received anything
    of its successor."""

    async def main(fleet: ModelFleet) -> None:
        loop = asyncio.get_running_loop()
        async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
            await beta.claim("alpha", reason="start")
            client = fleet.clients["beta"]
            client.cut_until = cut_at = loop.time() + 6.0
            await asyncio.sleep(3.5)
            waiting = asyncio.create_task(beta.intend(make_intent()))
            await wait_for(lambda: "beta" not in gamma.members)
            assert await gamma.claim("alpha", reason="taken over") is not None
            assert loop.time() < cut_at
            with pytest.raises(NotOwner):
                await waiting
            assert loop.time() > cut_at
            assert in_store(fleet) == {}

    run_on_model(main)
