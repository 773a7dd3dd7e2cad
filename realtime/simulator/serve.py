"""Runs a simulator as a program: until a signal, the end of its time, or a failure."""

import asyncio
import errno
import gc
import signal
from collections.abc import Callable
from pathlib import Path

import uvloop

from realtime.errors import ConfigError
from realtime.simulator.app import Simulator
from realtime.simulator.write_config import write_config


def serve(
    sim: Simulator,
    *,
    host: str,
    port: int,
    config_dir: Path | None,
    duration_s: float | None,
    print_line: Callable[[str], None],
) -> None:
    """Serve until SIGINT, SIGTERM or `duration_s`; print one line when ready.

    Raises ConfigError if the address is not available or the files cannot be written.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(sim, host, port, config_dir, duration_s, print_line))


async def _serve(
    sim: Simulator,
    host: str,
    port: int,
    config_dir: Path | None,
    duration_s: float | None,
    print_line: Callable[[str], None],
) -> None:
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop_requested.set)
    try:
        await sim.start(host, port)
    except OSError as error:
        raise _cannot_listen(error, host, port) from error
    async with sim:
        if config_dir is not None:
            write_config(config_dir, sim.specs, sim.url)
        _tune_gc()
        print_line(f"simulator on {sim.url}, {_count(len(sim.specs))}, seed {sim.seed}")
        await _wait_for_end(stop_requested, sim, duration_s)


async def _wait_for_end(
    stop_requested: asyncio.Event, sim: Simulator, duration_s: float | None
) -> None:
    """Wait until a signal, the end of the time, or a failure of the simulator, which is raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            ends = [tasks.create_task(stop_requested.wait()), tasks.create_task(sim.wait())]
            await asyncio.wait(ends, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
            for signal_number in ends:
                signal_number.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _tune_gc() -> None:
    """Make garbage collection rare: a full pass over all orders pauses for 0.3 s (measured).

    Orders are never freed and short-lived objects form no cycles, so little memory is lost.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


def _count(accounts: int) -> str:
    return "1 account" if accounts == 1 else f"{accounts} accounts"


def _cannot_listen(error: OSError, host: str, port: int) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        other = port + 100 if port < 65_000 else port - 100
        remedy = f"realtime sim --port {other}"
        return ConfigError(f"{host}:{port} is taken by another program", remedy=remedy)
    remedy = "pass --host an address of this machine, such as 127.0.0.1, and --port one above 1023"
    return ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}", remedy=remedy)
