"""`realtime run` as a program, against the simulator."""

import asyncio
import json
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from realtime.cli import SUCCESS, USAGE_ERROR
from realtime.simulator.app import Simulator
from tests.cli.conftest import edit, fault
from tests.cli.programs import free_port, line_with, run, started, stop

pytestmark = pytest.mark.slow  # every test starts a process or more


@asynccontextmanager
async def daemon(config: Path, port: int = 0) -> AsyncIterator[tuple[Process, str]]:
    """The daemon, ready, and its address."""
    port = port or free_port()
    async with started("run", "--config", str(config), "--port", str(port)) as process:
        yield process, f"http://127.0.0.1:{port}"


async def ready(process: Process) -> dict[str, object]:
    """The facts of `daemon.ready`."""
    facts: dict[str, object] = json.loads(await line_with(process, "daemon.ready"))
    return facts


async def get(url: str) -> object:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return await answer.json()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_serves_until_a_stop_signal(
    sim: Simulator, config: Path, how: signal.Signals
) -> None:
    async with daemon(config) as (process, url):
        facts = await ready(process)
        assert (facts["accounts"], facts["synced"]) == (3, 3)
        assert "refused" not in facts
        status = await get(f"{url}/websocket/status")
        assert isinstance(status, dict)
        assert status["connected_accounts"] == 3
        answer = await stop(process, how)
    assert (answer.code, answer.err) == (SUCCESS, "")
    events = [json.loads(line)["event"] for line in answer.out.splitlines()]
    assert events[0] == "daemon.stopping"
    assert events[-1] == "daemon.stopped"
    assert events.count("daemon.ready") == 0


async def test_ready_counts_accounts_that_are_not_synced(sim: Simulator, config: Path) -> None:
    """Tried is enough: an account that cannot connect does not delay readiness forever."""
    fault(sim, kind="key_revoked", account="alpha")
    fault(sim, kind="server_error", account="bravo")
    async with daemon(config) as (process, _):
        facts = await ready(process)
    # A key counts as invalid when it was rejected twice: until then the account waits.
    assert facts["synced"] == 1
    assert (facts.get("waiting", 0), facts.get("refused", 0)) in ((1, 1), (2, 0))


async def test_disabled_accounts_are_not_waited_for(sim: Simulator, config: Path) -> None:
    for label in ("alpha", "bravo", "charlie"):
        edit(config, f"[accounts.{label}]", f"[accounts.{label}]\nenabled = false")
    async with daemon(config) as (process, _):
        facts = await ready(process)
    assert (facts["accounts"], facts["synced"]) == (0, 0)


async def test_a_port_in_use_is_exit_code_2(sim: Simulator, config: Path) -> None:
    """With the remedy: usually it is another daemon."""
    answer = await run("run", "--config", str(config), "--port", str(sim.port))
    assert answer.code == USAGE_ERROR
    assert answer.err == (
        f"127.0.0.1:{sim.port} is in use\n"
        "  remedy: choose another `--port`; a running daemon answers `realtime status`\n"
    )
    told = sim.counters.total()
    assert told.get("handshakes", 0) == 0, "it must not take the first daemon's connections"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--port", "99999"], "--port: expected 1–65535, got 99999"),
        (["--host", "0.0.0.0"], "refusing to listen on 0.0.0.0 without authentication"),
        (["--port", "x"], "Invalid value for '--port'"),
    ],
)
async def test_misuse_is_exit_code_2(
    sim: Simulator, config: Path, args: list[str], said: str
) -> None:
    answer = await run("run", "--config", str(config), *args)
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert said in answer.err
    assert "Traceback" not in answer.err


async def test_missing_files(tmp_path: Path) -> None:
    answer = await run("run", "--config", str(tmp_path / "accounts.toml"))
    assert answer.code == USAGE_ERROR
    assert answer.err.startswith(f"accounts.toml not found in {tmp_path}\n  remedy: ")


async def test_a_log_level_that_does_not_exist(sim: Simulator, config: Path) -> None:
    answer = await run("run", "--config", str(config), REALTIME_LOG_LEVEL="loud")
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert answer.err.startswith("REALTIME_LOG_LEVEL: expected debug, info")


async def wait_for_line(path: Path, event: str) -> None:
    """Wait for a line of a log file."""
    async with asyncio.timeout(60):
        while not path.exists() or event not in path.read_text():  # noqa: ASYNC110, ASYNC240 - a file
            await asyncio.sleep(0.05)


async def test_the_log_in_a_file_that_is_rotated(sim: Simulator, config: Path) -> None:
    path = config.parent / "logs" / "run.log"
    path.parent.mkdir()
    edit(config, "[alpaca]", '[log]\nfile = "logs/run.log"\nlevel = "debug"\n\n[alpaca]')
    async with daemon(config) as (process, _):
        await wait_for_line(path, "daemon.ready")
        path.rename(path.with_suffix(".1"))
        process.send_signal(signal.SIGHUP)
        await wait_for_line(path, "config.reloaded")
        answer = await stop(process)
    assert answer == (SUCCESS, "", "")
    assert '"level":"debug"' in path.with_suffix(".1").read_text()
    assert json.loads(path.read_text().splitlines()[-1])["event"] == "daemon.stopped"


async def test_a_log_that_cannot_be_written_is_exit_code_2(sim: Simulator, config: Path) -> None:
    answer = await run("run", "--config", str(config), "--log-file", str(config.parent))
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "cannot be opened: is a directory" in answer.err
