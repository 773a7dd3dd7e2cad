"""Several daemons, one fleet: each account has one owner, whatever starts, stops and fails."""

import asyncio

import pytest

from realtime.runtime.ownership import SLOT_S
from tests.cluster.several import Several, play

pytestmark = pytest.mark.slow  # several daemons each


def test_daemons_that_start_together_share_the_accounts() -> None:
    """Each is owned and connected once; the broker refuses no second connection."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma", "delta")
        await several.until(several.all_synced, 20)
        owners = [several.owner(label) for label in several.labels]
        assert len(set(owners)) > 1
        for label in several.labels:
            assert several.broker.counters.get(label).get("sessions_refused", 0) == 0

    play(scene, accounts=12)


def test_an_order_goes_at_its_owner_only() -> None:
    """Any other daemon refuses it, and names the owner."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma")
        await several.until(several.all_synced, 20)
        label = several.labels[0]
        owner = several.owner(label)
        other = "gamma" if owner == "beta" else "beta"
        refused = await several.order(other, label, "mine-1")
        assert (refused.status, refused.json["code"]) == (503, "not_owner")
        assert owner in refused.json["detail"]
        assert refused.headers["Retry-After"] == "2"
        placed = await several.order(owner, label, "mine-1")
        assert placed.status == 200
        assert [sent.daemon for sent in several.broker.sent] == [owner]

    play(scene, daemons=("beta", "gamma"))


def test_a_daemon_that_ends_in_order_is_followed_at_once() -> None:
    """Its lease is revoked and its sockets are closed: others have its accounts synced within five
    seconds."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma", "delta")
        await several.until(several.all_synced, 20)
        assert "beta" in [several.owner(label) for label in several.labels]
        await several.stop("beta")
        took_s = await several.until(several.all_synced, 20)
        assert took_s < 5.0

    play(scene, accounts=12)


def test_the_accounts_of_a_killed_daemon_are_owned_again_within_six_seconds() -> None:
    """Its process is gone and its sockets are cut; the broker counts each for 9 s here."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma", "delta")
        await several.until(several.all_synced, 20)
        assert "beta" in [several.owner(label) for label in several.labels]
        await several.kill("beta")
        owned_s = await several.until(
            lambda: all(len(several.owners(label)) == 1 for label in several.labels), 20
        )
        assert owned_s < 6.0
        synced_s = await several.until(several.all_synced, 60)
        assert synced_s < 25.0

    play(scene, accounts=12, slot_s=9.0)


def test_the_stream_of_a_machine_that_died_is_back_when_the_broker_frees_it() -> None:
    """Attempts come every 8 to 12 s for as long as the broker may count the lost connection."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma")
        await several.until(several.all_synced, 20)
        lost = [label for label in several.labels if several.owner(label) == "beta"]
        assert lost
        await several.kill("beta", is_machine=True)
        freed_s = await several.until(
            lambda: not any(several.broker.is_slot_taken(label) for label in lost), 200
        )
        assert 60.0 < freed_s < SLOT_S
        assert await several.until(several.all_synced, 200) < 13.0

    play(scene, daemons=("beta", "gamma"), accounts=8, slot_s=60.0)


def test_a_drained_daemon_hands_over_every_account() -> None:
    """One after another: no account is unowned for longer than five seconds, and the drained daemon
    claims none."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma")
        await several.until(several.all_synced, 20)
        engine = several.daemons["beta"].engine
        assert engine is not None
        assert engine.ownership is not None
        await engine.ownership.drain()
        await several.until(lambda: not engine.ownership.owned, 20)  # type: ignore[union-attr]
        took_s = await several.until(several.all_synced, 20)
        assert took_s < 5.0
        await asyncio.sleep(60)
        assert {several.owner(label) for label in several.labels} == {"gamma"}

    play(scene, daemons=("beta", "gamma"))


def test_a_daemon_that_joins_gets_its_share() -> None:
    """A minute later, and each account is connected once at a time."""

    async def scene(several: Several) -> None:
        await several.start("beta")
        await several.until(several.all_synced, 20)
        await several.start("gamma")
        await asyncio.sleep(50)
        assert {several.owner(label) for label in several.labels} == {"beta"}
        await several.until(
            lambda: (
                several.all_synced()
                and {several.owner(label) for label in several.labels} == {"beta", "gamma"}
            ),
            60,
        )
        for label in several.labels:
            assert several.broker.counters.get(label).get("sessions_refused", 0) == 0

    play(scene, daemons=("beta", "gamma"), accounts=12)


def test_an_owner_that_is_cut_off_from_the_engine_stops_before_it_is_replaced() -> None:
    """Its orders are refused after four seconds; its streams end when it learns of its successor,
    or after half a minute."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma")
        await several.until(several.all_synced, 20)
        label = next(x for x in several.labels if several.owner(x) == "beta")
        several.cut_from_engine("beta", 1000)
        await asyncio.sleep(4.2)
        refused = await several.order("beta", label, "late-1")
        assert (refused.status, refused.json["code"]) == (503, "not_owner")
        await several.until(lambda: "gamma" in several.owners(label), 10)
        await several.until(lambda: several.record("gamma", label).link.is_synced, 60)
        assert not several.record("beta", label).link.is_synced
        assert several.broker.sent == []

    play(scene, daemons=("beta", "gamma"))


def test_while_the_engine_is_down_streams_stay_and_orders_wait_then_fail() -> None:
    """No daemon can have claimed; afterwards all goes on, with the same owners."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma")
        await several.until(several.all_synced, 20)
        owners = {label: several.owner(label) for label in several.labels}
        label = several.labels[0]
        several.model.go_down(20)
        refused = await several.order(owners[label], label, "down-1")
        assert refused.status == 503
        assert refused.json["code"] in ("engine_unreachable", "not_owner")
        for x in several.labels:
            assert several.record(owners[x], x).link.is_synced
        await asyncio.sleep(25)
        assert {x: several.owner(x) for x in several.labels} == owners
        placed = await several.order(owners[label], label, "up-1")
        assert placed.status == 200
        assert several.ids_at_broker(label).count("down-1") == 0

    play(scene, daemons=("beta", "gamma"))


def test_a_halt_at_one_daemon_stops_orders_at_all() -> None:
    """Also of one account; and a release there releases everywhere."""

    async def scene(several: Several) -> None:
        await several.start("beta", "gamma")
        await several.until(several.all_synced, 20)
        label = next(x for x in several.labels if several.owner(x) == "beta")
        other = next(x for x in several.labels if several.owner(x) == "gamma")
        await several.ask("gamma", "POST", "/orders/halt", {"reason": "storm"})
        await asyncio.sleep(0.1)
        for name, account in (("beta", label), ("gamma", other)):
            refused = await several.order(name, account, "halted-1")
            assert (refused.status, refused.json["code"]) == (423, "orders_halted")
        await several.ask("beta", "POST", "/orders/resume", {})
        await asyncio.sleep(0.1)
        for name, account in (("beta", label), ("gamma", other)):
            assert (await several.order(name, account, "resumed-1")).status == 200
        body = {"reason": "strange", "account_id": label}
        await several.ask("gamma", "POST", "/orders/halt", body)
        await asyncio.sleep(0.1)
        assert (await several.order("beta", label, "halted-2")).status == 423
        assert (await several.order("gamma", other, "free-2")).status == 200
        await several.ask("gamma", "POST", "/orders/resume", {"account_id": label})
        await asyncio.sleep(0.1)
        assert (await several.order("beta", label, "resumed-2")).status == 200

    play(scene, daemons=("beta", "gamma"))
