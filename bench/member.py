"""An owner or a front as `realtime run` and `realtime front` run it, with one subscriber.

Prints a line of JSON when it has all accounts, then answers commands: `reset`, `wait N` (until N
events were visible since), `stats` as in `bench.daemon`; `times` gives when each event was visible:
the broker's time of it → ns of the monotonic clock, which all processes share.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from bench.daemon import START_S, TIMEOUT_S, Counting
from bench.machine import pin
from realtime.config.loader import load, load_front
from realtime.config.settings import Settings
from realtime.runtime.daemon import Daemon, run_daemon
from realtime.runtime.environment import real_environment
from realtime.runtime.process import freeze_memory, run_in_loop
from realtime.store.records import Change
from realtime.telemetry.log import configure


class Times:
    """When events were visible."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def __call__(self, change: Change) -> None:
        for update in change.updates:
            if update.order.subtag:
                self.seen[update.order.subtag] = time.monotonic_ns()


async def follow(settings: Settings) -> None:
    """Run until standard input ends."""
    counting, times = Counting(), Times()
    loop = asyncio.get_running_loop()
    async with run_daemon(settings, real_environment()) as daemon:
        daemon.store.subscribe(counting)
        daemon.store.subscribe(times)
        cpu, began = time.process_time(), time.monotonic()
        async with asyncio.timeout(START_S):
            await _wait_until_complete(daemon)
        joined = {"took_s": time.monotonic() - began, "cpu_s": time.process_time() - cpu}
        freeze_memory()
        print(json.dumps(joined), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            word, *rest = line.split()
            if word == "reset":
                counting.reset()
                times.seen.clear()
            elif word == "times":
                print(json.dumps(times.seen), flush=True)
                continue
            elif word == "wait":
                async with asyncio.timeout(TIMEOUT_S):
                    while len(counting.latencies_ns) < int(rest[0]):
                        await asyncio.sleep(0.01)
            print(json.dumps(counting.stats()), flush=True)


async def _wait_until_complete(daemon: Daemon) -> None:
    if daemon.settings.is_front and daemon.cluster is not None:
        while not daemon.cluster.is_complete:
            await daemon.cluster.wait_until_complete()
        return
    while not all(record.link.is_synced for record in daemon.store):
        await asyncio.sleep(0.01)


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--of", help="the owner's mesh; without it this is the owner")
    options.add_argument("--core", type=int, default=0)
    given = options.parse_args()
    pin(given.core)
    configure("info", "json", open("/dev/null", "w"))  # noqa: SIM115 - for as long as this lives
    if given.of:
        settings = load_front(given.config, environ={}, of=(given.of,), port=given.port)
    else:
        settings = load(given.config, environ={}, host="127.0.0.1", port=given.port)
    run_in_loop(follow(settings))


if __name__ == "__main__":
    main()
