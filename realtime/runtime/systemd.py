"""What a service manager is told (sd_notify): ready, how it stands, that the loop turns, the end.

One datagram to the socket that `NOTIFY_SOCKET` names; without it nothing is sent. A manager that
does not listen is no reason to stop.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

STATUS_S = 10.0
"""How often it is told how the daemon stands."""


class ServiceManager:
    """The manager that started us, by the environment."""

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ, os.getpid() if pid is None else pid)
        """It expects a sign of life at least so often; None: not at all."""

    def tell(self, *lines: str) -> None:
        """Send words of the protocol, such as `READY=1`."""
        if self._address is None:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), self._address)

    def reloading(self) -> None:
        """The files are read again; followed by `READY=1`."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    async def live(self, standing: Callable[[], str]) -> None:
        """Give signs of life and say how we stand, until cancelled. It comes from the event loop:
        if that hangs, so do they."""
        if self._address is None:
            return
        every_s = min(STATUS_S, (self.watchdog_s or STATUS_S) / 3)
        while True:
            self.tell(f"STATUS={standing()}", "WATCHDOG=1")
            await asyncio.sleep(every_s)


def _address(given: str) -> str | None:
    """A path, or a name in the abstract space, which begins with `@`."""
    if given.startswith("@"):
        return "\0" + given[1:]
    return given if given.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    given, meant = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
    if not (given.isascii() and given.isdigit() and int(given)) or meant != str(pid):
        return None
    return int(given) / 1_000_000
