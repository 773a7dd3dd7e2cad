"""The lease: how long it may be relied on, and what ends it."""

import asyncio

import pytest

from realtime.cluster.etcd_lease import DEADLINE_S, LEASE_TTL_S, REDUCING_S
from realtime.errors import EngineUnreachable, NotOwner
from tests.cluster.fleets import ModelFleet, make_intent, run_on_model, wait_for


def test_orders_stop_before_any_other_daemon_can_claim() -> None:
    """Four seconds after the last renewal that was answered was sent; closes a second later; the
    claim of another member not before that."""

    async def main(fleet: ModelFleet) -> None:
        loop = asyncio.get_running_loop()
        async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
            await beta.claim("alpha", reason="start")
            fleet.clients["beta"].cut_until = loop.time() + 60
            stopped_at = 0.0
            while await gamma.claim("alpha", reason="taken over") is None:
                if not stopped_at and not may(beta):
                    stopped_at = loop.time()
                    assert may(beta, reduces_risk=True)
                await asyncio.sleep(0.01)
            assert not may(beta, reduces_risk=True)
            assert loop.time() - stopped_at == pytest.approx(LEASE_TTL_S - DEADLINE_S, abs=0.05)
            assert REDUCING_S <= LEASE_TTL_S - DEADLINE_S

    run_on_model(main)


def test_a_machine_that_was_suspended_stops_at_once() -> None:
    """Its clock went on: the first check refuses, before any answer of the engine."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            assert may(beta)
            fleet.paused_s["beta"] = 60.0
            assert not may(beta)
            assert not may(beta, reduces_risk=True)
            with pytest.raises(NotOwner):
                await beta.intend(make_intent())

    run_on_model(main)


def test_a_lease_that_etcd_kept_counts_again_after_an_outage() -> None:
    """While etcd is down no lease ends, so the owner is still the owner afterwards."""

    async def main(fleet: ModelFleet) -> None:
        async with fleet.member("beta") as beta:
            claimed = await beta.claim("alpha", reason="start")
            fleet.model.go_down(20)
            await wait_for(lambda: not may(beta))
            with pytest.raises((NotOwner, EngineUnreachable)):
                await beta.intend(make_intent())
            await wait_for(lambda: may(beta))
            assert beta.assignments["alpha"] == claimed
            assert beta.lease.losses == 0
            await beta.intend(make_intent())

    run_on_model(main)


def test_a_lease_that_has_ended_is_followed_by_another_one() -> None:
    """The daemon joins again and owns nothing until it claims."""

    async def main(fleet: ModelFleet) -> None:
        loop = asyncio.get_running_loop()
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            before = beta.lease.id
            fleet.clients["beta"].cut_until = loop.time() + 8
            await wait_for(lambda: beta.lease.id not in (0, before))
            assert not may(beta)
            assert await beta.claim("alpha", reason="own again") is not None
            assert may(beta)

    run_on_model(main)


def test_a_daemon_that_ends_in_order_frees_its_accounts_at_once() -> None:
    """Its lease is revoked; a killed one's ends by itself."""

    async def main(fleet: ModelFleet) -> None:
        loop = asyncio.get_running_loop()
        async with fleet.member("gamma") as gamma:
            async with fleet.member("beta") as beta:
                await beta.claim("alpha", reason="start")
            ended_at = loop.time()
            await wait_for(lambda: "beta" not in gamma.members)
            assert await gamma.claim("alpha", reason="free") is not None
            assert loop.time() - ended_at < 0.1

    run_on_model(main)


def may(coordinator: object, *, reduces_risk: bool = False) -> bool:
    try:
        coordinator.check("alpha", reduces_risk=reduces_risk)  # type: ignore[attr-defined]
    except NotOwner:
        return False
    return True
