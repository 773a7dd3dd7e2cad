"""Daemons that share the accounts and follow each other: each answers for every account."""

import asyncio

from realtime.runtime.account_registry import NO_OWNER
from tests.cluster.several import Several, play

PAIR = ("beta", "gamma")


def is_followed(several: Several) -> bool:
    """Whether every daemon has every account current."""
    return all(
        not several.record(name, label).link.is_stale
        for name in several.daemons
        for label in several.labels
    )


def other_of(owner: str) -> str:
    return "gamma" if owner == "beta" else "beta"


def test_every_daemon_answers_for_every_account_and_passes_orders_on() -> None:
    """From its own memory; an order takes one hop to the owner, which alone sends it."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        for number, label in enumerate(several.labels):
            owner = several.owner(label)
            for name in PAIR:
                reply = await several.ask(name, "GET", f"/realtime/dashboard/{label}")
                assert reply.status == 200
                assert reply.headers.get("X-Realtime-Owner") == (None if name == owner else owner)
                assert reply.headers["X-Realtime-Stale"] == "false"
            placed = await several.order(other_of(owner), label, f"mine-{number}")
            assert placed.status == 200
            assert several.broker.sent[-1].daemon == owner
            await several.until(lambda: is_followed(several), 30)

    play(scene, daemons=PAIR, has_mesh=True)


def test_the_accounts_of_a_dead_owner_are_read_by_rest_until_they_are_owned_again() -> None:
    """Responses are stale at once; what the broker knows is here within five seconds."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        label = next(x for x in several.labels if several.owner(x) == "beta")
        await several.kill("beta")
        await several.until(lambda: several.record("gamma", label).link.is_stale, 2)
        body = {"symbol": "MSFT", "qty": "3", "side": "buy", "type": "market"}
        order = several.broker.exchange.submit(label, {**body, "time_in_force": "day"})
        took_s = await several.until(
            lambda: order["id"] in several.record("gamma", label).state.orders, 20
        )
        assert took_s < 5.0
        record = several.record("gamma", label)
        assert record.link.is_stale
        assert several.owners(label) == []
        await several.until(several.all_synced, 60)
        assert several.record("gamma", label).owner is None

    play(scene, daemons=PAIR, has_mesh=True, slot_s=9.0)


def test_no_account_is_stale_for_longer_than_five_seconds_while_it_is_handed_over() -> None:
    """Nor unknown at any daemon, at any moment."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        engine = several.daemons["beta"].engine
        assert engine is not None
        assert engine.ownership is not None
        moved = [label for label in several.labels if several.owner(label) == "beta"]
        assert moved
        await engine.ownership.drain()
        loop = asyncio.get_running_loop()
        began: dict[tuple[str, str], float] = {}
        longest_s, ended_at = 0.0, loop.time() + 20
        while loop.time() < ended_at:
            for name in PAIR:
                for label in several.labels:
                    record = several.record(name, label)
                    assert record.has_data
                    if record.link.is_stale:
                        since = began.setdefault((name, label), loop.time())
                        longest_s = max(longest_s, loop.time() - since)
                    else:
                        began.pop((name, label), None)
            await asyncio.sleep(0.02)
        assert not began
        assert 0.0 < longest_s < 5.0
        for label in moved:
            assert several.record("beta", label).owner == "gamma"
            assert several.record("gamma", label).owner is None

    play(scene, daemons=PAIR, has_mesh=True)


def test_a_daemon_that_is_started_again_follows_its_former_accounts() -> None:
    """They belong to others meanwhile; it answers for them as soon as it has their feeds."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        await several.stop("beta")
        await several.until(several.all_synced, 30)
        await several.start("beta")
        took_s = await several.until(lambda: is_followed(several), 30)
        assert took_s < 5.0
        for label in several.labels:
            assert several.owner(label) == "gamma"
            assert several.record("beta", label).owner == "gamma"

    play(scene, daemons=PAIR, has_mesh=True)


def test_a_halt_without_an_account_is_answered_by_any_daemon() -> None:
    """It holds at all of them."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        halted = await several.ask("gamma", "POST", "/orders/halt", {"reason": "storm"})
        assert halted.status == 200
        await asyncio.sleep(0.1)
        for label in several.labels:
            refused = await several.order("beta", label, f"halted-{label}")
            assert (refused.status, refused.json["code"]) == (423, "orders_halted")
        assert (await several.ask("beta", "GET", "/orders/halt")).json["halted"]
        assert (await several.ask("beta", "POST", "/orders/resume", {})).status == 200
        await asyncio.sleep(0.1)
        for label in several.labels:
            assert (await several.order("gamma", label, f"free-{label}")).status == 200

    play(scene, daemons=PAIR, has_mesh=True)


def test_an_account_without_an_owner_stays_known() -> None:
    """Its last state is there, stale, and says that no daemon owns it."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        several.model.go_down(40)
        await several.kill("beta")
        await asyncio.sleep(10)
        for label in several.labels:
            record = several.record("gamma", label)
            assert record.has_data
            assert record.owner != NO_OWNER
            assert record.link.is_stale == (record.owner == "beta")

    play(scene, daemons=PAIR, has_mesh=True)


def test_an_owner_that_is_cut_off_from_etcd_gives_way_when_it_receives_its_successor() -> None:
    """By the feed: it closes its streams long before half a minute, and answers from the feed."""

    async def scene(several: Several) -> None:
        await several.start(*PAIR)
        await several.until(lambda: several.all_synced() and is_followed(several), 30)
        label = next(x for x in several.labels if several.owner(x) == "beta")
        several.cut_from_engine("beta", 1000)
        await several.until(lambda: "gamma" in several.owners(label), 10)
        await several.until(lambda: several.record("beta", label).owner == "gamma", 5)
        assert several.owners(label) == ["gamma"]
        await several.until(lambda: several.is_synced(label), 20)
        await several.until(lambda: not several.record("beta", label).link.is_stale, 5)

    play(scene, daemons=PAIR, has_mesh=True, slot_s=9.0)
