"""The demo's side of its simulator: start it, hear that it listens, notice its end, end it."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from realtime.cli.demo.simulator_child import LOOPBACK, ChildOptions, ChildReport
from realtime.cli.ports import taken
from realtime.errors import ConfigError, RealtimeError

START_S = 120.0
"""Limit until it listens: 25 accounts take a second, 10 000 with their first trades a minute."""

END_S = 3.0
"""Limit of its end; then it is killed. It holds nothing that would be lost."""


class SimulatorProcess:
    """A running simulator."""

    def __init__(self, process: subprocess.Popen[bytes], words: asyncio.StreamReader) -> None:
        self._process = process
        self._words = words
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def ended(self) -> RealtimeError:
        """Wait until it has ended, which nobody asked it to; gives the sentence on that."""
        await self._words.read()
        return _died(self._process)

    async def listening(self, wanted: int) -> None:
        """Wait until it listens. Raises ConfigError if its port is taken."""
        try:
            async with asyncio.timeout(START_S):
                line = await self._words.readline()
        except TimeoutError:
            raise RealtimeError(f"the simulator did not start within {START_S:.0f} s") from None
        if not line:
            raise _died(self._process)
        word = msgspec.json.decode(line, type=ChildReport)
        if word.errno == errno.EADDRINUSE:
            raise taken(wanted, "--sim-port")
        if word.errno is not None:
            raise ConfigError(f"cannot listen on {LOOPBACK}:{wanted}: {os.strerror(word.errno)}")
        self.port = word.port


@asynccontextmanager
async def broker(order: ChildOptions) -> AsyncIterator[SimulatorProcess]:
    """Run a simulator for as long as the block."""
    process = _spawn(order)
    try:
        running = SimulatorProcess(process, await _reader(process))
        await running.listening(order.port)
        yield running
    finally:
        await _end(process)


def _spawn(order: ChildOptions) -> subprocess.Popen[bytes]:
    """Start it deaf to Ctrl-C from its first instant: the terminal sends that to both of us."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "realtime.cli.demo.simulator_child",
                msgspec.json.encode(order).decode(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    finally:
        signal.signal(signal.SIGINT, before)


async def _reader(process: subprocess.Popen[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
    return reader


async def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None, "it was started with a pipe"
    process.stdin.close()
    try:
        await asyncio.to_thread(process.wait, END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _died(process: subprocess.Popen[bytes]) -> RealtimeError:
    try:
        code = process.wait(1.0)
    except subprocess.TimeoutExpired:
        return RealtimeError("the simulator closed its output")
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return RealtimeError(f"the simulator ended ({how})")
