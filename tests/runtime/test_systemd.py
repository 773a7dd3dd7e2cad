"""Notifications that a service manager receives, on a socket of its kind."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.runtime.systemd import ServiceManager
from realtime.simulator.app import Simulator
from tests.cli.conftest import edit
from tests.cli.programs import free_port, started, stop


class Manager:
    """Receives notifications as systemd does."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.lines: list[str] = []

    def receive(self) -> list[str]:
        """Return all lines so far."""
        while True:
            try:
                self.lines += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.lines

    async def until(self, line: str, times: int = 1) -> None:
        async with asyncio.timeout(60):
            while self.receive().count(line) < times:  # noqa: ASYNC110 - another process sends
                await asyncio.sleep(0.01)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.socket.close()


def test_without_a_manager_nothing_is_sent() -> None:
    for value in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "nonsense"}):
        ServiceManager(value).notify("READY=1")


@pytest.mark.parametrize("value", ["/nowhere/at/all", "@realtime-no-such-socket", "/dev/null"])
def test_a_manager_that_is_gone_is_no_error(value: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": value}).notify("READY=1")


def test_a_manager_that_does_not_read_blocks_nothing(manager: Manager, tmp_path: Path) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(2000):
        service.notify("WATCHDOG=1")
    assert len(manager.receive()) < 2000


def test_abstract_namespace() -> None:
    name = f"realtime-test-{os.getpid()}"
    made = Manager("\0" + name)
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).notify("READY=1", "STATUS=well")
    assert made.receive() == ["READY=1", "STATUS=well"]
    made.socket.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_applies_to_its_process_only(
    value: dict[str, str], expected: float | None
) -> None:
    assert ServiceManager(value, pid=7).watchdog_s == expected


async def test_watchdog_stops_when_the_loop_hangs(manager: Manager, tmp_path: Path) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000"})
    notifying = asyncio.create_task(service.keep_notified(lambda: "2 synced"))
    await manager.until("WATCHDOG=1", times=3)
    assert "STATUS=2 synced" in manager.lines
    before = manager.receive().count("WATCHDOG=1")
    time.sleep(0.1)  # noqa: ASYNC251 - the loop is to hang
    assert manager.receive().count("WATCHDOG=1") == before
    notifying.cancel()


@pytest.mark.slow
async def test_daemon_notifies_ready_reload_and_stop(
    manager: Manager, sim: Simulator, config: Path, tmp_path: Path
) -> None:
    notify = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    arguments = ("run", "--config", str(config), "--port", str(free_port()))
    async with started(*arguments, **notify) as process:
        await manager.until("READY=1")
        assert "STATUS=3 synced" in manager.lines
        await manager.until("WATCHDOG=1", times=5)
        edit(config, "[accounts.alpha]", "[accounts.alpha")
        process.send_signal(signal.SIGHUP)
        await manager.until("READY=1", times=2)
        at = manager.lines.index("RELOADING=1")
        microseconds = int(manager.lines[at + 1].removeprefix("MONOTONIC_USEC="))
        assert 0 <= time.monotonic_ns() // 1000 - microseconds < 20_000_000
        assert "STOPPING=1" not in manager.lines
        await stop(process)
    assert manager.receive()[-1] == "STOPPING=1"
