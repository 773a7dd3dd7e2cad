"""Webhooks from the store's change to the receiver's confirmation, in virtual time."""

import asyncio
import random
import shutil
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from realtime.core.model import AccountLabel
from realtime.core.state import AccountState
from realtime.notify.outbox import NAME
from realtime.secret import Secret
from tests import virtual
from tests.api.documents.made import ACCOUNT, LOST
from tests.notify.scene import KEY, SECRET, Scene, is_signed, receiver, settings_for, until


def test_an_event_arrives_signed_with_the_payload_of_the_event_stream(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver() as made:
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)) as service:
                name = scene.fill()
                await until(lambda: bool(made.confirmed))
                (received,) = made.confirmed
                assert is_signed(received)
                assert not is_signed(received, b"x" * 32)
                document = received.document
                assert document["type"] == "order"
                assert document["data"]["account_id"] == "alpha"
                assert document["data"]["tier"] == "gold"
                assert document["data"]["order"]["client_order_id"] == name
                assert abs(received.timestamp - virtual.wall_clock()) < 5
                await until(lambda: service.make_rows()[0].waiting == 0)
                assert service.make_rows()[0].delivered == 1

    virtual.run(play)


def test_two_secrets_sign_while_they_are_exchanged(tmp_path: Path) -> None:
    other = b"n" * 32
    new = "whsec_bm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm5ubm4="

    async def play() -> None:
        async with receiver() as made:
            scene = Scene(tmp_path)
            settings = settings_for(made, secrets=(Secret(new), Secret(SECRET)))
            async with scene.running(settings):
                scene.fill()
                await until(lambda: bool(made.confirmed))
                assert is_signed(made.confirmed[0], KEY)
                assert is_signed(made.confirmed[0], other)

    virtual.run(play)


def test_only_selected_accounts_tiers_and_types_are_sent(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver(4000) as one, receiver(4001) as two:
            scene = Scene(tmp_path)
            by_label = settings_for(one, accounts=("bravo",))
            by_tier = settings_for(two, name="gold", tiers=("gold",), types=("link",))
            async with scene.running(by_label, by_tier):
                alpha, bravo = scene.fill("alpha"), scene.fill("bravo")
                scene.store.update(AccountLabel("alpha"), now=virtual.wall_clock(), link=LOST)
                await until(lambda: bool(one.confirmed) and len(two.confirmed) == 2)
                await asyncio.sleep(5)
                assert one.names() == [bravo]
                assert [r.document["type"] for r in two.confirmed] == ["gap", "link"]
                assert alpha not in str(two.confirmed)

    virtual.run(play)


def test_retries_keep_the_id_and_renew_the_signature(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver() as made:
            made.status = 500
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)) as service:
                scene.fill()
                await until(lambda: len(made.requests) == 4)
                made.status = 200
                await until(lambda: bool(made.confirmed))
                assert len({r.id for r in made.requests}) == 1
                assert made.requests[-1].timestamp > made.requests[0].timestamp
                assert all(is_signed(r) for r in made.requests)
                waits = [
                    b.at - a.at for a, b in zip(made.requests, made.requests[1:], strict=False)
                ]
                for n, wait in enumerate(waits):
                    assert 2.0**n * 0.5 - 0.1 <= wait <= 2.0**n + 0.1, waits
                await until(lambda: service.make_rows()[0].state == "ok")

    virtual.run(play)


def test_a_rejected_message_is_parked_and_the_next_one_follows(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver() as made:
            scene = Scene(tmp_path)

            async def reject(_: web.Request, body: bytes) -> web.StreamResponse:
                is_poison = b"alpha-1" in body
                if not is_poison:
                    made.confirmed.append(made.requests[-1])
                return web.Response(status=400 if is_poison else 200)

            made.answer = reject
            async with scene.running(settings_for(made, max_attempts=3)) as service:
                scene.fill("alpha")
                after = scene.fill("alpha")
                others = scene.fill("bravo")
                await until(lambda: after in made.names())
                assert made.names() == [others, after], "another account does not wait"
                row = service.make_rows()[0]
                assert (row.parked, row.waiting) == (1, 0)
                made.answer = None
                assert await service.resend(["desk"]) == 1
                await until(lambda: "alpha-1" in made.names())
                await until(lambda: service.make_rows()[0].parked == 0)

    virtual.run(play)


def test_a_receiver_that_is_gone_is_parked_as_a_whole_until_it_is_wanted(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        async with scene.running(
            settings_for("http://127.0.0.1:4000/hook/x", max_attempts=4)
        ) as service:
            names = [scene.fill("alpha"), scene.fill("bravo"), scene.fill("alpha")]
            await until(lambda: service.make_rows()[0].state == "parked")
            row = service.make_rows()[0]
            assert (row.waiting, row.failures_in_a_row) == (3, 4)
            assert "4 times in a row" in (row.last_error or "")
            names.append(scene.fill("alpha"))
            async with receiver() as made:
                await asyncio.sleep(7200)
                assert not made.requests, "parked means that nothing is tried"
                await service.resend(["desk"])
                await until(lambda: len(made.names()) == 4)
                assert [n for n in made.names() if "alpha" in n] == [
                    n for n in names if "alpha" in n
                ]

    virtual.run(play, limit_s=20_000)


def test_410_ends_the_sending_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver() as made:
            made.status = 410
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)) as service:
                scene.fill()
                await until(lambda: service.make_rows()[0].state == "parked")
                await asyncio.sleep(600)
                assert len(made.requests) == 1

    virtual.run(play)


