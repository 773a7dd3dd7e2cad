"""alpaca-py's `TradingStream` with a handler that does nothing: the peer of our event path.

It accepts the same commands on standard input as `bench.daemon`.
"""

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable

from alpaca.trading.stream import TradingStream

from bench.machine import pin

TIMEOUT_S = 120


class Counting:
    """The number of updates, and the times of the first and the last."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again."""
        self.events = self.first = self.last = 0
        self.cpu = time.process_time()

    async def handle_update(self, update: object) -> None:
        self.last = time.monotonic_ns()
        self.first = self.first or self.last
        self.events += 1

    def stats(self) -> dict[str, float]:
        """What was counted."""
        return {
            "events": self.events,
            "per_s": self.events / (max(1, self.last - self.first) / 1e9),
            "cpu_s": time.process_time() - self.cpu,
        }


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--url", required=True)
    options.add_argument("--sockets", type=int, default=1)
    options.add_argument("--core", type=int, default=0)
    given = options.parse_args()
    pin(given.core)
    counting = Counting()
    streams = [
        TradingStream(f"k{number}", "secret", url_override=given.url)
        for number in range(given.sockets)
    ]
    for stream in streams:
        stream.subscribe_trade_updates(counting.handle_update)

    async def follow() -> None:
        runs: list[Callable[[], Awaitable[None]]] = [each._run_forever for each in streams]
        await asyncio.gather(*(run() for run in runs))

    threading.Thread(target=lambda: asyncio.run(follow()), daemon=True).start()
    while not all(stream._running for stream in streams):
        time.sleep(0.01)
    print(json.dumps({"synced_s": 0}), flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "reset":
            counting.reset()
        elif word == "wait":
            until = time.monotonic() + TIMEOUT_S
            while counting.events < int(rest[0]) and time.monotonic() < until:
                time.sleep(0.01)
        print(json.dumps(counting.stats()), flush=True)


if __name__ == "__main__":
    main()
