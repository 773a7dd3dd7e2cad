"""The listening socket: opened last at start, closed first at the end."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from realtime.api.fastpath.runner import Runner
from realtime.errors import ConfigError
from realtime.telemetry.log import get_logger

log = get_logger()

BACKLOG = 1024
"""A page's readers come back all at once after a restart."""

KEEP_ALIVE_S = 75
"""An idle connection, or one that never sends a whole request, is closed after so long. Proxies
keep theirs for a minute."""

LINGER_S = 2
"""How long the rest of a body that nobody wants is read before the connection is closed."""

FINISH_S = 1
"""How long answers that are being written may take to finish at the end, and then to be cut."""

STOP_S = 3
"""All of stopping. Longer than twice `FINISH_S`, shorter than the five seconds of a clean end."""


@asynccontextmanager
async def serve(app: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Listen for as long as the context lasts; gives the port, which is chosen if `port` is 0.

    Raises ConfigError if the address cannot be listened on.
    """
    runner = Runner(
        app,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        lingering_time=LINGER_S,
        shutdown_timeout=FINISH_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        await _start(site, host, port)
        log.info("server.started", host=host, port=site.port)
        yield site.port
    finally:
        await _stop(runner)


async def _start(site: web.TCPSite, host: str, port: int) -> None:
    try:
        await site.start()
    except (OSError, OverflowError) as error:
        raise ConfigError(_message(error, f"{host}:{port}"), remedy=_remedy(error)) from error


def _message(error: Exception, address: str) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{address} is in use"
    return f"cannot listen on {address}: {error}"


def _remedy(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "`--host` wants an address of this machine, 127.0.0.1 for instance"
    match error:
        case OSError(errno=errno.EADDRINUSE):
            return "`--port`, or `realtime status` – is a daemon running?"
        case OSError(errno=errno.EACCES | errno.EPERM):
            return "ports below 1024 need a privilege; use `--port` with a higher one"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return "`--host` wants an address of this machine, 127.0.0.1 for instance"
        case _:
            return "`--host` and `--port` choose another address"


async def _stop(runner: web.AppRunner) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await runner.cleanup()
    except TimeoutError:
        log.warning(
            "server.cut", connections=len(runner.server.connections) if runner.server else 0
        )
    log.info("server.stopped")
