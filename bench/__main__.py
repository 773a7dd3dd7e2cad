"""All measurements, as one run: `scripts/bench [--quick] [--write] [--only NAME …]`."""

import argparse
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from bench import table
from bench.children import ROOT
from bench.load import has_wrk
from bench.machine import allow_files, describe_machine, load
from bench.queries import absent
from bench.sections import SECTIONS, Section, make_sections


def main() -> int:
    """Measure, print, and with --write put the tables into docs/performance.md."""
    names = [section.name for section in SECTIONS]
    options = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a minute in place of a quarter hour")
    options.add_argument("--write", action="store_true", help="into docs/performance.md")
    options.add_argument("--micro", action="store_true", help="pyperf's figures as well")
    options.add_argument(
        "--minutes", type=float, default=1.0, help="of each run of `history`; 10 is its target"
    )
    options.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=" ".join(names))
    given = options.parse_args()
    allow_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    sections = [
        section
        for section in make_sections(given.minutes)
        if section.name in (given.only or names) and (section.is_quick or not given.quick)
    ]
    failed = run(sections, quick=given.quick, writes=given.write)
    if given.micro:
        subprocess.run([sys.executable, "-m", "bench.micro"], cwd=ROOT, check=True)
    return 1 if failed else 0


def run(sections: Sequence[Section], *, quick: bool, writes: bool) -> list[str]:
    """Measure section by section, writing each when it is done. Gives the names of those that
    failed: the others count all the same, and the table of before stays."""
    began, failed = time.monotonic(), []
    machine = _machine()
    if quick:
        machine.append(
            "* a quick run: fewer and shorter rounds; 200 accounts for the push, 30 for orders"
        )
    _show(machine)
    for section in sections:
        try:
            lines = section.measure(quick)
        except Exception:  # noqa: BLE001 - the rest of a run of hours is worth having
            traceback.print_exc()
            failed.append(section.name)
            continue
        _show(lines)
        if writes:
            table.put(f"bench-{section.name}", lines)
    took_s = time.monotonic() - began
    machine.append(f"* at the end, after {took_s:.0f} s, {load():.1f} (2 are ours)")
    machine += [f"* failed, and of an earlier run: {name}" for name in failed]
    _show(machine[-1 - len(failed) :])
    if writes:
        table.put("bench-machine", machine)
    return failed


def _machine() -> list[str]:
    lines = [f"* {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {describe_machine()}"]
    client = "wrk" if has_wrk() else "our own client in Python, which limits what can be seen"
    lines.append(f"* servers and daemon on core 0, load and brokers on core 1; readers: {client}")
    lines += [f"* without {peer}: {why}" for peer, why in absent().items()]
    return [*lines, f"* at the beginning {load():.1f} processes wanted to run"]


def _show(lines: list[str]) -> None:
    print("\n".join(lines), end="\n\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
