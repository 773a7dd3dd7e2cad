"""Queries of the past over HTTP: files written by the writer, read by the real history process."""

import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from structlog.testing import capture_logs

from realtime.api.history.client import MAX_WAITING, HistoryClient
from realtime.api.history.messages import Envelope, HistoryCall
from realtime.api.history.process import answer
from realtime.api.problems import Problem
from realtime.api.responses import ApiResponse
from realtime.core.model import AccountLabel
from realtime.core.state import Execution
from realtime.history.directory import HistoryDirectory
from realtime.history.exact import epoch_us, instant
from realtime.history.ledger import Ledger
from realtime.history.queue import HistoryQueue
from realtime.history.status import HistoryStatus
from realtime.history.writer import HistoryWriter
from tests.api.documents.made import NOW, fleet, order
from tests.api.reader import Clock, Reader, reading

BEFORE, AFTER = NOW + 10, NOW + 100
NEW = order(777, symbol="TSLA")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of a fleet of five: at `NOW + 50` alpha gets an order and an execution."""
    path = tmp_path_factory.mktemp("history")
    store, queue, clock = fleet(), HistoryQueue(), Clock()
    writer = HistoryWriter(HistoryDirectory(path), queue, clock=clock)
    store.subscribe(queue.add)
    for record in list(store):
        store.set_profile(structs.replace(record.profile, name="x"), now=NOW)
    writer.write()
    clock.now = NOW + 50
    alpha = store.get("alpha")
    assert alpha is not None
    execution = Execution(
        execution_id="0e7f2c1a-1111-4222-8333-444455556666",  # type: ignore[arg-type]
        order_id=NEW.id,
        symbol="TSLA",
        side="buy",
        qty="3",
        price="101.5",
        at="2026-10-03T04:00:50Z",
    )
    state = structs.replace(
        alpha.state,
        orders={**alpha.state.orders, NEW.id: NEW},
        executions={NEW.id: {execution.execution_id: execution}},
    )
    store.update(AccountLabel("alpha"), now=clock.now, state=state)
    writer.write()
    for _ in range(2):
        clock.now += 60
        writer.write()
    writer.kill()
    return path


@asynccontextmanager
async def past(
    path: Path,
    status: HistoryStatus = HistoryStatus(is_open=True),  # noqa: B008 - frozen
) -> AsyncIterator[tuple[Reader, HistoryClient]]:
    clock = Clock()
    clock.now = NOW + 600
    async with (
        HistoryClient(path, status=lambda: status) as client,
        reading(fleet(), clock, history=client) as reader,
    ):
        yield reader, client


async def test_orders_as_of_a_moment(recorded: Path) -> None:
    async with past(recorded) as (reader, _):
        before = await reader.get(f"/realtime/orders/alpha?as_of={BEFORE}&symbol=TSLA")
        after = await reader.get(f"/realtime/orders/alpha?as_of={AFTER}&symbol=TSLA")
        assert (before.status, before.json) == (200, [])
        assert [row["id"] for row in after.json] == [NEW.id]
        assert after.headers["X-Realtime-As-Of"] == instant(epoch_us(NOW + 50))
        assert after.headers["X-Total-Count"] == "1"
        written = instant(epoch_us(AFTER))
        assert (await reader.get(f"/realtime/orders/alpha?as_of={written}&symbol=TSLA")).body == (
            after.body
        )


async def test_every_state_route_has_a_past(recorded: Path) -> None:
    async with past(recorded) as (reader, _):
        for path in (
            "/realtime/dashboard/alpha",
            "/realtime/account/alpha",
            "/realtime/positions/alpha",
            "/realtime/accounts",
            "/realtime/summary",
        ):
            reply = await reader.get(f"{path}?as_of={NOW + 115}")
            assert reply.status == 200, (path, reply.body)
        account = await reader.get(f"/realtime/account/alpha?as_of={NOW + 115}")
        assert account.json["equity"] == "100281.4"
        assert "account" in account.headers["X-Realtime-Provisional"]
        rows = (await reader.get(f"/realtime/accounts?as_of={NOW + 115}&sort=equity")).json
        assert [row["account_id"] for row in rows["accounts"]] == ["delta", "alpha", "bravo"]
        sheet = await reader.get(f"/realtime/positions/alpha?as_of={AFTER}&format=csv")
        assert sheet.body.startswith(b"asset_id,symbol")


async def test_equity_trades_events_and_performance(recorded: Path) -> None:
    async with past(recorded) as (reader, _):
        curve = (await reader.get("/history/equity/alpha")).json
        assert (curve["step"], len(curve["points"])) == ("1Min", 2)
        trades = (await reader.get(f"/history/trades?from={NOW}&account_id=alpha")).json
        assert [(t["symbol"], t["qty"], t["price"]) for t in trades] == [("TSLA", "3", "101.5")]
        events = (await reader.get(f"/history/events/alpha?from={NOW + 20}")).json
        assert {event["kind"] for event in events} == {"order", "execution"}
        rows = (await reader.get("/history/performance?by=tier")).json
        assert [row["key"] for row in rows] == ["basic", "premium"]
        (row,) = (await reader.get(f"/history/symbols?from={NOW}&account_id=alpha")).json
        assert (row["symbol"], row["fills"], row["accounts"]) == ("TSLA", 1, 1)
        assert row["unknown"] == (trades[0]["realized_pl"] is None)
        sheet = await reader.get(f"/history/trades?from={NOW}&format=csv")
        assert sheet.body.splitlines()[0].startswith(b"account_id,account_number")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (f"as_of={NOW - 86_400 * 30}", 404, "no_history"),
        (f"as_of={NOW + 86_400}", 400, "bad_parameter"),
        ("as_of=yesterday", 400, "bad_parameter"),
        ("as_of=2026-10-03T04:00:00", 400, "bad_parameter"),
        ("as_of=1e9", 400, "bad_parameter"),
        ("as_of=99999999999999999999", 400, "bad_parameter"),
        ("as_of=%EF%BC%91", 400, "bad_parameter"),
    ],
)
async def test_moments_that_cannot_be_answered(
    recorded: Path, query: str, status: int, code: str
) -> None:
    async with past(recorded) as (reader, _):
        (await reader.get(f"/realtime/orders/alpha?{query}")).problem(status, code)


async def test_without_history_the_past_is_an_error_that_says_so() -> None:
    clock = Clock()
    async with reading(fleet(), clock) as reader:
        problem = (await reader.get(f"/realtime/orders/alpha?as_of={NOW - 1}")).problem(
            404, "history_off"
        )
        assert "[history]" in problem["remedy"]


async def test_a_process_that_was_killed_is_started_again(recorded: Path) -> None:
    async with past(recorded) as (reader, client):
        assert (await reader.get("/history/equity/alpha")).status == 200
        process = client._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.wait_for(process.wait(), 5)
        assert (await reader.get("/history/equity/alpha")).status == 200


async def test_a_damaged_day_is_not_the_end(recorded: Path, tmp_path: Path) -> None:
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    (tmp_path / "2026-10-02.sqlite").write_bytes(b"no database" * 100)
    async with past(tmp_path) as (reader, _):
        assert (await reader.get(f"/realtime/orders/alpha?as_of={AFTER}")).status == 200
        (await reader.get(f"/realtime/orders/alpha?as_of={NOW - 3600}")).problem(404, "no_history")


async def test_what_failed_is_logged_and_not_shown(recorded: Path, tmp_path: Path) -> None:
    """The text of an error names files of this machine."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    (tmp_path / "ledger.sqlite").write_bytes(b"no database" * 1000)
    async with past(tmp_path) as (reader, _):
        with capture_logs() as lines:
            problem = (await reader.get("/history/trades")).problem(500, "history_failed")
    assert "database" not in problem["detail"]
    failed = [line for line in lines if line["event"] == "history.query_failed"]
    assert all("DatabaseError" in line["reason"] for line in failed)
    assert failed