def test_retry_after_is_kept(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver() as made:

            async def throttle(_: web.Request, __: bytes) -> web.StreamResponse:
                return web.Response(status=429, headers={"Retry-After": "120"})

            made.answer = throttle
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)):
                scene.fill()
                await until(lambda: len(made.requests) == 2)
                assert made.requests[1].at - made.requests[0].at >= 120

    virtual.run(play)


def test_a_restart_sends_what_was_stored_under_the_same_id_and_reports_the_gap(
    tmp_path: Path,
) -> None:
    async def play() -> None:
        async with receiver() as made:
            made.status = 503
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)):
                name = scene.fill()
                await until(lambda: bool(made.requests))
            first = made.requests[0].id
            shutil.copytree(tmp_path, tmp_path / "kept", dirs_exist_ok=True)
            made.status = 200
            await asyncio.sleep(100)
            again = Scene(tmp_path / "kept", is_read=False)
            async with again.running(settings_for(made)):
                await until(lambda: bool(made.confirmed))
                assert made.confirmed[0].id == first
                assert made.names() == [name]
                again.sync()
                await until(lambda: len(made.confirmed) >= 5)
                gaps = [r.document for r in made.confirmed if r.document["type"] == "gap"]
                assert {g["data"]["account_id"] for g in gaps} == {"alpha", "bravo"}
                assert all(g["data"]["reason"] == "stopped" for g in gaps)
                assert all(g["data"]["from"] < g["data"]["to"] for g in gaps)

    virtual.run(play)


def test_a_dead_receiver_costs_a_bounded_outbox_and_a_gap_that_counts(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        settings = settings_for("http://127.0.0.1:4000/hook/x")
        async with scene.running(settings, max_messages=100) as service:
            for n in range(1000):
                scene.fill("alpha" if n % 2 else "bravo")
                if n % 50 == 0:
                    await asyncio.sleep(0.1)
            await until(lambda: service.make_rows()[0].lost == 900, within_s=60)
            row = service.make_rows()[0]
            assert (row.state, row.waiting) == ("full", 100)
            async with receiver() as made:
                await service.resend(["desk"])
                await until(lambda: any("overflow" in str(r.body) for r in made.confirmed))
                await until(lambda: service.make_rows()[0].waiting == 0)
                gaps = [r.document["data"] for r in made.confirmed if r.document["type"] == "gap"]
                assert sum(gap["lost"] for gap in gaps) == 900
                assert len(made.names()) + sum(gap["lost"] for gap in gaps) == 1000
                last = {gap["account_id"]: gap["to"] for gap in gaps}
                assert set(last) == {"alpha", "bravo"}
                name = scene.fill("alpha")
                await until(lambda: name in made.names())
                assert service.make_rows()[0].state == "ok"

    virtual.run(play)


def test_losses_are_counted_across_a_restart(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        settings = settings_for("http://127.0.0.1:4000/hook/x")
        async with scene.running(settings, max_messages=10) as service:
            for _ in range(30):
                scene.fill()
            await until(lambda: service.make_rows()[0].lost == 20)
        again = Scene(tmp_path)
        async with receiver() as made, again.running(settings, max_messages=10):
            await until(lambda: any("overflow" in str(r.body) for r in made.confirmed))
            gaps = [r.document["data"] for r in made.confirmed if r.document["type"] == "gap"]
            assert [gap["lost"] for gap in gaps] == [20]

    virtual.run(play)


def test_of_a_state_that_was_not_sent_only_the_newest_is_kept(tmp_path: Path) -> None:
    async def play() -> None:
        scene = Scene(tmp_path)
        settings = settings_for("http://127.0.0.1:4000/hook/x", types=("account",))
        async with scene.running(settings) as service:
            await until(lambda: service.error is None)
            for n in range(200):
                account = structs.replace(ACCOUNT, equity=str(n))
                scene.store.update(
                    AccountLabel("alpha"),
                    now=virtual.wall_clock(),
                    state=AccountState(account=account),
                )
                await asyncio.sleep(1)
            assert service.make_rows()[0].waiting <= 2
            async with receiver() as made:
                await until(lambda: bool(made.confirmed))
                await asyncio.sleep(30)
                assert made.confirmed[-1].document["data"]["account"]["equity"] == "199"

    virtual.run(play)


@pytest.mark.parametrize("content", [b"not a database" * 100, b""])
def test_a_damaged_outbox_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)

    async def play() -> None:
        async with receiver() as made:
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)):
                name = scene.fill()
                await until(lambda: made.names() == [name])
        assert (tmp_path / f"{NAME}.bad").exists() == bool(content)

    virtual.run(play)


