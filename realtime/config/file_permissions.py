"""Whether a file that holds secrets is accessible to its owner only."""

import os
import shlex
import stat
from pathlib import Path

from realtime.config.problems import Problem


def check_permissions(path: Path) -> Problem | None:
    """Return the problem with a file's mode, if there is one."""
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except (OSError, ValueError):
        return None  # reading it reports the error
    if not mode & 0o077:
        return None
    access = "readable" if mode & 0o044 else "open"
    return Problem(
        f"{path} is {access} by others (mode {mode:o})", f"chmod 600 {shlex.quote(str(path))}"
    )
