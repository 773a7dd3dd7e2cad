"""A database that is stopped under load and started again lacks nothing, and the daemon serves
meanwhile."""

import asyncio
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from realtime.history.directory import HistoryDirectory
from realtime.history.reading import FileReader
from tests.history.postgres.server import running_server
from tests.processes.pair import Pair, pair

psycopg = pytest.importorskip("psycopg", reason="psycopg comes with the extra postgres")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

DAY_TABLES = ("event", "snapshot", "equity", "price")
LEDGER_TABLES = ("fill", "final", "gap", "equity15", "day", "close", "origin", "identity")


async def until(holds: Callable[[Mapping[str, Any]], bool], programs: Pair) -> Mapping[str, Any]:
    """The member `history` of the daemon's health, once it is so."""
    async with asyncio.timeout(60):
        while True:
            history: Any = (await programs.health())["history"]
            if holds(history):
                return history  # type: ignore[no-any-return]
            await asyncio.sleep(0.1)


def is_current(history: Mapping[str, Any]) -> bool:
    return bool(
        history["database"]["status"] == "copying"
        and history["database"]["lag_s"] == 0
        and history["waiting"] == 0
    )


async def status_of(programs: Pair, path: str) -> int:
    async with programs.http.get(programs.daemon + path) as reply:
        await reply.read()
        return reply.status


async def test_a_database_that_was_down_lacks_nothing_afterwards(tmp_path: Path) -> None:
    with running_server() as server:
        async with pair(tmp_path) as programs:
            await programs.start_simulator("--accounts", "5", "--activity", "150")
            with (tmp_path / "accounts.toml").open("a") as file:
                file.write(f'\n[history]\nurl = "{server.url}"\n')
            daemon = await programs.start_daemon()
            await programs.until_synced()
            await programs.allow_second_connections()
            await until(lambda h: h["database"]["status"] == "copying", programs)
            for mode in ("immediate", "fast"):
                server.stop(mode)
                await until(lambda h: h["database"]["status"] == "failing", programs)
                await asyncio.sleep(3)
                assert (await programs.health())["status"] == "ok"
                for path in ("/history/trades", "/realtime/orders/alpha?as_of=1790000000"):
                    assert await status_of(programs, path) in (200, 404)
                server.start()
                await until(lambda h: h["database"]["status"] == "copying", programs)
                await asyncio.sleep(2)
                await daemon.stop(signal.SIGKILL)
                daemon = await programs.start_daemon()
                await programs.until_synced()
            await programs.post("/traffic", activity=0)
            await asyncio.sleep(2)
            await until(is_current, programs)
            assert await status_of(programs, "/history/trades") == 200
            books: list[Any] = [
                await programs.get(f"{programs.simulator}/_sim/books/{label}")
                for label in await programs.labels()
            ]
            await daemon.stop()
        executions = [execution["id"] for book in books for execution in book["executions"]]
        compare_tables(server.url, tmp_path / "history", executions)


def compare_tables(url: str, path: Path, executions: list[str]) -> None:
    """What the daemon committed after its last pass is copied at the next start: a pass now."""
    from realtime.history.postgres.connection import connect  # noqa: PLC0415
    from realtime.history.postgres.shipper import Shipper  # noqa: PLC0415

    directory = HistoryDirectory(path)
    reader = FileReader(directory)
    with connect(url, "realtime") as connection:

        def count(table: str) -> int:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

        Shipper(directory, connection).ship()
        (day,) = reader.day_files()
        with reader.open_day(day) as rows:
            for table in DAY_TABLES:
                assert count(table) == rows(f"SELECT count(*) FROM {table}")[0][0], table
        for table in LEDGER_TABLES:
            assert count(table) == reader.read_ledger(f"SELECT count(*) FROM {table}")[0][0], table
        assert count("event") > 1000
        fills = [row[0] for row in connection.execute("SELECT exe FROM fill").fetchall()]
        assert sorted(fills) == sorted(executions)
