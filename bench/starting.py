"""Cold start against the simulator, and what an account costs in memory."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from bench.children import ROOT, ended, fleet_config, free_port, wait_for
from bench.events import broker, daemon


class Memory(Struct):
    """Resident memory of the daemon with all accounts synced, before and after all dashboards."""

    accounts: int
    orders: int
    synced_s: float
    synced_mb: float
    requested_mb: float


@contextlib.contextmanager
def simulator(accounts: int) -> Iterator[Path]:
    """A quiet simulator; yields its configuration."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        words = ["--accounts", str(accounts), "--activity", "0", "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, "-m", "realtime", "sim", *words, "--write-config", folder],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        with ended(process):
            wait_for(f"http://127.0.0.1:{port}/_sim")
            yield Path(folder) / "accounts.toml"


def start(accounts: int) -> float:
    """Seconds from the daemon's start until all accounts of a simulator are synced."""
    with simulator(accounts) as config, daemon(config) as child:
        return child.synced_s


def memory(accounts: int, positions: int, orders: int) -> Memory:
    """The memory of a fleet of such accounts."""
    http = free_port()
    with (
        broker(positions=positions, orders=orders) as port,
        fleet_config(accounts, port) as config,
        daemon(config, port=http) as child,
    ):
        before = child.request("stats")["rss_mb"]
        for number in range(accounts):
            wait_for(f"http://127.0.0.1:{http}/realtime/dashboard/a{number}")
        after = child.request("stats")["rss_mb"]
        return Memory(accounts, orders, child.synced_s, before, after)
