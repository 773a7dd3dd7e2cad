"""The listening socket: opened last at start, closed first at shutdown."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from realtime.api.fastpath.runner import Runner
from realtime.config.settings import ClusterTls, MarketTls
from realtime.errors import ConfigError
from realtime.telemetry.log import get_logger

log = get_logger()

BACKLOG = 1024
"""After a restart all clients reconnect at once."""

KEEP_ALIVE_TIMEOUT_S = 75
"""An idle connection is closed after this time. Proxies keep theirs for a minute."""

LINGER_TIMEOUT_S = 2
"""How long the rest of an unwanted body is read before the connection is closed."""

FINISH_TIMEOUT_S = 1
"""At shutdown: how long responses may take to finish, and then to be aborted."""

STOP_TIMEOUT_S = 3
"""The whole shutdown of the server. Longer than twice `FINISH_TIMEOUT_S`, shorter than the
five seconds of the daemon."""


@asynccontextmanager
async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    tls: MarketTls | None = None,
    certificate: ClusterTls | None = None,
) -> AsyncIterator[int]:
    """Listen while the context lasts; yields the port, which the system chooses if `port` is 0.

    `tls`: listen there, too, for the same application. `certificate`: use TLS on `port`. Raises
    ConfigError if an address or a certificate cannot be used.
    """
    context = None if tls is None else _load_certificate(tls, "market")
    own_context = None if certificate is None else _load_certificate(certificate, "cluster")
    runner = Runner(
        app,
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_TIMEOUT_S,
        lingering_time=LINGER_TIMEOUT_S,
        shutdown_timeout=FINISH_TIMEOUT_S,
        # No route accepts compressed bodies; a broken one would be a traceback in the log, and a
        # good one grow a thousandfold.
        auto_decompress=False,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG, ssl_context=own_context)
        await _start(site, host, port)
        log.info("server.started", host=host, port=site.port)
        if tls is not None:
            secure = web.TCPSite(runner, host, tls.port, backlog=BACKLOG, ssl_context=context)
            await _start(secure, host, tls.port)
            log.info("server.started", host=host, port=tls.port, tls=True)
        yield site.port
    finally:
        await _stop(runner)


def _load_certificate(tls: MarketTls | ClusterTls, section: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(tls.certificate_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"{section}: the TLS certificate cannot be used: {error.strerror or error}",
            remedy=f"check `tls_certificate_file` and `tls_key_file` in [{section}]",
        ) from error
    return context


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
        return "use an address of this machine for `--host`, such as 127.0.0.1"
    match error:
        case OSError(errno=errno.EADDRINUSE):
            return "choose another `--port`; a running daemon answers `realtime status`"
        case OSError(errno=errno.EACCES | errno.EPERM):
            return "ports below 1024 need privileges; choose a higher `--port`"
        case OSError(errno=errno.EADDRNOTAVAIL):
            return "use an address of this machine for `--host`, such as 127.0.0.1"
        case _:
            return "choose another address with `--host` and `--port`"


async def _stop(runner: web.AppRunner) -> None:
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await runner.cleanup()
    except TimeoutError:
        log.warning(
            "server.connections_aborted",
            connections=len(runner.server.connections) if runner.server else 0,
        )
    log.info("server.stopped")
