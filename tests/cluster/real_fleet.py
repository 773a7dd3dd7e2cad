"""Three daemons, three etcd servers and the simulator as processes on this machine."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from tests.cli.programs import environment
from tests.cluster.etcd_servers import EtcdServers
from tests.processes.pair import Program, free_port

NAMES = ("beta", "gamma", "delta")
START_S = 90.0
"""Limit of everything that is waited for: tests share the machine with others."""

SECRET = "0123456789abcdef0123456789abcdef"


class RealFleet:
    """The processes, and a client of them."""

    def __init__(self, directory: Path, etcd: EtcdServers, http: aiohttp.ClientSession) -> None:
        self.directory = directory
        self.etcd = etcd
        self.http = http
        self.broker_port = free_port()
        self.ports = {name: free_port() for name in NAMES}
        self.programs: dict[str, Program] = {}
        self._broker: Program | None = None

    async def start_broker(self, accounts: int, activity: float) -> None:
        """Start the simulator; it writes the accounts' configuration."""
        arguments = ("--accounts", str(accounts), "--activity", str(activity), "--seed", "7")
        self._broker = await self._start(
            "sim", "sim", "--port", str(self.broker_port), *arguments,
            "--write-config", str(self.directory),
        )  # fmt: skip
        await self.wait_for(lambda: (self.directory / "secrets.toml").exists())
        for name in NAMES:
            self._write_config(name)

    def _write_config(self, name: str) -> None:
        secret = self.directory / "mesh.secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        engine = ", ".join(f'"{endpoint}"' for endpoint in self.etcd.endpoints)
        section = f"""
[cluster]
fleet = "demo"
member = "{name}"
engine = [{engine}]
listen = "127.0.0.1:{free_port()}"
secret_file = "mesh.secret"

[orders]
audit_log = "orders-{name}.jsonl"

[history]
enabled = false
"""
        accounts = (self.directory / "accounts.toml").read_text()
        (self.directory / f"{name}.toml").write_text(accounts + section)

    async def _start(self, log: str, *arguments: str) -> Program:
        path = self.directory / f"{log}.out"
        with path.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "realtime", *arguments,
                stdin=asyncio.subprocess.DEVNULL, stdout=file, stderr=file, env=environment(),
            )  # fmt: skip
        return Program(process, path)

    async def start(self, name: str) -> None:
        """Start a daemon."""
        self.programs[name] = await self._start(
            name, "run", "--config", str(self.directory / f"{name}.toml"),
            "--port", str(self.ports[name]),
        )  # fmt: skip

    async def kill(self, name: str) -> None:
        """End a daemon without a word; its sockets are closed by the kernel."""
        program = self.programs.pop(name)
        program.process.kill()
        await program.process.wait()

    def send_signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a daemon."""
        self.programs[name].process.send_signal(number)

    async def close(self) -> None:
        """End every process."""
        programs = [*self.programs.values(), *([self._broker] if self._broker else [])]
        for program in programs:
            with suppress(ProcessLookupError):
                program.process.send_signal(signal.SIGCONT)
                program.process.kill()
            await program.process.wait()

    async def ask(self, name: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return status and document of a request to a daemon; 0 if it does not answer."""
        url = f"http://127.0.0.1:{self.ports[name]}{path}"
        try:
            async with self.http.request(method, url, json=body) as response:
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return 0, None

    async def get_order_ids(self, account: str) -> list[str]:
        """Return the client order ids that the broker has of an account."""
        headers = {
            "APCA-API-KEY-ID": f"demo-{account}",
            "APCA-API-SECRET-KEY": f"demo-secret-{account}",
        }
        url = f"http://127.0.0.1:{self.broker_port}/v2/orders?status=all&limit=500"
        async with self.http.get(url, headers=headers) as response:
            return [str(order["client_order_id"]) for order in await response.json()]

    async def get_status(self, name: str) -> Any:  # Any: as above
        """Return what a daemon knows of the fleet; None if it does not answer."""
        status, document = await self.ask(name, "GET", "/admin/cluster")
        return document if status == 200 else None

    async def is_settled(self, names: tuple[str, ...], accounts: int) -> bool:
        """Whether these daemons share all accounts, and each has every account current."""
        for name in names:
            document = await self.get_status(name)
            members = {} if document is None else {r["member"]: r for r in document["members"]}
            if document is None or set(members) != set(names) or document["unowned"]:
                return False
            status, fleet = await self.ask(name, "GET", "/realtime/status")
            if status != 200 or len(fleet["accounts"]) != accounts:
                return False
            if any(row["stale"] for row in fleet["accounts"].values()):
                return False
        return True

    async def wait_for(self, condition: Any, limit_s: float = START_S) -> float:
        """Wait until a condition holds, a function or a coroutine function; return the seconds."""
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        async with asyncio.timeout(limit_s):
            while True:
                result = condition()
                if asyncio.iscoroutine(result):
                    result = await result
                if result:
                    return loop.time() - started_at
                await asyncio.sleep(0.05)


@asynccontextmanager
async def real_fleet(
    etcd: EtcdServers, *, accounts: int, activity: float = 0.0
) -> AsyncIterator[RealFleet]:
    """Run simulator and daemons while the block runs."""
    timeout = aiohttp.ClientTimeout(total=20)
    with TemporaryDirectory(prefix="realtime-fleet-") as folder:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            fleet = RealFleet(Path(folder), etcd, http)
            try:
                await fleet.start_broker(accounts, activity)
                yield fleet
            finally:
                await fleet.close()
