"""Readers of the push: they read all they are sent, and note how late trade updates came.

One in ten follows the orders of all accounts, the others one account each with all there is to
hear. Prints `ready` once every reader's snapshot is complete; answers `stats` with what came since.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from functools import partial
from typing import cast

import uvloop

from bench.machine import pin

WHOLE_EVERY = 10
"""One reader in so many follows all accounts."""

TIMEOUT_S = 60
STAMP = re.compile(rb'"subtag":"(\d+)"')
"""When the broker wrote an update, nanoseconds of the clock that all processes share."""


class Listener(asyncio.Protocol):
    """One reader."""

    def __init__(self, subscribers: "Subscribers", query: str) -> None:
        self._subscribers = subscribers
        self._query = query
        self._is_ready = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        wire.write(
            f"GET /realtime/events?{self._query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        subscribers = self._subscribers
        subscribers.bytes += len(data)
        if not self._is_ready and b"event: ready" in data:
            self._is_ready = True
            subscribers.count_ready()
        stamps = STAMP.findall(data)
        if self._is_ready and stamps:
            subscribers.updates += len(stamps)
            # The oldest of those that came together: the one that waited longest.
            subscribers.late_ns.append(time.monotonic_ns() - int(stamps[0]))
        subscribers.resyncs += data.count(b"event: resync")

    def connection_lost(self, exc: Exception | None) -> None:
        self._subscribers.lost += 1


class Subscribers:
    """All clients, and what they received."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ready = 0
        self.all_ready = asyncio.Event()
        self.lost = 0
        self.reset()

    def reset(self) -> None:
        """Count again."""
        self.bytes = self.updates = self.resyncs = 0
        self.late_ns: list[int] = []

    def count_ready(self) -> None:
        """One more has its snapshot."""
        self._ready += 1
        if self._ready == self._size:
            self.all_ready.set()

    def stats(self) -> dict[str, float]:
        """What came since the last reset, and how late."""
        found = sorted(self.late_ns) or [0]
        return {
            "bytes": self.bytes,
            "updates": self.updates,
            "resyncs": self.resyncs,
            "lost": self.lost,
            "p50_ms": found[len(found) // 2] / 1e6,
            "p99_ms": found[int(len(found) * 0.99)] / 1e6,
        }


def query_of(number: int, accounts: int) -> str:
    """What reader `number` follows."""
    return "types=order" if number % WHOLE_EVERY == 0 else f"account_id=a{number % accounts}"


async def listen(port: int, readers: int, accounts: int) -> None:
    """Read until standard input ends."""
    loop = asyncio.get_running_loop()
    subscribers = Subscribers(readers)
    for number in range(readers):
        make = partial(Listener, subscribers, query_of(number, accounts))
        await loop.create_connection(make, "127.0.0.1", port)
    async with asyncio.timeout(TIMEOUT_S):
        await subscribers.all_ready.wait()
    subscribers.reset()
    print("ready", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(subscribers.stats()), flush=True)
        subscribers.reset()


def main() -> None:
    """Run as a process of its own."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--readers", type=int, required=True)
    options.add_argument("--accounts", type=int, required=True)
    options.add_argument("--core", type=int, default=1)
    given = options.parse_args()
    pin(given.core)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(listen(given.port, given.readers, given.accounts))


if __name__ == "__main__":
    main()
