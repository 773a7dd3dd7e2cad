"""What a service manager hears, on a socket of the kind that it listens on."""

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
    """Listens as systemd does."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.heard: list[str] = []

    def hear(self) -> list[str]:
        """All lines up to now."""
        while True:
            try:
                self.heard += self.socket.recv(4096).decode().splitlines()
            except BlockingIOError:
                return self.heard

    async def until(self, line: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.hear().count(line) < times:  # noqa: ASYNC110 - another process talks
                await asyncio.sleep(0.01)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify"))
    yield made
    made.socket.close()


def test_without_a_manager_nothing_is_told() -> None:
    for given in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "nonsense"}):
        ServiceManager(given).tell("READY=1")


@pytest.mark.parametrize("given", ["/nowhere/at/all", "@realtime-nobody-listens", "/dev/null"])
def test_one_that_does_not_listen_is_no_reason_to_stop(given: str) -> None:
    ServiceManager({"NOTIFY_SOCKET": given}).tell("READY=1")


def test_one_that_does_not_read_holds_nobody_up(manager: Manager, tmp_path: Path) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    for _ in range(2000):
        service.tell("WATCHDOG=1")
    assert len(manager.hear()) < 2000


def test_the_abstract_space() -> None:
    name = f"realtime-test-{os.getpid()}"
    made = Manager("\0" + name)
    ServiceManager({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1", "STATUS=well")
    assert made.hear() == ["READY=1", "STATUS=well"]
    made.socket.close()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_ours_if_it_says_so(given: dict[str, str], expected: float | None) -> None:
    assert ServiceManager(given, pid=7).watchdog_s == expected


async def test_signs_of_life_end_when_the_loop_hangs(manager: Manager, tmp_path: Path) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "30000"})
    life = asyncio.create_task(service.live(lambda: "2 live"))
    await manager.until("WATCHDOG=1", times=3)
    assert "STATUS=2 live" in manager.heard
    before = manager.hear().count("WATCHDOG=1")
    time.sleep(0.1)  # noqa: ASYNC251 - the loop is to hang
    assert manager.hear().count("WATCHDOG=1") == before
    life.cancel()


async def test_a_daemon_from_start_to_end(
    manager: Manager, sim: Simulator, config: Path, tmp_path: Path
) -> None:
    notify = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    arguments = ("run", "--config", str(config), "--port", str(free_port()))
    async with started(*arguments, **notify) as process:
        await manager.until("READY=1")
        assert "STATUS=3 synced" in manager.heard
        await manager.until("WATCHDOG=1", times=5)
        edit(config, "[accounts.alpha]", "[accounts.alpha")
        process.send_signal(signal.SIGHUP)
        await manager.until("READY=1", times=2)
        at = manager.heard.index("RELOADING=1")
        microseconds = int(manager.heard[at + 1].removeprefix("MONOTONIC_USEC="))
        assert 0 <= time.monotonic_ns() // 1000 - microseconds < 20_000_000
        assert "STOPPING=1" not in manager.heard
        await stop(process)
    assert manager.hear()[-1] == "STOPPING=1"
