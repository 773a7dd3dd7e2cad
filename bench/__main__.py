"""All measurements, as one run: `scripts/bench [--quick] [--write]`."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from bench import orders, push, table
from bench.children import ROOT
from bench.events import Drip, Pour, drip, pour, pour_peer
from bench.growth import measure as measure_growth
from bench.load import has_wrk
from bench.machine import described, load
from bench.queries import absent
from bench.queries import measure as measure_queries
from bench.starting import memory, start


def main() -> None:
    """Measure, print, and with --write put the tables into docs/performance.md."""
    options = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a minute in place of ten")
    options.add_argument("--write", action="store_true", help="into docs/performance.md")
    options.add_argument("--micro", action="store_true", help="pyperf's figures as well")
    given = options.parse_args()
    began = time.monotonic()
    told = {"bench-machine": _machine()}
    _show(told["bench-machine"])
    for name, lines in _measured(given.quick):
        told[name] = lines
        _show(lines)
    told["bench-machine"].append(_noise(began))
    _show(told["bench-machine"][-1:])
    if given.write:
        for name, lines in told.items():
            table.put(name, lines)
    if given.micro:
        subprocess.run([sys.executable, "-m", "bench.micro"], cwd=ROOT, check=True)


def _measured(quick: bool) -> Iterator[tuple[str, list[str]]]:
    rounds, seconds, frames = (2, 1.0, 9_000) if quick else (5, 3.0, 60_000)
    yield "bench-queries", table.queries(measure_queries(rounds, seconds))
    yield "bench-frames", table.pours(_pours(1 if quick else 3, frames))
    yield "bench-events", table.drips(_drips(quick))
    yield "bench-push", _pushed(quick)
    yield "bench-orders", orders.lines(orders.measure(100 if quick else 1000))
    yield "bench-start", _start(quick)
    if not quick:
        grown = measure_growth(5.0, accounts=(10, 100, 1000, 5000), rates=(1000, 2000, 5000, 8000))
        yield "bench-growth", table.growth(grown)


def _pours(rounds: int, frames: int) -> Mapping[int, list[tuple[Pour, Pour | None]]]:
    return {
        sockets: [(pour(sockets, frames), pour_peer(sockets, frames // 2)) for _ in range(rounds)]
        for sockets in (1, 100)
    }


def _drips(quick: bool) -> dict[str, Drip]:
    if quick:
        return {"1000 accounts": drip(1000, 5000, 4)}
    return {
        "1000 accounts": drip(1000, 5000, 15),
        "with Python's own garbage collection": drip(1000, 5000, 15, unsettled=True),
    }


def _pushed(quick: bool) -> list[str]:
    seen = push.measure((0, 500), 3, accounts=200) if quick else push.measure((0, 50, 500), 10)
    return push.table(seen)


def _start(quick: bool) -> list[str]:
    lines = [f"* 1000 accounts of the simulator, cold to all live: {start(1000):.1f} s"]
    if not quick:
        seen = memory(1000, 10, 100)
        lines.append(
            f"* 1000 accounts of 10 positions and 100 orders: {seen.live_mb:.0f} MB once live,"
            f" {seen.asked_mb:.0f} MB once every dashboard was asked for"
        )
    return lines


def _machine() -> list[str]:
    lines = [f"* {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {described()}"]
    client = "wrk" if has_wrk() else "our own client in Python, which limits what can be seen"
    lines.append(f"* servers and daemon on core 0, load and brokers on core 1; readers: {client}")
    lines += [f"* without {peer}: {why}" for peer, why in absent().items()]
    return [*lines, f"* at the beginning {load():.1f} processes wanted to run"]


def _noise(began: float) -> str:
    took_s = time.monotonic() - began
    return f"* at the end, after {took_s:.0f} s, {load():.1f} (2 are ours)"


def _show(lines: list[str]) -> None:
    print("\n".join(lines), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
