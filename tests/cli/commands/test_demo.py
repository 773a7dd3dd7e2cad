"""`realtime demo` as a program: its output, and how it ends."""

import asyncio
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from realtime.cli import FAILED, SUCCESS, USAGE_ERROR
from tests.cli.programs import LIMIT_S, ended, line_with, run, started, stop

pytestmark = pytest.mark.slow  # every test starts a process or more

ANY_PORTS = ("--port", "0", "--sim-port", "0")
SUMMARY = re.compile(r"\d+ s: [\d,]+ events?, .*query p99 \d.* ms, (\d) faults?(, 0 lost)?")

children = pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(),
    reason="only Linux lists a process' children without a helper program",
)


@asynccontextmanager
async def demo(*args: str) -> AsyncIterator[tuple[Process, str]]:
    """A demo that is ready, and the address of its daemon."""
    async with started("demo", *ANY_PORTS, "--accounts", "5", *args) as process:
        line = await line_with(process, "ready in ")
        found = re.search(r"open (http://127\.0\.0\.1:\d+)", line)
        assert found, line
        yield process, found[1]


def simulator_of(process: Process) -> int:
    """The process id of a demo's simulator."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    (child,) = map(int, listed.split())
    return child


async def test_the_schedule() -> None:
    """Every fault of the schedule within three seconds, and the comparison."""
    answer = await run("demo", *ANY_PORTS, "--accounts", "5", "--duration", "3")
    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (SUCCESS, "")
    assert re.fullmatch(r"simulator on :\d+, 5 accounts, seed 7", lines[0])
    assert lines[1] == "30 days of trading before now are invented"
    assert re.match(r"ready in \d+\.\d s: 5 synced · open http://127\.0\.0\.1:\d+$", lines[2])
    assert re.match(r"try: curl -s http://127\.0\.0\.1:\d+/realtime/positions/alpha$", lines[3])
    output = " ".join(lines)
    assert "chaos: cutting alpha" in output
    assert "alpha lost: connection closed (1006), retry in" in output
    assert "chaos: 429 for bravo" in output
    assert "chaos: charlie's key is refused" in output
    others = "alpha (waiting), bravo (waiting), charlie (waiting)"
    assert f"not synced, so not compared: {others}" in output
    assert lines[-1].startswith("open http://127.0.0.1:")  # again, it has scrolled away
    summary = SUMMARY.fullmatch(lines[-2])
    assert summary, lines[-2]
    assert summary.groups() == ("3", ", 0 lost")


async def test_without_faults() -> None:
    answer = await run("demo", *ANY_PORTS, "--accounts", "2", "--duration", "1", "--no-chaos")
    assert answer.code == SUCCESS
    assert "chaos" not in answer.out
    assert answer.out.splitlines()[-2].endswith("0 faults, 0 lost")


async def test_the_daemon_of_a_demo_responds() -> None:
    async with demo("--no-chaos") as (process, url):
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{url}/realtime/positions/alpha") as answer,
        ):
            positions = await answer.json()
        assert {"symbol", "qty", "unrealized_pl"} <= positions[0].keys()
        await stop(process)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_signal_prints_the_summary_and_succeeds(how: signal.Signals) -> None:
    async with demo("--activity", "0") as (process, _):
        answer = await stop(process, how)
    assert (answer.code, answer.err) == (SUCCESS, "")
    assert answer.out.splitlines()[-1].startswith("0 s: 0 events")


@pytest.mark.parametrize(("ours", "other"), [("--port", "--sim-port"), ("--sim-port", "--port")])
async def test_a_port_in_use(ours: str, other: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        answer = await run("demo", ours, str(port), other, "0")
    free = port + 100 if port <= 65_435 else port - 100
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert answer.err == (
        f"port {port} is in use by another program\n  remedy: scripts/demo {ours} {free}\n"
    )


@pytest.mark.parametrize(
    "args",
    [
        ["--accounts", "0"], ["--duration", "nan"], ["--duration", "0"], ["--activity", "-1"],
        ["--activity", "nan"], ["--port", "65536"], ["--port", "5000", "--sim-port", "5000"],
    ],
)  # fmt: skip
async def test_misuse(args: list[str]) -> None:
    answer = await run("demo", *args)
    assert (answer.code, answer.out) == (USAGE_ERROR, "")
    assert "Error: " in answer.err
    assert "Traceback" not in answer.err


@children
async def test_the_simulator_dies() -> None:
    """Reported, and not a success."""
    async with demo() as (process, _):
        os.kill(simulator_of(process), signal.SIGKILL)
        answer = await ended(process)
    assert answer.code == FAILED
    assert answer.err == "the simulator ended (killed by SIGKILL)\n"


@children
async def test_the_simulator_does_not_outlive_the_demo() -> None:
    """Even `kill -9` leaves nothing running: the simulator's stdin ends with the demo."""
    async with demo() as (process, _):
        child = os.pidfd_open(simulator_of(process))
        process.kill()
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(child, gone.set)
        try:
            async with asyncio.timeout(LIMIT_S):
                await gone.wait()
        finally:
            asyncio.get_running_loop().remove_reader(child)
            os.close(child)


def test_a_closed_pipe_ends_the_demo() -> None:
    """`realtime demo | head -n 1` ends by itself."""
    program = f"{shlex.quote(sys.executable)} -m realtime demo {' '.join(ANY_PORTS)} | head -n 1"
    answer = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    assert answer.stdout.startswith("simulator on :")
    assert answer.stderr == ""
