"""Which account an order goes to: the distribution of every strategy, and what is never chosen."""

import asyncio
import random
from collections import Counter

import msgspec
import pytest
from msgspec import structs

from realtime.auth.principal import Principal
from realtime.core.model import Account
from realtime.orders.errors import Declined
from realtime.orders.order_request import Placement
from realtime.orders.routing import Candidate, RoutingDecision, choose, find_restriction
from tests.orders.trading import ANYONE, broker, make_principal, order, trading
from tests.virtual import run

FIVE = [
    Candidate(label=label, tier="premium" if n % 2 else "basic")
    for n, label in enumerate(["alpha", "bravo", "charlie", "delta", "echo"])
]


def routed(
    request: Placement, candidates: list[Candidate], *, turn: int = 0, draw: float = 0.0
) -> RoutingDecision:
    return choose(request, candidates, ANYONE, turn=turn, draw=draw)


def test_round_robin_is_even() -> None:
    request = order(strategy="round_robin")
    chosen = [routed(request, FIVE, turn=n).account_id for n in range(500)]
    assert set(Counter(chosen).values()) == {100}
    assert len(set(chosen[:5])) == 5


def test_random_is_even_within_chance() -> None:
    rng = random.Random(7)
    request = order(strategy="random")
    chosen = Counter(routed(request, FIVE, draw=rng.random()).account_id for _ in range(10_000))
    # Five of 2000 expected, standard deviation 40: four of those.
    assert all(abs(count - 2000) < 160 for count in chosen.values())
    assert routed(request, FIVE, draw=0.999_999_999_999).account_id == "echo"


def test_hash_is_even_and_stable() -> None:
    keys = [f"key-{n}" for n in range(10_000)]
    before = {key: routed(order(routing_key=key), FIVE).account_id for key in keys}
    assert all(abs(count - 2000) < 160 for count in Counter(before.values()).values())
    again = {key: routed(order(routing_key=key), FIVE[::-1]).account_id for key in keys}
    assert again == before


def test_few_keys_move_when_accounts_change() -> None:
    """Only those of the account that leaves, and about a fifth to one that comes."""
    keys = [f"key-{n}" for n in range(5000)]
    before = {key: routed(order(routing_key=key), FIVE).account_id for key in keys}
    left = {key: routed(order(routing_key=key), FIVE[1:]).account_id for key in keys}
    moved = {key for key in keys if left[key] != before[key]}
    assert moved == {key for key in keys if before[key] == "alpha"}
    six = [*FIVE, Candidate(label="foxtrot")]
    joined = {key: routed(order(routing_key=key), six).account_id for key in keys}
    gone = [key for key in keys if joined[key] != before[key]]
    assert {joined[key] for key in gone} == {"foxtrot"}
    assert abs(len(gone) - 5000 / 6) < 110


def test_least_loaded_chooses_the_account_with_the_fewest_orders() -> None:
    busy = [structs.replace(c, open_orders=n, in_flight=4 - n) for n, c in enumerate(FIVE)]
    idle = [*busy, Candidate(label="foxtrot", open_orders=1, in_flight=1)]
    assert routed(order(strategy="least_loaded"), idle).account_id == "foxtrot"
    chosen = Counter(
        routed(order(strategy="least_loaded"), FIVE, turn=n).account_id for n in range(50)
    )
    assert set(chosen.values()) == {10}


def test_only_usable_accounts_are_chosen() -> None:
    """Enabled, synced, visible, of the requested tier and among the requested labels."""
    some = [
        structs.replace(FIVE[0], is_synced=False),
        structs.replace(FIVE[1], is_enabled=False),
        *FIVE[2:],
    ]
    request = order(strategy="round_robin")

    def choose_ten(request: Placement, principal: Principal = ANYONE) -> set[str]:
        return {choose(request, some, principal, turn=n, draw=0).account_id for n in range(10)}

    assert choose_ten(request) == {"charlie", "delta", "echo"}
    assert choose_ten(structs.replace(request, force=True)) == {"alpha", "charlie", "delta", "echo"}
    assert choose_ten(structs.replace(request, tier="basic")) == {"charlie", "echo"}
    assert choose_ten(structs.replace(request, labels=("delta", "bravo"))) == {"delta"}
    assert choose_ten(request, make_principal(accounts=frozenset({"echo"}))) == {"echo"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "account_required"),
        ({"strategy": "hash"}, "account_required"),
        ({"account_id": "nobody"}, "unknown_account"),
        ({"account_id": "alpha", "tier": "premium"}, "no_account"),
        ({"tier": "none", "strategy": "random"}, "no_account"),
    ],
)
def test_a_request_that_fits_no_account_is_refused(more: dict[str, object], code: str) -> None:
    with pytest.raises(Declined) as refused:
        routed(order(**more), FIVE)
    assert refused.value.code == code


