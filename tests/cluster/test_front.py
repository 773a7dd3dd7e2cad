"""A front shows what its owner has, says at once when it may not, and catches up."""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from subprocess import run as run_process
from typing import Any

import aiohttp
import msgspec
import pytest

from realtime.cli.sse_parser import ServerSentEvent, SseParser
from realtime.cluster import feed_server
from realtime.cluster.feed_client import SILENCE_S
from realtime.core.model import AccountLabel
from realtime.runtime.daemon import run_daemon
from realtime.simulator.app import Simulator
from tests.cluster.fronts import (
    MESH_PORT,
    RELAY_PORT,
    SECRET,
    Pair,
    as_owner,
    front_settings,
    pair,
)
from tests.fleet import fleet
from tests.virtual import nanosecond_clock, run, world

FRONTS_OWN = frozenset(
    {
        "version",  # counted by each daemon
        "owner",  # only a front has one
        "cluster",
        "origin",  # the owner has the journal
        "requests",  # of each daemon's own clients
        "updates",
        "uptime_s",
    }
)
"""Members in which a front's documents differ from its owner's."""

PATHS = (
    "/realtime/dashboard/{}",
    "/realtime/account/{}",
    "/realtime/positions/{}",
    "/realtime/orders/{}?status=all&limit=500",
    "/realtime/orders/{}?status=all&nested=true",
    "/realtime/orders/{}?format=csv&status=closed",
    "/realtime/accounts",
    "/realtime/accounts?sort=equity&order=desc",
    "/realtime/accounts?format=csv",
    "/realtime/summary",
    "/orders?status=all&limit=500",
    "/positions?account_id={}",
    "/account?account_id={}",
)

Scenario = Callable[[Pair, Simulator], Awaitable[None]]


def play(scenario: Scenario, *, accounts: int = 3, activity: float = 0.0, seed: int = 7) -> None:
    """Run a scenario with an owner and a front that have both become current."""

    async def main() -> None:
        simulator = Simulator(
            accounts=accounts, clock=nanosecond_clock, activity=activity, seed=seed
        )
        async with simulator, pair(simulator, world(seed), world(seed + 1)) as both:
            await both.until(both.owner.all_synced)
            await both.until(lambda: both.status.is_current)
            await scenario(both, simulator)

    run(main)


def without_own(document: Any) -> Any:
    """A document without the members that each daemon has for itself."""
    match document:
        case dict():
            return {k: without_own(v) for k, v in document.items() if k not in FRONTS_OWN}
        case list():
            return [without_own(item) for item in document]
        case _:
            return document


def comparable(body: bytes) -> bytes:
    try:
        return msgspec.json.encode(without_own(msgspec.json.decode(body)))
    except msgspec.DecodeError:
        return body  # CSV has none of them


async def differing_documents(both: Pair) -> list[str]:
    """Paths whose documents differ."""
    found = []
    for label in both.owner.daemon.store.records:
        for path in PATHS:
            theirs, ours = await both.read_both(path.format(label))
            if comparable(theirs) != comparable(ours):
                found.append(f"{path.format(label)}\n  owner {theirs!r}\n  front {ours!r}")
    return found


def first_label(both: Pair) -> AccountLabel:
    return next(iter(both.owner.daemon.store.records))


@pytest.mark.slow
def test_every_document_equals_the_owners_after_traffic_and_cuts() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        rng = random.Random(3)
        for _ in range(8):
            await asyncio.sleep(rng.uniform(0.2, 6))
            match rng.randrange(4):
                case 0:
                    both.relay.cut()
                case 1:
                    both.relay.pause()
                    await asyncio.sleep(rng.uniform(0.1, 4))
                    both.relay.resume()
                case 2:
                    both.relay.refuses = True
                    both.relay.cut()
                    await asyncio.sleep(rng.uniform(0.1, 20))
                    both.relay.refuses = False
                case _:
                    await both.owner.fault(kind="cut", account=first_label(both))
        simulator.set_activity(0)
        await both.until(lambda: both.status.is_current)
        await both.until(both.owner.settled, within_s=300)
        await both.until(both.is_equal)
        assert both.status.resumed > 0
        assert await differing_documents(both) == []

    play(scenario, activity=12.0)


