"""Whether a file that holds secrets is for its owner only."""

import os
import shlex
import stat
from pathlib import Path

from realtime.config.problems import Problem


def exposed(path: Path) -> Problem | None:
    """What is wrong with the mode of a file, if anything is."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except (OSError, ValueError):
        return None  # reading it will say what is wrong
    if not mode & 0o077:
        return None
    principal = "readable" if mode & 0o044 else "open"
    return Problem(
        f"{path} is {principal} by others (mode {mode:o})", f"chmod 600 {shlex.quote(str(path))}"
    )