def trades() -> HistoryCall:
    return HistoryCall(kind="trades", labels=["alpha"], to_us=epoch_us(NOW), limit=1)


async def code_of(call: Coroutine[None, None, ApiResponse]) -> str:
    try:
        await call
    except Problem as problem:
        return problem.code
    return ""


async def process_is_idle(client: HistoryClient) -> None:
    """The process replies to every call in the end."""
    for _ in range(10_000):
        if not client._waiting:
            return
        await asyncio.sleep(0.002)


async def test_queries_that_wait_for_a_commit_count_as_waiting(recorded: Path) -> None:
    commits = asyncio.Event()

    async def wait_committed(_: int) -> None:
        await commits.wait()

    async with HistoryClient(recorded, wait_committed=wait_committed) as client:
        calls = [
            asyncio.create_task(code_of(client.fetch(trades()))) for _ in range(MAX_WAITING + 3)
        ]
        await asyncio.sleep(0)
        commits.set()
        codes = await asyncio.wait_for(asyncio.gather(*calls), 20)
    assert Counter(codes) == {"": MAX_WAITING, "history_busy": 3}


async def test_queries_of_clients_that_left_count_until_they_are_done(recorded: Path) -> None:
    """Else a client that comes and goes fills the process with work for others to wait for."""
    async with HistoryClient(recorded) as client:
        await client.fetch(trades())
        process = client._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        left = [asyncio.create_task(client.fetch(trades())) for _ in range(MAX_WAITING)]
        await asyncio.wait(left, timeout=0.05)
        for call in left:
            call.cancel()
        await asyncio.wait(left)
        assert await code_of(client.fetch(trades())) == "history_busy"
        os.kill(process.pid, signal.SIGCONT)
        await asyncio.wait_for(process_is_idle(client), 20)
        assert await code_of(client.fetch(trades())) == ""


async def test_queries_end_with_the_process(recorded: Path) -> None:
    async with HistoryClient(recorded) as client:
        await client.fetch(trades())
        process = client._process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        left = asyncio.create_task(client.fetch(trades()))
        await asyncio.wait([left], timeout=0.05)
        left.cancel()
        asked = asyncio.create_task(code_of(client.fetch(trades())))
        await asyncio.wait([asked], timeout=0.05)
        os.kill(process.pid, signal.SIGKILL)
        assert await asyncio.wait_for(asked, 5) == "history_failed"
        assert not client._waiting