def test_a_response_names_the_owner_and_is_never_more_current_than_it() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        await both.until(both.owner.settled)
        await both.until(both.is_equal)
        status, headers, body = await both.read(f"/realtime/dashboard/{label}")
        assert (status, headers["X-Realtime-Owner"]) == (200, "beta")
        assert headers["X-Realtime-Stale"] == "false"
        assert b'"owner":"beta"' in body
        _, headers, _ = await both.read("/realtime/accounts")
        assert "X-Realtime-Owner" not in headers  # may be of several
        theirs, ours = await both.read_both("/websocket/status")
        assert b'"owner"' not in theirs
        cluster = msgspec.json.decode(ours)["cluster"]
        assert (cluster["member"], cluster["fleet"]) == ("front", "main")
        assert cluster["owners"][0] | {"since": ""} == {
            "member": "beta",
            "address": f"http://127.0.0.1:{RELAY_PORT}",
            "url": None,
            "connected": True,
            "since": "",
            "accounts": 3,
            "error": None,
            "skew_s": 0.0,
        }
        assert msgspec.json.decode(theirs)["cluster"]["fronts"] == 1

    play(scenario)


def test_a_reset_marks_responses_stale_at_once_and_the_feed_is_resumed() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        label = first_label(both)
        both.relay.refuses = True
        both.relay.cut()
        took_s = await both.until(lambda: not both.status.is_current)
        assert took_s < 0.1
        _, headers, body = await both.read(f"/realtime/dashboard/{label}")
        assert headers["X-Realtime-Stale"] == "true"
        assert b'"stale_reason":"owner beta not received: ' in body
        assert b'"connected":false' in body
        both.owner.buy(label)
        await both.owner.until_done(label)
        both.relay.refuses = False
        await both.until(lambda: both.status.is_current)
        assert (both.status.resumed, both.status.snapshots) == (1, 3)
        await both.until(both.is_equal)
        _, headers, _ = await both.read(f"/realtime/dashboard/{label}")
        assert headers["X-Realtime-Stale"] == "false"

    play(scenario)


def test_three_missed_beats_mark_responses_stale() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        await asyncio.sleep(0.7)
        both.relay.pause()
        took_s = await both.until(lambda: not both.status.is_current)
        assert SILENCE_S - 0.6 < took_s < SILENCE_S + 0.1
        _, headers, _ = await both.read(f"/realtime/account/{first_label(both)}")
        assert headers["X-Realtime-Stale"] == "true"
        both.relay.resume()
        await both.until(lambda: both.status.is_current)
        await both.until(both.is_equal)

    play(scenario)


def test_a_silent_fleet_stays_current() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        since = both.status.since
        await asyncio.sleep(120)
        assert both.status.since == since
        assert both.status.connections == 1

    play(scenario)


async def collect(both: Pair, port: int, events: list[ServerSentEvent]) -> None:
    parser = SseParser()
    timeout = aiohttp.ClientTimeout(total=None)
    url = f"http://127.0.0.1:{port}/realtime/events"
    async with both.owner.http.get(url, timeout=timeout) as response:
        while line := await response.content.readline():
            if (event := parser.parse_line(line)) is not None:
                events.append(event)


@pytest.mark.slow
def test_a_client_of_the_front_receives_the_events_of_the_owner() -> None:
    """Every trade update byte for byte, and in the order of its account."""

    async def scenario(both: Pair, simulator: Simulator) -> None:
        theirs: list[ServerSentEvent] = []
        ours: list[ServerSentEvent] = []
        tasks = [
            asyncio.create_task(collect(both, both.owner.daemon.port, theirs)),
            asyncio.create_task(collect(both, both.front.port, ours)),
        ]
        await both.until(lambda: all(e and e[-1].name == "ready" for e in (theirs, ours)))
        simulator.set_activity(12)
        await asyncio.sleep(10)
        both.relay.cut()
        await asyncio.sleep(10)
        simulator.set_activity(0)
        await both.until(both.owner.settled, within_s=300)
        await both.until(both.is_equal)
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        reported = [[e.data for e in events if e.name == "order"] for events in (theirs, ours)]
        assert len(reported[0]) > 100
        assert reported[0] == reported[1]
        newest = [
            {
                (e.name, (d := msgspec.json.decode(e.data)).get("account_id")): without_own(d)
                for e in events
                if e.name in ("positions", "account", "row")
            }
            for events in (theirs, ours)
        ]
        assert newest[0] == newest[1]
        assert any(e.name == "gap" for e in ours)

    play(scenario)


