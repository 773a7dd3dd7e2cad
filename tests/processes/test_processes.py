"""Simulator and daemon as programs on real sockets: killed, without disk space, stopped."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.processes.pair import events, pair

pytestmark = pytest.mark.slow

LABELS = ("alpha", "bravo", "charlie")


async def test_the_simulator_is_killed_and_comes_back(tmp_path: Path) -> None:
    """Reported at once; correct again when the broker is back, with new books."""
    async with pair(tmp_path) as both:
        simulator = await both.start_simulator("--accounts", "3", "--activity", "0")
        daemon = await both.start_daemon()
        try:
            await both.until_synced()
            await simulator.stop(signal.SIGKILL)
            async with asyncio.timeout(30):
                while (await both.health())["connected_accounts"] != 0:
                    await asyncio.sleep(0.02)
            simulator = await both.start_simulator("--accounts", "3", "--activity", "0")
            await both.until_synced()
            for label in LABELS:
                await both.until_equal(label)
            assert len(events(daemon.log, "link.lost")) == 3
            assert len(events(daemon.log, "link.recovered")) == 3
        finally:
            assert await daemon.stop() < 25
            await simulator.stop()


async def test_the_daemon_is_killed_and_starts_again(tmp_path: Path) -> None:
    """Neither the port nor the broker's only slot blocks the next start."""
    async with pair(tmp_path) as both:
        simulator = await both.start_simulator("--accounts", "3", "--activity", "30")
        daemon = await both.start_daemon()
        try:
            await both.until_synced()
            await daemon.stop(signal.SIGKILL)
            # The simulator sees the sockets end and holds their slots as the broker does.
            await both.post("/faults", kind="second_connection", mode="both")
            daemon = await both.start_daemon()
            await both.until_synced()
            await both.post("/traffic", activity=0)
            for label in LABELS:
                await both.until_equal(label)
        finally:
            await daemon.stop()
            await simulator.stop()


async def test_a_full_disk_under_the_log_does_not_stop_the_daemon(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        simulator = await both.start_simulator("--accounts", "3", "--activity", "50")
        daemon = await both.start_daemon(log=Path("/dev/full"))
        try:
            await both.until_synced()
            assert (await both.health())["status"] == "ok"
        finally:
            assert await daemon.stop() < 25
            await simulator.stop()


@pytest.mark.timeout(180)
async def test_a_thousand_accounts_start_and_stop_in_time(tmp_path: Path) -> None:
    async with pair(tmp_path) as both:
        simulator = await both.start_simulator("--accounts", "1000", "--activity", "0")
        daemon = await both.start_daemon()
        try:
            await both.until_synced(within_s=60)
            assert daemon.descriptors < 1300
            assert daemon.memory_mb < 300
        finally:
            assert await daemon.stop() < 25
            await simulator.stop()
