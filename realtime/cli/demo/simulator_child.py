"""The demo's simulator, a process of its own on a core of its own.

Speaks one line of JSON on stdout when it listens, or when it cannot. Ends when its stdin ends: so
it does not outlive the demo, whatever kills that. Ctrl-C is the demo's business, not ours.
"""

import asyncio
import gc
import signal
import sys

import msgspec
import uvloop
from msgspec import Struct

from realtime.simulator.app import Simulator

LOOPBACK = "127.0.0.1"


class ChildOptions(Struct, frozen=True):
    """What the demo wants; the only argument, as JSON."""

    accounts: int
    seed: int
    port: int
    activity: float


class ChildReport(Struct, frozen=True):
    """What the demo is told."""

    port: int = 0
    errno: int | None = None
    """Why there is none."""


async def _serve(order: ChildOptions) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    # As `realtime sim` does: a collection of all these accounts would stop them for too long.
    sim = Simulator(accounts=order.accounts, seed=order.seed, activity=order.activity)
    try:
        port = await sim.start(LOOPBACK, order.port)
    except OSError as error:
        _say(ChildReport(errno=error.errno or 0))
        return
    async with sim:
        gc.collect()
        gc.freeze()
        _say(ChildReport(port=port))
        async with asyncio.TaskGroup() as tasks:
            ends = [
                tasks.create_task(told.wait()),
                tasks.create_task(sim.wait()),
                tasks.create_task(_parent_gone()),
            ]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in ends:
                each.cancel()


async def _parent_gone() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


def _say(word: ChildReport) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = msgspec.json.decode(sys.argv[1], type=ChildOptions)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(order))


if __name__ == "__main__":
    main()
