"""The machine: which it is, and one core for each side of a measurement."""

import contextlib
import os
import platform
import re
from importlib import metadata
from pathlib import Path


def pin(core: int) -> None:
    """Keep this process on one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def described() -> str:
    """The machine and the versions, in a line."""
    model = ""
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = found[1] if found else ""
    versions = ", ".join(f"{n} {metadata.version(n)}" for n in ("aiohttp", "uvloop", "msgspec"))
    return (
        f"{os.cpu_count()} × {model or platform.machine()}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {versions}"
    )


def load() -> float:
    """How many processes want to run, averaged over the last minute."""
    return os.getloadavg()[0]
