"""Orders of several daemons: recorded in the engine before they leave, and never sent by two."""

import asyncio

import pytest

from realtime.cluster.etcd_keys import IntentValue, Keys, decode
from realtime.cluster.etcd_types import Get
from tests.cluster.several import Several, play

PAIR = ("beta", "gamma")
KEYS = Keys("main")


def outcomes(several: Several, label: str) -> dict[str, str | None]:
    """Return what the engine has of an account's orders."""
    found: dict[str, str | None] = {}
    for pair in several.model.get(Get(KEYS.intents(label), is_prefix=True)):
        value = decode(pair.value, IntentValue)
        assert value is not None
        found[value.intent.client_order_id] = value.outcome
    return found


async def start(several: Several) -> str:
    """Start both daemons; return an account of the first."""
    await several.start(*PAIR)
    await several.until(several.all_synced, 20)
    return next(label for label in several.labels if several.owner(label) == "beta")


def test_an_order_that_reached_the_broker_is_found_by_the_next_owner() -> None:
    """Its owner died before the answer: the next one looks it up by its id, and a caller that
    repeats the call gets that order."""

    async def scene(several: Several) -> None:
        label = await start(several)
        await several.post_fault(kind="latency", seconds=2.0, account=label, method="POST")
        call = asyncio.create_task(several.order("beta", label, "mine-1"))
        await several.until(lambda: "mine-1" in outcomes(several, label))
        await asyncio.sleep(0.5)
        await several.kill("beta", is_machine=True)
        await asyncio.gather(call, return_exceptions=True)
        await several.until(lambda: several.owners(label) == ["gamma"], 20)
        await several.until(lambda: outcomes(several, label)["mine-1"] == "placed", 60)
        await several.until(lambda: several.is_synced(label), 200)
        repeated = await several.order("gamma", label, "mine-1")
        assert repeated.status == 200
        assert repeated.json["client_order_id"] == "mine-1"
        assert several.ids_at_broker(label).count("mine-1") == 1
        assert [sent.daemon for sent in several.broker.sent] == ["beta"]

    play(scene, daemons=PAIR, slot_s=9.0)


@pytest.mark.slow
def test_an_order_that_never_arrived_is_not_sent_by_the_next_owner_while_it_might_arrive() -> None:
    """For twenty minutes its status is unknown, and the account is not flat; then the same id may
    be used."""

    async def scene(several: Several) -> None:
        label = await start(several)
        loop = asyncio.get_running_loop()
        several.network.paths[f"beta/{label}", "rest"].stalled_until = loop.time() + 1e6
        call = asyncio.create_task(several.order("beta", label, "mine-1"))
        await several.until(lambda: "mine-1" in outcomes(several, label))
        await several.kill("beta", is_machine=True)
        await asyncio.gather(call, return_exceptions=True)
        await several.until(lambda: several.is_synced(label), 200)
        repeated = await several.order("gamma", label, "mine-1")
        assert (repeated.status, repeated.json["code"]) == (504, "order_unknown")
        closing = await several.ask("gamma", "DELETE", f"/positions/{label}?wait_s=60")
        assert closing.status == 202
        assert outcomes(several, label)["mine-1"] is None
        assert several.broker.sent == []
        await several.until(lambda: outcomes(several, label)["mine-1"] == "not_found", 1500)
        await several.until(
            lambda: label not in several.daemons["gamma"].trading_service.gateway.liquidating, 100
        )
        await several.ask("gamma", "DELETE", f"/orders/closing?account_id={label}")
        assert (await several.order("gamma", label, "mine-1")).status == 200

    play(scene, daemons=PAIR)


def test_a_close_that_a_former_owner_may_have_sent_counts_for_the_next_one() -> None:
    """As if it were placed: nothing of the position is left to close until its status is known."""

    async def scene(several: Several) -> None:
        label = await start(several)
        bought = await several.order("beta", label, "buy-1", symbol="MSFT", qty="5")
        assert bought.status == 200
        await several.until(lambda: held(several, label, "MSFT") == "5", 60)
        await several.post_fault(kind="no_answer", account=label, method="POST", count=1)
        call = asyncio.create_task(several.ask("beta", "DELETE", f"/positions/{label}/MSFT?qty=5"))
        await asyncio.sleep(1.0)
        await several.kill("beta")
        await asyncio.gather(call, return_exceptions=True)
        await several.until(lambda: several.is_synced(label), 200)
        again = await several.ask("gamma", "DELETE", f"/positions/{label}/MSFT?qty=5")
        assert (again.status, again.json["code"]) == (409, "position_unsettled")
        assert held(several, label, "MSFT") == "5"

    play(scene, daemons=PAIR, slot_s=9.0)


def test_a_liquidation_goes_on_at_the_next_owner() -> None:
    """It was begun by a daemon that died: the account stays latched and is closed."""

    async def scene(several: Several) -> None:
        label = await start(several)
        assert (await several.order("beta", label, "buy-1", symbol="MSFT", qty="5")).status == 200
        await several.until(lambda: held(several, label, "MSFT") == "5", 60)
        await several.post_fault(
            kind="server_error", account=label, method="GET", path="/v2/positions", for_s=20.0
        )
        closing = await several.ask("beta", "DELETE", f"/positions/{label}?wait_s=1")
        assert closing.status == 202
        await several.until(lambda: several.coordinator("gamma").get_closing(label) is not None)
        await several.kill("beta")
        await several.until(lambda: several.owners(label) == ["gamma"], 20)
        gateway = several.daemons["gamma"].trading_service.gateway
        await several.until(lambda: label in gateway.liquidating, 20)
        await several.until(lambda: label not in gateway.liquidating, 200)
        await several.until(lambda: several.is_synced(label), 60)
        assert held(several, label, "MSFT") == "0"
        await several.until(lambda: several.coordinator("gamma").get_closing(label) is None)

    play(scene, daemons=PAIR, slot_s=9.0)


def test_an_order_on_its_way_is_answered_before_its_account_is_handed_over() -> None:
    """And none that comes meanwhile leaves from the former owner."""

    async def scene(several: Several) -> None:
        label = await start(several)
        await several.post_fault(kind="latency", seconds=1.0, account=label, method="POST")
        call = asyncio.create_task(several.order("beta", label, "mine-1"))
        await several.until(lambda: "mine-1" in outcomes(several, label))
        engine = several.daemons["beta"].engine
        assert engine is not None
        assert engine.ownership is not None
        await engine.ownership.drain()
        await asyncio.sleep(0.1)
        refused = await several.order("beta", label, "mine-2")
        assert (refused.status, refused.json["code"]) == (503, "not_owner")
        assert several.owners(label) == ["beta"]
        assert (await call).status == 200
        await several.until(lambda: several.owners(label) == ["gamma"], 5)
        await several.until(lambda: several.is_synced(label), 10)
        assert (await several.order("gamma", label, "mine-2")).status == 200
        senders = [(sent.client_order_id, sent.daemon) for sent in several.broker.sent]
        assert senders == [("mine-1", "beta"), ("mine-2", "gamma")]

    play(scene, daemons=PAIR)


def held(several: Several, label: str, symbol: str) -> str:
    """Return how much an account has at the broker."""
    rows = several.broker.exchange.positions(label)
    return next((str(row["qty"]) for row in rows if row["symbol"] == symbol), "0")
