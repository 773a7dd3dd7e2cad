"""The contract of a coordinator, on the model in virtual time and on three real etcd servers; and,
as far as it has one daemon, on `Alone`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial

import pytest

from realtime.cluster.coordinator import Coordinator
from realtime.errors import EngineHalted, IntentExists, NotOwner
from tests.cluster.etcd_servers import EtcdServers, etcd_servers
from tests.cluster.fleets import (
    HALT,
    AloneFleet,
    EtcdFleet,
    FleetOfTests,
    make_intent,
    run_on_etcd,
    run_on_model,
    wait_for,
)
from tests.virtual import run

CLAIMERS = 8
ROUNDS_ON_MODEL = 1000
ROUNDS_BY_DEFAULT = 150
ROUNDS_ON_ETCD = 50


@pytest.fixture(scope="module")
def servers() -> Iterator[EtcdServers]:
    """Three real servers for the tests of this file."""
    with etcd_servers() as running:
        yield running


# what one daemon alone fulfills, too


async def own_and_order(fleet: FleetOfTests) -> None:
    """The owner of an account may order; nothing is left open once it is settled."""
    async with fleet.member("alpha-1") as coordinator:
        assert list(coordinator.members) == ["alpha-1"]
        assignment = await coordinator.claim("alpha", reason="start")
        assert assignment is not None
        assert (assignment.account, assignment.owner) == ("alpha", "alpha-1")
        assert coordinator.assignments["alpha"] == assignment
        assert await coordinator.claim("alpha", reason="again") == assignment
        coordinator.check("alpha")
        await coordinator.intend(make_intent())
        coordinator.check("alpha", reduces_risk=True)
        coordinator.settle("alpha", "order-1", "placed")
        assert list(await coordinator.recall("alpha")) == []


def test_one_daemon_alone_owns_what_it_claims() -> None:
    """Without an engine."""

    async def main() -> None:
        await own_and_order(AloneFleet())

    run(main)


# what needs several


async def one_winner(fleet: EtcdFleet, rounds: int) -> None:
    """Of eight that claim at once one wins; all see it, and its epoch is the highest so far."""
    async with AsyncExitStack() as stack:
        claimers = [
            await stack.enter_async_context(fleet.member(f"m{number}"))
            for number in range(CLAIMERS)
        ]
        for round_ in range(rounds):
            account = f"account-{round_}"
            results = await asyncio.gather(*(c.claim(account, reason="start") for c in claimers))
            winners = [assignment for assignment in results if assignment is not None]
            assert len(winners) == 1
            await wait_for(partial(is_owner_everywhere, claimers, account, winners[0].owner))
            assert sum(may_order(c, account) for c in claimers) == 1


async def stale_owner(fleet: EtcdFleet, _: int) -> None:
    """After a hand-over the former owner records nothing, even if it has not noticed."""
    async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
        await beta.claim("alpha", reason="start")
        await beta.intend(make_intent(number=1))
        view_before = dict(beta.view.assignments)
        await wait_for(lambda: "gamma" in beta.members)
        handed = await beta.hand_over("alpha", "gamma", reason="drain")
        await wait_for(lambda: may_order(gamma, "alpha"))
        assert gamma.assignments["alpha"] == handed
        with pytest.raises(NotOwner):
            await beta.intend(make_intent(number=2))
        beta.view.assignments.update(view_before)  # as if its watch were late
        with pytest.raises(NotOwner) as refusal:
            await beta.intend(make_intent(number=3))
        assert refusal.value.owner == "gamma"
        await gamma.intend(make_intent(number=4))
        assert [x.client_order_id for x in await gamma.recall("alpha")] == ["order-1"]


async def epochs_rise(fleet: EtcdFleet, _: int) -> None:
    """With each claim and hand-over, back and forth, and over a release."""
    epochs = []
    async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
        claimed = await beta.claim("alpha", reason="start")
        assert claimed is not None
        epochs.append(claimed.epoch)
        for giver, taker in ((beta, gamma), (gamma, beta)) * 2:
            await wait_for(partial(may_hand_over, giver, "alpha"))
            epochs.append((await giver.hand_over("alpha", taker_name(taker), reason="x")).epoch)
        await wait_for(lambda: may_order(beta, "alpha"))
        epochs.append((await beta.hand_over("alpha", None, reason="released")).epoch)
        await wait_for(lambda: owner_of(gamma, "alpha") is None)
        again = await gamma.claim("alpha", reason="free")
        assert again is not None
        epochs.append(again.epoch)
    assert epochs == sorted(set(epochs))


async def halts_refuse(fleet: EtcdFleet, _: int) -> None:
    """Once a halt is written no daemon records a new order, also before it has received the halt;
    a close goes, and all goes on after the release."""
    async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
        await beta.claim("alpha", reason="start")
        await beta.claim("delta", reason="start")
        await gamma.set_halt(None, HALT)
        for account in ("alpha", "delta"):
            with pytest.raises(EngineHalted):
                await beta.intend(make_intent(account, 1))
        await beta.intend(make_intent("alpha", 2, reduces_risk=True))
        await gamma.set_halt(None, None)
        await beta.intend(make_intent("alpha", 3))

        await gamma.set_halt("alpha", HALT)
        with pytest.raises(EngineHalted):
            await beta.intend(make_intent("alpha", 4))
        await beta.intend(make_intent("delta", 4))
        await beta.intend(make_intent("alpha", 5, reduces_risk=True))
        await wait_for(lambda: beta.halts == gamma.halts == {"alpha": HALT})
        await gamma.set_halt("alpha", None)
        await beta.intend(make_intent("alpha", 6))


async def recorded_once(fleet: EtcdFleet, _: int) -> None:
    """An id that is recorded is not recorded again, by this or by a later owner, until it is known
    that there is no such order."""
    async with fleet.member("gamma") as gamma:
        async with fleet.member("beta") as beta:
            await beta.claim("alpha", reason="start")
            await beta.intend(make_intent(number=1))
            await beta.intend(make_intent(number=2))
            await beta.intend(make_intent(number=3))
            beta.settle("alpha", "order-2", "placed")
            with pytest.raises(IntentExists) as refusal:
                await beta.intend(make_intent(number=1))
            assert refusal.value.is_same
            with pytest.raises(IntentExists) as refusal:
                await beta.intend(make_intent(number=1, fingerprint="another"))
            assert not refusal.value.is_same
            beta.settle("alpha", "order-3", "refused")
            await beta.intend(make_intent(number=3))
            beta.settle("alpha", "order-3", "refused")
        await wait_for(lambda: "beta" not in gamma.members)
        assert await gamma.claim("alpha", reason="taken over") is not None
        assert [x.client_order_id for x in await gamma.recall("alpha")] == ["order-1"]
        for number in (1, 2):
            with pytest.raises(IntentExists):
                await gamma.intend(make_intent(number=number))
        await gamma.intend(make_intent(number=3))
        gamma.settle("alpha", "order-1", "not_found")
        await gamma.intend(make_intent(number=1))


async def many_at_once(fleet: EtcdFleet, _: int) -> None:
    """A thousand orders of a hundred accounts in few transactions: those of an account that was
    handed over are refused, and all others are recorded."""
    async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
        accounts = [f"account-{number}" for number in range(20)]
        await asyncio.gather(*(beta.claim(account, reason="start") for account in accounts))
        view_before = dict(beta.view.assignments)
        await wait_for(lambda: "gamma" in beta.members)
        await beta.hand_over("account-7", "gamma", reason="drain")
        beta.view.assignments.update(view_before)
        results = await asyncio.gather(
            *(beta.intend(make_intent(accounts[n % 20], n)) for n in range(1000)),
            return_exceptions=True,
        )
        refused = [n for n, result in enumerate(results) if result is not None]
        assert refused == [n for n in range(1000) if n % 20 == 7]
        assert all(isinstance(results[n], NotOwner) for n in refused)
        await wait_for(lambda: may_order(gamma, "account-7"))
        assert len(await gamma.recall("account-8")) == 50


async def lost_lease(fleet: EtcdFleet, _: int) -> None:
    """A member whose lease has ended owns nothing, whatever it believes; the next claimer wins."""
    async with fleet.member("beta") as beta, fleet.member("gamma") as gamma:
        claimed = await beta.claim("alpha", reason="start")
        assert claimed is not None
        assert await gamma.claim("alpha", reason="too early") is None
        await gamma._client.revoke(beta.lease.id)  # as if it had not been renewed
        await wait_for(lambda: "beta" not in gamma.members)
        taken = await gamma.claim("alpha", reason="taken over from beta")
        assert taken is not None
        assert taken.epoch > claimed.epoch
        with pytest.raises(NotOwner):
            await beta.intend(make_intent(number=1))
        await wait_for(lambda: "beta" in gamma.members)  # it has joined again, with another lease
        assert not may_order(beta, "alpha")


CONTRACT: list[Callable[[EtcdFleet, int], Awaitable[None]]] = [
    one_winner,
    stale_owner,
    epochs_rise,
    halts_refuse,
    recorded_once,
    many_at_once,
    lost_lease,
]


@pytest.mark.parametrize("statement", CONTRACT, ids=lambda statement: statement.__name__)
def test_the_model_fulfills_the_contract(
    statement: Callable[[EtcdFleet, int], Awaitable[None]],
) -> None:
    """In virtual time."""
    run_on_model(lambda fleet: statement(fleet, ROUNDS_BY_DEFAULT))


@pytest.mark.slow
def test_one_of_eight_claimers_wins_a_thousand_times() -> None:
    """In virtual time."""
    run_on_model(lambda fleet: one_winner(fleet, ROUNDS_ON_MODEL))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("statement", CONTRACT, ids=lambda statement: statement.__name__)
def test_etcd_fulfills_the_contract(
    statement: Callable[[EtcdFleet, int], Awaitable[None]], servers: EtcdServers
) -> None:
    """Three real servers."""
    run_on_etcd(
        lambda fleet: statement(fleet, ROUNDS_ON_ETCD), servers.endpoints, statement.__name__
    )


@pytest.mark.slow
def test_etcd_lets_one_daemon_own_and_order(servers: EtcdServers) -> None:
    """As one daemon alone does."""
    run_on_etcd(own_and_order, servers.endpoints, "alone")


def is_owner_everywhere(
    coordinators: Sequence[Coordinator], account: str, owner: str | None
) -> bool:
    return all(owner_of(coordinator, account) == owner for coordinator in coordinators)


def may_hand_over(coordinator: Coordinator, account: str) -> bool:
    return len(coordinator.members) == 2 and may_order(coordinator, account)


def owner_of(coordinator: Coordinator, account: str) -> str | None:
    assignment = coordinator.assignments.get(account)
    return None if assignment is None else assignment.owner


def taker_name(coordinator: Coordinator) -> str:
    name: str = coordinator._name  # type: ignore[attr-defined]  # the tests' own look inside
    return name


def may_order(coordinator: Coordinator, account: str) -> bool:
    try:
        coordinator.check(account)
    except NotOwner:
        return False
    return True
