"""Simulator and daemon as two processes on real sockets, as users run them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.equality import compare

START_S = 90.0
STOP_S = 30.0


class Program:
    """One `realtime` command in its own process; its output goes to a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        """The process."""
        return self.process.pid

    @property
    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def descriptors(self) -> int:
        """Open files and sockets."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> float:
        """Stop it and wait; return the seconds it took. After `STOP_S` it is killed."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            async with asyncio.timeout(STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise
        return loop.time() - start


class Pair:
    """The two programs, and a client."""

    def __init__(self, directory: Path, http: aiohttp.ClientSession) -> None:
        self.directory = directory
        self.http = http
        self.simulator_port, self.daemon_port = free_port(), free_port()

    async def start_simulator(self, *arguments: str) -> Program:
        """Start `realtime sim` and wait until it responds."""
        port = str(self.simulator_port)
        written = ("--write-config", str(self.directory), "--duration", "3600")
        program = await _start(
            self.directory / "sim.log", "sim", "--port", port, *written, *arguments
        )
        await self._wait_until_responding(program, f"{self.simulator}/_sim")
        return program

    async def start_daemon(self, log: Path | None = None) -> Program:
        """Start `realtime run` and wait until it responds."""
        config = str(self.directory / "accounts.toml")
        arguments = ("run", "--config", config, "--port", str(self.daemon_port))
        program = await _start(log or self.directory / "run.log", *arguments)
        await self._wait_until_responding(program, f"{self.daemon}/livez")
        return program

    @property
    def simulator(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.simulator_port}"

    @property
    def daemon(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.daemon_port}"

    async def get(self, url: str) -> object:
        """Return a JSON response."""
        async with self.http.get(url) as answer:
            return await answer.json(content_type=None)

    async def total(self, path: str) -> int:
        """Return the total count of a list."""
        async with self.http.get(self.daemon + path) as answer:
            await answer.read()
            return int(answer.headers["X-Total-Count"])

    async def post(self, path: str, **body: object) -> None:
        """Send a request to the simulator's `/_sim`."""
        async with self.http.post(f"{self.simulator}/_sim{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()

    async def allow_second_connections(self) -> None:
        """Let a daemon connect before the broker has noticed that the one before it was killed."""
        await self.post("/faults", kind="second_connection", mode="both")

    async def health(self) -> Mapping[str, object]:
        """The daemon's health."""
        health = await self.get(f"{self.daemon}/health")
        assert isinstance(health, Mapping)
        return health

    async def labels(self) -> list[str]:
        """The simulator's accounts."""
        rows = await self.get(f"{self.simulator}/_sim/books")
        assert isinstance(rows, list)
        return [str(row["label"]) for row in rows]

    async def until_synced(self, within_s: float = START_S) -> float:
        """Wait until every account is synced; return the seconds it took."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.timeout(within_s):
            while (await self.health())["status"] != "ok":
                await asyncio.sleep(0.05)
        return loop.time() - start

    async def unequal(self, label: str) -> list[str]:
        """Return the fields in which the daemon's responses differ from the simulator's books."""
        books = await self.get(f"{self.simulator}/_sim/books/{label}")
        assert isinstance(books, Mapping)
        ours = {
            "account": await self.get(f"{self.daemon}/realtime/account/{label}"),
            "positions": await self.get(f"{self.daemon}/realtime/positions/{label}"),
            "orders": await self.get(f"{self.daemon}/realtime/orders/{label}?limit=500"),
        }
        return compare(label, books, ours)

    async def until_equal(self, label: str, within_s: float = 90.0) -> None:
        """Wait until the daemon's responses equal the books."""
        differences: list[str] = []
        try:
            async with asyncio.timeout(within_s):
                while differences := await self.unequal(label):
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise AssertionError("\n".join(differences[:20])) from None

    async def _wait_until_responding(self, program: Program, url: str) -> None:
        async with asyncio.timeout(START_S):
            while True:
                assert program.process.returncode is None, program.log.read_text()[-2000:]
                with contextlib.suppress(aiohttp.ClientError):
                    await self.get(url)
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def pair(directory: Path) -> AsyncIterator[Pair]:
    """A pair that is not started; the caller stops what it starts."""
    limits = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=limits) as http:
        yield Pair(directory, http)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _start(log: Path, *arguments: str) -> Program:
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "realtime", *arguments, stdout=output, stderr=output
        )
    return Program(process, log)


def events(log: Path, event: str) -> list[dict[str, object]]:
    """Return the lines of a JSON log with one event."""
    lines = (json.loads(line) for line in log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == event]
