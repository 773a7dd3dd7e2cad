"""Whatever comes over the mesh: refused, counted, and nothing that is shown gets worse."""

import asyncio

import pytest
from msgspec import structs

from realtime.cluster import feed_server
from realtime.cluster.feed_server import FEED_PATH
from realtime.cluster.frames import FORMAT, AccountChange, Beat, Handed, Hello, encode_frame
from realtime.cluster.front_accounts import FrontAccounts
from realtime.cluster.mesh import SECRET_HEADER
from realtime.cluster.record_changes import make_snapshot
from realtime.core.model import AccountLabel
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.secret import Secret
from realtime.simulator.app import Simulator
from tests.api.documents.made import ACCOUNT, BOOKS, record
from tests.cluster.fronts import MESH_PORT, RELAY_PORT, SECRET, as_owner, front_settings
from tests.cluster.made import ALPHA
from tests.cluster.relay import FakeOwner
from tests.fleet import fleet
from tests.virtual import nanosecond_clock, run, world

HELLO = Hello(
    format=FORMAT, fleet="main", member="beta", run="r", version="1", head=0, resumed=False,
    epochs={ALPHA: 5},
)  # fmt: skip
SNAPSHOT = make_snapshot(record(state=BOOKS), epoch=5, n=0)
BEAT = Beat(n=0, at=1.0)
GOOD = (encode_frame(HELLO), encode_frame(SNAPSHOT), encode_frame(BEAT))


async def follow(frames: bytes, *, head: bytes = b"", for_s: float = 1.0) -> Daemon:
    """A front after it has followed an owner that sends these bytes."""
    async with (
        FakeOwner(MESH_PORT, frames, head=head).running(),
        run_daemon(front_settings(), world(3)) as front,
    ):
        await asyncio.sleep(for_s)
        return front


def error_of(front: Daemon) -> str:
    assert front.cluster is not None
    return front.cluster.statuses[0].error or ""


def test_a_fake_owner_that_speaks_the_protocol_is_followed() -> None:
    """The others of this file would mean nothing if this one were refused, too."""

    async def main() -> None:
        front = await follow(b"".join(GOOD))
        account = front.store.records[ALPHA].state.account
        assert account == ACCOUNT

    run(main)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (b"garbage, not a frame at all", "a frame of"),
        (b"\xff\xff\xff\xff\x01\x00", "a frame of 4294967295 bytes"),
        (GOOD[1], "begins with a snapshot"),
        (encode_frame(structs.replace(HELLO, format=FORMAT + 1)), "update the older one"),
        (encode_frame(structs.replace(HELLO, fleet="other")), "belongs to fleet 'other'"),
        (
            encode_frame(structs.replace(HELLO, member="beta\r\nSet-Cookie: a=b")),
            "its name is none",
        ),
        (
            encode_frame(structs.replace(HELLO, epochs={AccountLabel("a/../b"): 0})),
            "no account to follow",
        ),
        (GOOD[0] + GOOD[0], "a second hello"),
        (GOOD[0] + encode_frame(Beat(n=7, at=1.0)), "a beat of 7 follows frame 0"),
        (
            b"".join(GOOD) + encode_frame(Handed(label=ALPHA, n=3, owner="x", epoch=9)),
            "frame 3 follows 0",
        ),
        (
            GOOD[0]
            + encode_frame(structs.replace(SNAPSHOT, label=AccountLabel("other")))
            + GOOD[2],
            "a snapshot without its account",
        ),
        (
            GOOD[0]
            + encode_frame(AccountChange(label=ALPHA, epoch=5, n=1, parts=None, is_whole=True)),
            "a new account without its profile",
        ),
    ],
)
def test_what_is_no_feed_is_refused_with_its_reason(frames: bytes, reason: str) -> None:
    async def main() -> None:
        front = await follow(frames)
        assert reason in error_of(front)
        assert all(r.link.is_stale for r in front.store)

    run(main)


def test_the_format_before_is_read() -> None:
    async def main() -> None:
        hello = encode_frame(structs.replace(HELLO, format=FORMAT - 1))
        front = await follow(hello + GOOD[1] + GOOD[2])
        assert front.store.records[ALPHA].has_data

    run(main)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "refuses the secret"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "status 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", "no feed is there"),
        (b"SSH-2.0-OpenSSH\r\n", ""),
    ],
)
def test_another_program_at_the_address_is_no_owner(head: bytes, reason: str) -> None:
    async def main() -> None:
        front = await follow(b"", head=head)
        assert reason in error_of(front)
        assert len(front.store) == 0

    run(main)


