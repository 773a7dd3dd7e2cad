"""The demo's simulator, in its own process on its own core: both ends.

The child writes one line of JSON to stdout when it listens, or when it cannot. It ends when its
stdin ends, so it does not outlive the demo, however that ends. Ctrl-C is for the demo, not for it.
"""

import asyncio
import errno
import gc
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvloop
from msgspec import Struct

from realtime.errors import ConfigError, RealtimeError
from realtime.simulator.app import Simulator

LOOPBACK = "127.0.0.1"

START_TIMEOUT_S = 120.0
"""Until it listens: 25 accounts take a second, 10 000 with their first trades a minute."""

STOP_TIMEOUT_S = 3.0
"""Until it ends; then it is killed. It holds nothing that would be lost."""


class SimulatorOptions(Struct, frozen=True, kw_only=True):
    """What to simulate; the child's only argument, as JSON."""

    accounts: int
    seed: int
    port: int
    activity: float
    """Events per second, of all accounts together."""
    past_days: int = 0
    """Calendar days of invented trading before the start."""


class StartReport(Struct, frozen=True):
    """The child's only line."""

    port: int = 0
    errno: int | None = None
    """Why it does not listen."""


class SimulatorProcess:
    """A running simulator."""

    def __init__(self, process: subprocess.Popen[bytes], output: asyncio.StreamReader) -> None:
        self._process = process
        self._output = output
        self.port = 0

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{LOOPBACK}:{self.port}"

    async def wait_for_exit(self) -> RealtimeError:
        """Wait until it has ended, which was not requested; return why."""
        await self._output.read()
        return _exit_error(self._process)

    async def wait_until_listening(self, port: int) -> None:
        """Wait until it listens. Raises `ConfigError` if its port is in use."""
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                line = await self._output.readline()
        except TimeoutError:
            fact = f"the simulator did not start within {START_TIMEOUT_S:.0f} s"
            raise RealtimeError(fact) from None
        if not line:
            raise _exit_error(self._process)
        report = msgspec.json.decode(line, type=StartReport)
        if report.errno == errno.EADDRINUSE:
            raise port_in_use(port, "--sim-port")
        if report.errno is not None:
            raise ConfigError(f"cannot listen on {LOOPBACK}:{port}: {os.strerror(report.errno)}")
        self.port = report.port


@asynccontextmanager
async def run_simulator(options: SimulatorOptions) -> AsyncIterator[SimulatorProcess]:
    """Run a simulator while the block runs."""
    process = _spawn(options)
    try:
        simulator = SimulatorProcess(process, await _output_of(process))
        await simulator.wait_until_listening(options.port)
        yield simulator
    finally:
        await _stop(process)


def check_port_is_free(port: int, flag: str) -> None:
    """Raise `ConfigError` if a loopback port is in use. Port 0 is always free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: closing connections of an earlier run do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise port_in_use(port, flag) from error
            fact = f"cannot listen on {LOOPBACK}:{port}: {error.strerror}"
            raise ConfigError(fact, remedy=f"{flag} selects another port") from error


def port_in_use(port: int, flag: str) -> ConfigError:
    """Return the error about a port that another program uses; it names one that may be free."""
    other = port + 100 if port <= 65_435 else port - 100
    fact = f"port {port} is in use by another program"
    return ConfigError(fact, remedy=f"scripts/demo {flag} {other}")


def _spawn(options: SimulatorOptions) -> subprocess.Popen[bytes]:
    """Start it ignoring Ctrl-C from its first instant: the terminal sends that to both of us."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", __name__, msgspec.json.encode(options).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    finally:
        signal.signal(signal.SIGINT, before)


async def _output_of(process: subprocess.Popen[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    return reader


async def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None, "it was started with a pipe"
    process.stdin.close()
    try:
        await asyncio.to_thread(process.wait, STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _exit_error(process: subprocess.Popen[bytes]) -> RealtimeError:
    try:
        code = process.wait(1.0)
    except subprocess.TimeoutExpired:
        return RealtimeError("the simulator closed its output")
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return RealtimeError(f"the simulator ended ({how})")


async def _serve(options: SimulatorOptions) -> None:
    """The child: serve until SIGTERM, or until stdin ends."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    sim = Simulator(
        accounts=options.accounts,
        seed=options.seed,
        activity=options.activity,
        past_days=options.past_days,
    )
    sim.market_data.settings.plan = "plus"  # every symbol is streamed; it costs nothing until used
    try:
        port = await sim.start(LOOPBACK, options.port)
    except OSError as error:
        _report(StartReport(errno=error.errno or 0))
        return
    async with sim:
        # As `realtime sim` does: collecting all these accounts would stop them for too long.
        gc.collect()
        gc.freeze()
        _report(StartReport(port=port))
        async with asyncio.TaskGroup() as group:
            ends = [
                group.create_task(stop.wait()),
                group.create_task(sim.wait()),
                group.create_task(_wait_for_end_of_stdin()),
            ]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in ends:
                task.cancel()


async def _wait_for_end_of_stdin() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def _report(report: StartReport) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Run the child."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = msgspec.json.decode(sys.argv[1], type=SimulatorOptions)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(options))


if __name__ == "__main__":
    main()