def test_an_account_that_a_principal_may_not_see_does_not_exist_for_it() -> None:
    with pytest.raises(Declined) as refused:
        choose(
            order(account_id="alpha"), FIVE, make_principal(accounts=frozenset({"bravo"})),
            turn=0, draw=0,
        )  # fmt: skip
    assert refused.value.code == "unknown_account"


@pytest.mark.parametrize(
    ("fields", "restriction"),
    [
        ({}, None),
        ({"status": "ACTIVE"}, None),
        ({"trading_blocked": True}, "trading_blocked"),
        ({"account_blocked": True}, "account_blocked"),
        ({"trade_suspended_by_user": True}, "trade_suspended_by_user"),
        ({"trading_blocked": False, "account_blocked": False}, None),
        ({"status": "ACCOUNT_CLOSED"}, "status ACCOUNT_CLOSED"),
        ({"status": "SUBMITTED"}, "status SUBMITTED"),
    ],
    ids=str,
)
def test_an_account_that_the_broker_restricts(
    fields: dict[str, object], restriction: str | None
) -> None:
    account = msgspec.convert({"id": "a", "account_number": "PA0EXAMPLE01", **fields}, Account)
    assert find_restriction(account) == restriction
    assert find_restriction(None) is None


@pytest.mark.parametrize("strategy", ["round_robin", "random", "least_loaded"])
def test_a_restricted_account_is_never_chosen(strategy: str) -> None:
    """Not even by force; an order that names it is refused before it leaves."""

    async def main() -> None:
        restrictions = {"alpha": "trading_blocked"}
        async with (
            broker(accounts=2) as simulator,
            trading(simulator, restrictions=restrictions) as setup,
        ):
            for force in (False, True):
                placed = await setup.place(order(strategy=strategy, force=force))
                assert placed.account_id == "bravo"
                with pytest.raises(Declined, match="trading_blocked") as error:
                    await setup.place(order(account_id="alpha", force=force))
                assert error.value.code == "account_restricted"
                assert not error.value.reached_broker
            assert not setup.ids("alpha")

    run(main)


def test_a_single_account_needs_no_routing() -> None:
    assert routed(order(), FIVE[:1]) == RoutingDecision(
        account_id="alpha", strategy="only", among=1
    )


def test_a_batch_sees_its_own_orders() -> None:
    """Orders that have just started count: no account receives them all."""

    async def main() -> list[int]:
        async with broker(accounts=3) as simulator, trading(simulator) as setup:
            simulator.add_fault({"kind": "latency", "seconds": 1})
            held = asyncio.create_task(setup.place(order(account_id="alpha")))
            await asyncio.sleep(0.5)
            await setup.place_all([order(strategy="least_loaded")] * 8)
            await held
            return [len(setup.ids(label)) for label in ("alpha", "bravo", "charlie")]

    assert run(main) == [3, 3, 3]


def test_requests_that_alternate_do_not_share_their_turns() -> None:
    """A request for other accounts, or for one by name, in between changes no distribution."""

    async def main() -> Counter[str]:
        async with broker(accounts=4) as simulator, trading(simulator) as setup:
            chosen: Counter[str] = Counter()
            for _ in range(10):
                for labels in (("alpha", "bravo"), ("charlie", "delta")):
                    request = order(strategy="round_robin", labels=labels)
                    chosen[setup.gateway.router.route(request, ANYONE).account_id] += 1
                setup.gateway.router.route(order(account_id="alpha"), ANYONE)
            return chosen

    assert set(run(main).values()) == {5}