def test_a_restored_copy_of_the_outbox_uses_no_id_again(tmp_path: Path) -> None:
    """A receiver discards a message whose id it knows."""

    async def play() -> None:
        async with receiver() as made:
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)) as service:
                scene.fill()
                await until(lambda: len(made.confirmed) == 1)
                await until(lambda: service.make_rows()[0].waiting == 0)
            copy = (tmp_path / NAME).read_bytes()
            async with scene.running(settings_for(made)) as service:
                scene.fill()
                await until(lambda: len(made.names()) == 2)
                await until(lambda: service.make_rows()[0].waiting == 0)
            (tmp_path / NAME).write_bytes(copy)
            async with scene.running(settings_for(made)) as service:
                scene.fill()
                await until(lambda: len(made.names()) == 3)
            assert len({r.id for r in made.confirmed}) == len(made.confirmed)

    virtual.run(play)


def test_a_write_that_fails_is_repeated_and_loses_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver() as made:
            scene = Scene(tmp_path)
            async with scene.running(settings_for(made)) as service:
                names = [scene.fill()]
                await until(lambda: made.names() == names)
                blocker = sqlite3.connect(tmp_path / NAME, isolation_level=None)
                blocker.execute("BEGIN IMMEDIATE")
                names += [scene.fill(), scene.fill()]
                await until(lambda: service.error is not None)
                blocker.execute("ROLLBACK")
                blocker.close()
                await until(lambda: made.names() == names)
                assert service.error is None
                assert len({r.id for r in made.confirmed}) == 3

    virtual.run(play)


def test_a_removed_webhook_takes_its_messages_along(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver(4001) as made:
            scene = Scene(tmp_path)
            dead = settings_for("http://127.0.0.1:4000/hook/x", name="dead")
            well = settings_for(made, name="well")
            async with scene.running(dead) as service:
                scene.fill()
                await until(lambda: service.make_rows()[0].waiting == 1)
                await service.apply([well])
                name = scene.fill()
                await until(lambda: made.names() == [name])
                assert service.names == ["well"]

    virtual.run(play)


def test_a_changed_address_gets_what_is_stored(tmp_path: Path) -> None:
    async def play() -> None:
        async with receiver(4001) as made:
            scene = Scene(tmp_path)
            async with scene.running(settings_for("http://127.0.0.1:4000/hook/x")) as service:
                name = scene.fill()
                await until(lambda: service.make_rows()[0].failed_attempts > 2)
                await service.apply([settings_for(made)])
                await until(lambda: made.names() == [name])

    virtual.run(play)


@pytest.mark.slow
@given(seed=st.integers(0, 10_000))
def test_every_event_arrives_and_accounts_are_in_order(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Whatever the receiver answers, and wherever the daemon is restarted in between."""
    directory = tmp_path_factory.mktemp("outbox")

    async def play() -> None:
        rng = random.Random(seed)
        sent: dict[str, list[str]] = defaultdict(list)
        labels = ("alpha", "bravo", "charlie")
        async with receiver() as made:

            async def misbehave(request: web.Request, _: bytes) -> web.StreamResponse:
                fate = rng.random()
                if fate < 0.15:
                    await asyncio.sleep(rng.uniform(0, 40))
                if fate < 0.3 and request.transport is not None:
                    request.transport.abort()
                if fate < 0.55:
                    return web.Response(status=rng.choice((302, 400, 404, 429, 500, 503)))
                made.confirmed.append(made.requests[-1])
                if fate < 0.65 and request.transport is not None:
                    request.transport.abort()  # it has the message, and we do not know
                return web.Response(status=200)

            made.answer = misbehave
            for _ in range(3):
                scene = Scene(directory, labels)
                scene.numbers = sum(map(len, sent.values()))
                async with scene.running(settings_for(made, max_attempts=1000)) as service:
                    for _ in range(rng.randrange(12)):
                        label = rng.choice(labels)
                        sent[label].append(scene.fill(label))
                        await asyncio.sleep(rng.uniform(0, 3))
            scene = Scene(directory, labels)
            made.answer = None
            async with scene.running(settings_for(made)) as service:
                await asyncio.sleep(1)  # until the file is read
                await until(lambda: not service.make_rows()[0].waiting)
            body_of: dict[str, bytes] = {}
            for request in made.requests:
                assert body_of.setdefault(request.id, request.body) == request.body
            by_id = {r.id: r for r in made.requests}
            for label in labels:
                arrived = [name for name in made.names() if name.startswith(label)]
                assert list(dict.fromkeys(arrived)) == sent[label]
            assert len(by_id) == sum(map(len, sent.values()))

    virtual.run(play, limit_s=100_000)