async def test_a_query_whose_time_is_over_is_not_begun(recorded: Path) -> None:
    directory, now = HistoryDirectory(recorded), time.monotonic()
    late = answer(directory, Envelope(number=1, call=trades(), expires_at=now - 1))
    assert late.problem == "history_timeout"
    assert answer(directory, Envelope(number=2, call=trades(), expires_at=now + 60)).body


async def test_health_reports_how_history_is_recorded(recorded: Path) -> None:
    async with past(recorded, HistoryStatus(is_open=True, committed_at=NOW, bytes=7)) as (
        reader,
        _,
    ):
        assert (await reader.get("/health")).json["history"] == {
            "status": "recording",
            "reason": None,
            "waiting": 0,
            "lost": 0,
            "gaps": 0,
            "committed_at": "2026-10-03T04:00:00.250Z",
            "bytes": 7,
            "database": None,
        }
    failing = HistoryStatus(failure="disk_full", last_error="/srv/secret: full", lost={"event": 2})
    async with past(recorded, failing) as (reader, _):
        reply = await reader.get("/health")
        assert (reply.json["history"]["status"], reply.json["history"]["reason"]) == (
            "failing",
            "disk_full",
        )
        assert b"secret" not in reply.body


async def test_a_time_that_is_not_written_yet_is_marked(recorded: Path) -> None:
    """Also a day that is over: it must not be kept as if it could not change."""
    failing = HistoryStatus(failure="disk_full", missing_since=NOW + 60)
    async with past(recorded, failing) as (reader, _):
        for path in ("/realtime/orders/alpha?as_of=", f"/history/trades?from={NOW}&to="):
            early = await reader.get(f"{path}{NOW + 59}")
            late = await reader.get(f"{path}{NOW + 61}")
            assert "X-Realtime-History" not in early.headers
            assert late.headers["X-Realtime-History"] == "partial; reason=failing"
            assert late.headers["Cache-Control"] == "no-cache"


async def test_every_kind_of_response_that_crosses_a_gap_is_marked(
    recorded: Path, tmp_path: Path
) -> None:
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.begin()
    ledger.add_gap(None, epoch_us(NOW + 70), epoch_us(NOW + 90), "overflow", 3)
    ledger.commit()
    ledger.close()
    async with past(tmp_path) as (reader, _):
        for path in (
            f"/realtime/accounts?as_of={NOW + 80}",
            f"/realtime/summary?as_of={NOW + 80}",
            f"/realtime/orders/alpha?as_of={NOW + 80}",
            f"/history/equity/alpha?from={NOW}&to={NOW + 80}",
            f"/history/trades?from={NOW}&to={NOW + 80}",
            f"/history/events/alpha?from={NOW}&to={NOW + 80}",
            f"/history/performance?from={NOW}&to={NOW + 80}",
        ):
            reply = await reader.get(path)
            assert reply.headers["X-Realtime-History"] == "partial; reason=overflow", path
        for row in (await reader.get(f"/history/performance?from={NOW}")).json:
            assert row["gaps"] == 1
        clear = await reader.get(f"/history/trades?from={NOW}&to={NOW + 70}")
        assert "X-Realtime-History" not in clear.headers


async def test_the_curve_of_the_last_day_goes_on_across_a_restart(recorded: Path) -> None:
    """What is in memory follows what is in the files; stale minutes are in neither."""
    async with past(recorded) as (reader, client):
        minute = int(NOW) // 60 * 60
        for path in ("/realtime/history/alpha", "/realtime/history/_all"):
            curve = (await reader.get(path)).json
            assert curve["timestamp"][:2] == [minute, minute + 60], path
        assert (await reader.get("/realtime/history/bravo")).json["timestamp"] == []
        sheet = await reader.get("/realtime/history/alpha?format=csv")
        assert sheet.headers["Content-Disposition"].endswith('"history-alpha.csv"')
        call = HistoryCall(
            kind="curve",
            labels=["alpha"],
            from_us=0,
            to_us=epoch_us(NOW + 600),
            query={"points": 240, "format": "json"},
            points=[(int(NOW) + 600, 100_281_500_000)],
        )
        both = msgspec.json.decode((await client.fetch(call)).body)
        assert both["timestamp"] == [minute, minute + 60, int(NOW) + 600]
        assert both["profit_loss"] == [0.0, 0.0, 0.1]


async def test_without_readable_files_the_curve_is_what_is_in_memory(tmp_path: Path) -> None:
    client = HistoryClient(tmp_path)
    clock = Clock()
    client._preparing = 10**6  # as if too many queries were under way
    async with client, reading(fleet(), clock, history=client) as reader:
        reply = await reader.get("/realtime/history/alpha")
        assert reply.status == 200, reply.body
        assert reply.json["timestamp"] == []
        assert reply.headers["X-Realtime-History"] == "partial; reason=history_busy"
