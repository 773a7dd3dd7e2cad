"""Three real etcd servers on this machine; tests are skipped where etcd is not installed."""

import asyncio
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from realtime.cluster.etcd_gateway import EtcdGateway
from realtime.errors import RealtimeError

START_TIMEOUT_S = 40.0


class EtcdServers:
    """Three nodes. They do not wait for the disk: they need not survive the machine."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = _free_ports(6)
        self.processes: list[subprocess.Popen[bytes]] = []

    @property
    def endpoints(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports[:3]]

    def start(self) -> None:
        self.processes = [self._start(index) for index in range(3)]

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in self.processes:
            process.wait()

    def signal(self, index: int, number: signal.Signals) -> None:
        self.processes[index].send_signal(number)

    def restart(self, index: int) -> None:
        """Start a node that was killed again, with its data."""
        self.processes[index].wait()
        self.processes[index] = self._start(index)

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        peers = [f"http://127.0.0.1:{port}" for port in self._ports[3:]]
        cluster = ",".join(f"n{number}={peer}" for number, peer in enumerate(peers))
        path = shutil.which("etcd")
        assert path is not None, "etcd_servers skips"
        log = (self._directory / f"log{index}").open("ab")
        with log:
            return subprocess.Popen(
                [
                    path, "--name", f"n{index}", "--data-dir", str(self._directory / f"n{index}"),
                    "--listen-client-urls", self.endpoints[index],
                    "--advertise-client-urls", self.endpoints[index],
                    "--listen-peer-urls", peers[index],
                    "--initial-advertise-peer-urls", peers[index],
                    "--initial-cluster", cluster, "--initial-cluster-state", "new",
                    "--unsafe-no-fsync", "--logger", "zap", "--log-level", "warn",
                ],
                stdout=log,
                stderr=log,
            )  # fmt: skip


@contextmanager
def etcd_servers() -> Iterator[EtcdServers]:
    """Run three nodes while the block runs; skip the test where etcd is not installed."""
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed: apt-get install etcd-server")
    with tempfile.TemporaryDirectory(prefix="realtime-etcd-") as directory:
        servers = EtcdServers(Path(directory))
        servers.start()
        try:
            asyncio.run(_wait_until_ready(servers))
            yield servers
        finally:
            servers.stop()


async def _wait_until_ready(servers: EtcdServers) -> None:
    """Wait until every node answers a read, which needs a leader."""
    deadline = time.monotonic() + START_TIMEOUT_S
    async with aiohttp.ClientSession() as session:
        for endpoint in servers.endpoints:
            gateway = EtcdGateway(session, [endpoint])
            while True:
                try:
                    await gateway.get("ready")
                except RealtimeError:
                    if time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(0.1)
                else:
                    break


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
