"""The machine: which it is, and one core for each side of a measurement."""

import contextlib
import os
import platform
import re
import resource
import threading
import time
from importlib import metadata
from pathlib import Path

CHECK_INTERVAL_S = 1.0


def pin(core: int) -> None:
    """Keep this process on one core, where the system can do that; end it if its parent ends."""
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[core % len(cores)]})


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(CHECK_INTERVAL_S)
    os._exit(1)  # the process that would use the result is gone


def allow_files() -> None:
    """Let this process and its children open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def waited_s() -> float:
    """Seconds that this process' first thread could have run and had no core; 0 if unknown."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and its children have used; 0 if unknown."""
    used = 0.0
    with contextlib.suppress(OSError, IndexError, ValueError):
        figures = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used = (int(figures[11]) + int(figures[12])) / os.sysconf("SC_CLK_TCK")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        used += sum(cpu_s(int(child)) for child in children)
    return used


def describe_machine() -> str:
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