def test_frames_of_a_lower_epoch_are_dropped_and_counted() -> None:
    """They come from a daemon that does not know yet that it no longer owns the account."""

    async def main() -> None:
        poor = structs.replace(BOOKS, account=structs.replace(ACCOUNT, equity="1"))
        old = [
            encode_frame(structs.replace(HELLO, member="old", epochs={ALPHA: 4})),
            encode_frame(make_snapshot(record(state=poor), epoch=4, n=0)),
            encode_frame(BEAT),
        ]
        async with (
            FakeOwner(MESH_PORT, *GOOD).running(),
            run_daemon(front_settings(MESH_PORT, RELAY_PORT), world(3)) as front,
        ):
            await asyncio.sleep(0.5)
            async with FakeOwner(RELAY_PORT, *old).running():
                await asyncio.sleep(1)
                shown = front.store.records[ALPHA]
                assert shown.owner == "beta"
                assert shown.state.account == ACCOUNT
                assert front.cluster is not None
                assert front.cluster.get_figures().dropped["stale_epoch"] >= 2

    run(main)


def test_a_higher_epoch_takes_the_account_and_handed_waits_for_it() -> None:
    async def main() -> None:
        handed = encode_frame(Handed(label=ALPHA, n=1, owner="gamma", epoch=6))
        rich = structs.replace(BOOKS, account=structs.replace(ACCOUNT, equity="9"))
        new = [
            encode_frame(structs.replace(HELLO, member="gamma", epochs={ALPHA: 6})),
            encode_frame(make_snapshot(record(state=rich), epoch=6, n=0)),
            encode_frame(BEAT),
        ]
        async with (
            FakeOwner(MESH_PORT, *GOOD, handed).running(),
            run_daemon(front_settings(MESH_PORT, RELAY_PORT), world(3)) as front,
        ):
            await asyncio.sleep(0.5)
            shown = front.store.records[ALPHA]
            assert shown.link.stale_reason == "handed over to gamma"
            assert shown.state.account == ACCOUNT
            async with FakeOwner(RELAY_PORT, *new).running():
                await asyncio.sleep(3)
                shown = front.store.records[ALPHA]
                assert (shown.owner, shown.link.is_stale) == ("gamma", False)
                assert shown.state.account is not None
                assert shown.state.account.equity == "9"

    run(main)


def test_two_owners_of_one_account_are_reported_and_the_first_is_followed() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=1, clock=nanosecond_clock)
        other = [
            encode_frame(structs.replace(HELLO, member="other", epochs={ALPHA: 0})),
            encode_frame(make_snapshot(record(state=BOOKS), epoch=0, n=0)),
            encode_frame(BEAT),
        ]
        async with (
            simulator,
            fleet(simulator, world(1), configure=as_owner()) as owner,
            run_daemon(front_settings(MESH_PORT, RELAY_PORT), world(3)) as front,
        ):
            await owner.until(owner.settled)
            assert front.cluster is not None
            status = front.cluster.statuses[0]
            await owner.until(lambda: status.is_current)
            async with FakeOwner(RELAY_PORT, *other).running():
                await asyncio.sleep(1)
                assert front.store.records[ALPHA].owner == "beta"
                assert front.cluster.get_figures().dropped["two_owners"] >= 1

    run(main)


def test_an_account_of_its_own_is_never_replaced_by_a_feed() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=1, clock=nanosecond_clock)
        cluster = front_settings().cluster
        async with (
            simulator,
            FakeOwner(MESH_PORT, *GOOD).running(),
            fleet(
                simulator, world(1), configure=lambda s: structs.replace(s, cluster=cluster)
            ) as owner,
        ):
            await owner.until(owner.settled)
            assert owner.record("alpha").owner is None
            assert owner.record("alpha").state.account != ACCOUNT

    run(main)


WRONG: tuple[dict[str, str], ...] = (
    {},
    {SECRET_HEADER: ""},
    {SECRET_HEADER: SECRET.reveal()[:-1]},
    {SECRET_HEADER: SECRET.reveal().upper()},
    {"Authorization": f"Bearer {SECRET.reveal()}"},
)


def test_nothing_is_answered_without_the_secret() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=1, clock=nanosecond_clock)
        async with simulator, fleet(simulator, world(1), configure=as_owner()) as owner:
            for path in (FEED_PATH, "/", "/cluster/forward/orders", "/realtime/accounts"):
                for headers in WRONG:
                    url = f"http://127.0.0.1:{MESH_PORT}{path}"
                    async with owner.http.get(url, headers=headers) as response:
                        assert response.status == 401, (path, headers)
                        assert SECRET.reveal() not in await response.text()
            twice = [(SECRET_HEADER, SECRET.reveal())] * 2
            async with owner.http.get(url, headers=twice) as response:
                assert response.status == 401
            assert owner.daemon.cluster is not None
            assert owner.daemon.cluster.get_figures().rejected == 4 * len(WRONG) + 1
            # Nor is the feed anything of the address for clients.
            url = f"http://127.0.0.1:{owner.daemon.port}{FEED_PATH}"
            async with owner.http.get(url, headers={SECRET_HEADER: SECRET.reveal()}) as response:
                assert response.status == 404

    run(main)


