"""Optional means absent: without its sections nothing of it is imported or runs."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from tests import virtual
from tests.fleet import fleet
from realtime.simulator.app import Simulator

async def play():
    async with Simulator(accounts=2, seed=1, clock=virtual.nanosecond_clock) as simulator:
        async with fleet(simulator, virtual.world(1)) as running:
            await running.until(running.all_synced)
            async with running.http.get(
                f"http://127.0.0.1:{running.daemon.port}/admin/notify"
            ) as response:
                assert response.status == 404, response.status
                assert (await response.json())["code"] == "notify_off"
            names = {task.get_name() for task in asyncio.all_tasks()}
            assert not any("webhook" in name or "notify" in name for name in names), names

virtual.run(play)
loaded = [name for name in sys.modules if name.startswith(("realtime.notify", "apprise"))]
assert not loaded, loaded
"""


@pytest.mark.slow
def test_without_the_sections_nothing_is_imported_or_started() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=50)
