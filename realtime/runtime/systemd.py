"""Notifications to the service manager (sd_notify): ready, status, watchdog, stopping.

One datagram to the socket that `NOTIFY_SOCKET` names; without it nothing is sent. A manager that
does not read is no reason to stop.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

STATUS_INTERVAL_S = 10.0


class ServiceManager:
    """The service manager that started this process, by the environment."""

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s = _watchdog_s(environ, os.getpid() if pid is None else pid)
        """The manager expects `WATCHDOG=1` at least this often; None: it does not."""

    def notify(self, *lines: str) -> None:
        """Send lines of the protocol, such as `READY=1`."""
        if self._address is None:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock,
        ):
            sock.setblocking(False)
            sock.sendto("\n".join(lines).encode(), self._address)

    def notify_reloading(self) -> None:
        """Report that the files are being read again; `READY=1` follows."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    async def keep_notified(self, status: Callable[[], str]) -> None:
        """Send status and watchdog until cancelled. If the event loop hangs, they stop too."""
        if self._address is None:
            return
        interval_s = min(STATUS_INTERVAL_S, (self.watchdog_s or STATUS_INTERVAL_S) / 3)
        while True:
            self.notify(f"STATUS={status()}", "WATCHDOG=1")
            await asyncio.sleep(interval_s)


def _address(value: str) -> str | None:
    """Return a path, or a name in the abstract namespace, which starts with `@`."""
    if value.startswith("@"):
        return "\0" + value[1:]
    return value if value.startswith("/") else None


def _watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    value, for_pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", str(pid))
    if not (value.isascii() and value.isdigit() and int(value)) or for_pid != str(pid):
        return None
    return int(value) / 1_000_000
