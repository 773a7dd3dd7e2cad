"""With history off nothing of it runs: no thread, no task, no process, no file, no subscriber."""

import asyncio
import threading
from pathlib import Path

from realtime.runtime.history import record_history
from realtime.simulator.app import Simulator
from realtime.store.store import Store
from tests.fleet import fleet
from tests.virtual import nanosecond_clock, run, world


def test_a_daemon_without_history_has_nothing_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        simulator = Simulator(accounts=2, clock=nanosecond_clock)
        async with simulator, fleet(simulator, world(1)) as running:
            await running.until(running.all_synced)
            running.buy("alpha")
            await asyncio.sleep(120)
            tasks = {task.get_name() for task in asyncio.all_tasks()}
            assert not {name for name in tasks if name.startswith("history")}
            threads = {thread.name for thread in threading.enumerate()}
            assert not {name for name in threads if name.startswith("history")}
            base = f"http://127.0.0.1:{running.daemon.port}"
            async with running.http.get(base + "/metrics") as response:
                assert "realtime_history" not in await response.text()

    run(main)


async def test_the_store_notifies_no_one_of_it() -> None:
    store = Store(boot="b00t")

    def fail(*_: object) -> None:
        raise AssertionError("a subscriber of history")

    store.subscribe = fail  # type: ignore[method-assign,assignment]
    async with record_history(None, store) as history:
        assert history is None