def test_a_restarted_owner_sends_snapshots_and_versions_go_on() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=2, clock=nanosecond_clock)
        async with simulator, run_daemon(front_settings(), world(9)) as front:
            label = next(iter(simulator.exchange.labels))
            assert front.cluster is not None
            status = front.cluster.statuses[0]
            versions, runs = [], []
            for seed in (1, 2):
                configure = as_owner()
                async with fleet(simulator, world(seed), configure=configure) as owner:
                    both = Pair(owner, front, None)  # type: ignore[arg-type]  # no relay
                    await both.until(lambda: status.is_current and owner.settled())
                    await both.until(both.is_equal)
                    owner.buy(label)
                    await owner.until_done(label)
                    await both.until(both.is_equal)
                    versions.append({r.profile.label: r.version for r in front.store})
                    runs.append(owner.daemon.store.boot)
                    assert await differing_documents(both) == []
                await both.until(lambda: not status.is_current)
                assert all(record.link.is_stale for record in front.store)
            assert runs[0] != runs[1]
            assert all(versions[1][label] > versions[0][label] for label in versions[0])
            assert status.snapshots == 4

    run(main)


def test_a_front_that_was_away_for_too_long_gets_snapshots(monkeypatch: Any) -> None:
    monkeypatch.setattr(feed_server, "FeedBuffer", lambda: feed_server_buffer())

    def feed_server_buffer() -> Any:
        from realtime.cluster.feed_buffer import FeedBuffer  # noqa: PLC0415

        return FeedBuffer(max_bytes=20_000)

    async def scenario(both: Pair, simulator: Simulator) -> None:
        both.relay.refuses = True
        both.relay.cut()
        simulator.set_activity(20)
        await asyncio.sleep(10)
        simulator.set_activity(0)
        both.relay.refuses = False
        await both.until(both.owner.settled, within_s=300)
        await both.until(lambda: both.status.is_current)
        await both.until(both.is_equal)
        assert both.status.resumed == 0
        assert both.status.snapshots == 6
        assert await differing_documents(both) == []

    play(scenario)


def test_a_front_is_ready_with_all_accounts_and_says_what_is_missing_before() -> None:
    async def main() -> None:
        simulator = Simulator(accounts=2, clock=nanosecond_clock)
        async with (
            simulator,
            run_daemon(front_settings(), world(9)) as front,
            aiohttp.ClientSession(connector=world(5).make_connector()) as http,
        ):
            base = f"http://127.0.0.1:{front.port}"
            await asyncio.sleep(5)
            async with http.get(base + "/readyz") as response:
                assert response.status == 503
                assert "cannot connect" in (await response.json())["detail"]
            async with http.get(base + "/health") as response:
                assert (await response.json())["status"] != "ok"
            async with fleet(simulator, world(1), configure=as_owner()) as owner:
                await owner.until(owner.settled)
                await owner.until(lambda: front.cluster is not None and front.cluster.is_complete)
                async with http.get(base + "/readyz") as response:
                    assert response.status == 200
                async with http.get(base + "/health?strict=true") as response:
                    assert response.status == 200
                async with http.get(base + "/metrics") as response:
                    metrics = await response.text()
                assert 'realtime_owner_up{owner="beta"} 1.0' in metrics
                assert 'realtime_owner_accounts{owner="beta"} 2.0' in metrics

    run(main)


def test_an_account_that_the_owner_removes_or_adds_is_so_at_the_front() -> None:
    async def scenario(both: Pair, simulator: Simulator) -> None:
        store = both.owner.daemon.store
        label = first_label(both)
        removed = store.records[label]
        store.remove(label)
        await both.until(lambda: both.front.store.get(label) is None)
        store.add(removed.profile, now=1.0)
        store.update(label, now=2.0, state=removed.state, link=removed.link)
        await both.until(both.is_equal)
        assert list(both.front.store.records)[-1] == label

    play(scenario)


@pytest.mark.slow
def test_without_the_section_nothing_of_it_is_imported() -> None:
    names = ["feed_server", "feed_client", "feed_buffer", "frames", "front_accounts", "mesh"]
    program = (
        "import sys, realtime.runtime.daemon, realtime.runtime.lifecycle\n"
        f"print([n for n in {names!r} if 'realtime.cluster.' + n in sys.modules],"
        " 'realtime.runtime.cluster' in sys.modules)"
    )
    done = run_process([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"
    assert SECRET.reveal() not in done.stderr
    assert MESH_PORT != RELAY_PORT
