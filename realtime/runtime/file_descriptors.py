"""Room for as many open files as the accounts need: a socket is one."""

import resource

from msgspec import Struct

OTHERS = 1024
"""Beside the accounts' own sockets: readers, REST connections, the log, the interpreter."""


class DescriptorLimit(Struct, frozen=True):
    """Descriptors that are needed and those that may be opened."""

    needed: int
    limit: int

    @property
    def is_short(self) -> bool:
        return self.limit < self.needed

    @property
    def remedy(self) -> str:
        return f"ulimit -n {self.needed}, or LimitNOFILE={self.needed} in the systemd unit"


def make_room(accounts: int) -> DescriptorLimit:
    """Raise the soft limit as far as is needed and allowed; give what came of it."""
    needed = accounts + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return DescriptorLimit(needed, needed)
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # some systems have a bound of their own below the hard limit
        return DescriptorLimit(needed, soft)
    return DescriptorLimit(needed, wanted)
