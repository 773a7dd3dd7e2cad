"""The daemon as `realtime run` runs it, with one subscriber that takes the time.

Prints a line of JSON for each word that it reads: `reset` begins counting again, `wait N` answers
once N events were applied since, `stats` at once; `sample` begins to sample stages, `samples` ends
that and answers the seconds of each.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import sys
import time
from pathlib import Path

from bench.machine import pin, waited_s
from bench.stage_sampler import StageSampler
from realtime.config import load
from realtime.runtime.daemon import run_daemon
from realtime.runtime.environment import real_environment
from realtime.runtime.garbage import collect_garbage
from realtime.runtime.process import run_in_loop
from realtime.store.records import Change
from realtime.telemetry.log import configure

TIMEOUT_S = 120
START_S = 300


class Counting:
    """What the subscriber saw: how many events, how late, how long from the first to the last."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.latencies_ns: list[int] = []
        self.first = self.last = 0
        self.cpu = time.process_time()
        self.waited = waited_s()
        self.began = time.monotonic()
        self.collections = 0
        self.paused_ns = self.pause_most_ns = 0

    def __call__(self, change: Change) -> None:
        for update in change.updates:
            if update.order.subtag:
                self.last = time.monotonic_ns()
                self.first = self.first or self.last
                self.latencies_ns.append(self.last - int(update.order.subtag))

    def collecting(self, phase: str, _: object) -> None:
        """Take the processor time that the garbage collector stops everything else."""
        if phase == "start":
            self._stopped_at = time.thread_time_ns()
            return
        pause = time.thread_time_ns() - self._stopped_at
        self.collections += 1
        self.paused_ns += pause
        self.pause_most_ns = max(self.pause_most_ns, pause)

    def stats(self) -> dict[str, float]:
        """What was counted, in events and milliseconds."""
        found = sorted(self.latencies_ns) or [0]
        spent_s = max(1, self.last - self.first) / 1e9
        usage = Path(f"/proc/{os.getpid()}/status").read_text().split("VmRSS:")[1].split()[0]
        return {
            "events": len(self.latencies_ns),
            "per_s": len(self.latencies_ns) / spent_s,
            "p50_ms": found[len(found) // 2] / 1e6,
            "p99_ms": found[int(len(found) * 0.99)] / 1e6,
            "max_ms": found[-1] / 1e6,
            "cpu_s": time.process_time() - self.cpu,
            "waited": (waited_s() - self.waited) / (time.monotonic() - self.began),
            "rss_mb": int(usage) / 1024,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "tracked": len(gc.get_objects()),
            "collections": self.collections,
            "paused_ms": self.paused_ns / 1e6,
            "pause_most_ms": self.pause_most_ns / 1e6,
        }


async def follow(config: Path, port: int, *, settles: bool) -> None:
    """Run until standard input ends."""
    settings = load(config, environ={}, host="127.0.0.1", port=port)
    counting = Counting()
    sampler = StageSampler()
    gc.callbacks.append(counting.collecting)
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    async with run_daemon(settings, real_environment()) as daemon:
        daemon.store.subscribe(counting)
        async with asyncio.timeout(START_S):
            while not all(record.link.is_synced for record in daemon.store):
                await asyncio.sleep(0.01)
        synced_s = time.monotonic() - began
        collecting = asyncio.create_task(
            collect_garbage(lambda: daemon.store.version) if settles else asyncio.sleep(0)
        )
        print(json.dumps({"synced_s": synced_s}), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            word, *rest = line.split()
            if word == "reset":
                counting.reset()
            elif word == "sample":
                sampler.start()
            elif word == "samples":
                print(json.dumps(sampler.stop()), flush=True)
                continue
            elif word == "wait":
                async with asyncio.timeout(TIMEOUT_S):
                    while len(counting.latencies_ns) < int(rest[0]):
                        await asyncio.sleep(0.01)
            print(json.dumps(counting.stats()), flush=True)
        collecting.cancel()


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--config", type=Path, required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--core", type=int, default=0)
    options.add_argument("--unsettled", action="store_true", help="leave the collector as it is")
    given = options.parse_args()
    pin(given.core)
    configure("info", "json", open("/dev/null", "w"))  # noqa: SIM115 - for as long as this lives
    run_in_loop(follow(given.config, given.port, settles=not given.unsettled))


if __name__ == "__main__":
    main()