def test_a_front_with_another_secret_says_so_and_sends_it_nowhere_else() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=1, clock=nanosecond_clock)
        settings = front_settings(secret=Secret("f" * 32))
        async with (
            simulator,
            fleet(simulator, world(1), configure=as_owner()) as owner,
            run_daemon(settings, world(2)) as front,
        ):
            await owner.until(owner.settled)
            await asyncio.sleep(30)
            assert "refuses the secret" in error_of(front)
            assert len(front.store) == 0
            assert owner.daemon.cluster is not None
            assert owner.daemon.cluster.get_figures().rejected <= 5

    run(main)


def test_a_front_that_does_not_read_is_cut_and_delays_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed_server, "MAX_UNSENT_BYTES", 20_000)

    async def main() -> None:
        simulator = Simulator(accounts=2, clock=nanosecond_clock)
        async with (
            simulator,
            fleet(simulator, world(1), configure=as_owner()) as owner,
            run_daemon(front_settings(), world(2)) as front,
        ):
            await owner.until(owner.settled)
            assert owner.daemon.cluster is not None
            figures = owner.daemon.cluster.get_figures
            reader, writer = await asyncio.open_connection("127.0.0.1", MESH_PORT, limit=1024)
            writer.write(
                f"GET {FEED_PATH} HTTP/1.1\r\nHost: x\r\n"
                f"{SECRET_HEADER}: {SECRET.reveal()}\r\n\r\n".encode()
            )
            await owner.until(lambda: figures().fronts == 2)
            simulator.set_activity(50)
            await owner.until(lambda: figures().cut == 1)
            assert front.cluster is not None
            assert front.cluster.statuses[0].is_current
            assert figures().fronts == 1
            writer.transport.abort()
            assert reader is not None

    run(main)


def test_a_front_that_leaves_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_server, "IDLE_S", 5.0)
    monkeypatch.setattr(feed_server, "MAX_FRONTS", 1)

    async def main() -> None:
        simulator = Simulator(accounts=1, clock=nanosecond_clock)
        url = f"http://127.0.0.1:{MESH_PORT}{FEED_PATH}"
        headers = {SECRET_HEADER: SECRET.reveal()}
        async with simulator, fleet(simulator, world(1), configure=as_owner()) as owner:
            assert owner.daemon.cluster is not None
            figures = owner.daemon.cluster.get_figures
            async with owner.http.get(url, headers=headers) as response:
                assert response.status == 200
                async with owner.http.get(url, headers=headers) as second:
                    assert second.status == 503
            await owner.until(lambda: figures().fronts == 0)
            await asyncio.sleep(10)
            async with owner.http.get(url, headers=headers) as response:
                assert response.status == 200

    run(main)


def test_accounts_are_in_the_order_of_the_configured_owners_however_fast_each_is() -> None:
    async def main() -> None:
        bravo = AccountLabel("bravo")
        late = make_snapshot(record("bravo", state=BOOKS), epoch=0, n=0)
        second = [
            encode_frame(structs.replace(HELLO, member="gamma", epochs={bravo: 0})),
            encode_frame(late),
            encode_frame(BEAT),
        ]
        async with (
            FakeOwner(RELAY_PORT, *second).running(),
            run_daemon(front_settings(MESH_PORT, RELAY_PORT), world(3)) as front,
        ):
            await asyncio.sleep(1)
            assert list(front.store.records) == [bravo]
            async with FakeOwner(MESH_PORT, *GOOD).running():
                await asyncio.sleep(3)
                assert list(front.store.records) == [ALPHA, bravo]

    run(main)


@pytest.mark.slow
def test_an_internal_error_leaves_nothing_marked_as_current(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    async def main() -> None:
        change = AccountChange(label=ALPHA, epoch=5, n=1, parts=SNAPSHOT.parts)
        frames = [*GOOD, *[encode_frame(BEAT)] * 2, encode_frame(change)]
        async with (
            FakeOwner(MESH_PORT, *frames[:3]).running() as owner,
            run_daemon(front_settings(), world(3)) as front,
        ):
            await asyncio.sleep(0.5)
            assert not front.store.records[ALPHA].link.is_stale
            monkeypatch.setattr(FrontAccounts, "apply_change", fail)
            owner.frames = b"".join(frames)
            await asyncio.sleep(2.5)
            assert front.store.records[ALPHA].link.is_stale
            assert "internal error" in error_of(front)

    run(main)
