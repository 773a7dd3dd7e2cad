"""Opening and closing a websocket of the broker: limits, no redirects, errors in our terms.

Both streams use it, that of trading and that of market data.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)
from websockets.frames import Close

from realtime.broker.proxies import UNKNOWN_CA, find_proxy
from realtime.broker.sanitizer import strip_controls
from realtime.broker.stream_connection import WIRE_LOGGER
from realtime.errors import LinkError

OPEN_TIMEOUT_S = 10.0
"""Limit of TCP, TLS and the websocket handshake together; the broker takes well under one."""

CLOSE_TIMEOUT_S = 2.0
"""Limit of the closing handshake; then the socket is aborted. A shutdown takes at most 5 s, and a
server that has not answered within 2 s will not."""

PING_INTERVAL_S = 10.0
PING_TIMEOUT_S = 20.0
"""A connection without a pong for this long is dead. A pong does not prove that events arrive."""


class NoRedirectConnect(websocket_connect):
    """Connects without following redirects: the secret goes to the configured host only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(
    url: str,
    *,
    ssl_context: ssl.SSLContext | None,
    max_bytes: int,
    max_queued: int,
    make_refusal: Callable[[InvalidStatus], LinkError],
    headers: Mapping[str, str] | None = None,
    create_connection: type[ClientConnection] = ClientConnection,
) -> ClientConnection:
    """Open a websocket. `ssl_context` is unused for `ws://`.

    `max_bytes` is the limit of a frame, `max_queued` of frames ahead of `recv`. Raises `LinkError`,
    or what `make_refusal` returns if the handshake is answered with another status.
    """
    tls: dict[str, Any] = {}  # Any: one argument, which websockets does not accept as None
    if ssl_context is not None and url.startswith("wss:"):
        tls["ssl"] = ssl_context
    try:
        return await NoRedirectConnect(
            url,
            additional_headers=headers,
            proxy=find_proxy(url),
            compression=None,
            open_timeout=OPEN_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=max_bytes,
            max_queue=max_queued,
            logger=WIRE_LOGGER,
            create_connection=create_connection,
            **tls,
        )
    except InvalidStatus as error:
        raise make_refusal(error) from error
    except TimeoutError as error:
        raise LinkError(f"no websocket within {OPEN_TIMEOUT_S:.0f} s") from error
    except ssl.SSLCertVerificationError as error:
        raise LinkError(f"cannot connect: {describe(error)}", remedy=UNKNOWN_CA) from error
    except (OSError, WebSocketException, UnicodeError, EOFError) as error:
        raise LinkError(f"cannot connect: {describe(error)}") from error


async def close_socket(socket: ClientConnection) -> None:
    """Close, and wait until the socket is closed, at most `CLOSE_TIMEOUT_S`. Never raises."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(_discard(socket), name="discard")
            await socket.close()
    except TimeoutError:
        pass  # the broker does not answer: abort
    finally:
        socket.transport.abort()


async def _discard(socket: ClientConnection) -> None:
    """Read the frames that are left: the answer to the closing handshake comes after them."""
    with suppress(ConnectionClosed, ConcurrencyError):  # the end, or `receive` is still running
        while True:
            await socket.recv(decode=False)


def connection_lost(closed: ConnectionClosed) -> LinkError:
    """The error of a connection that has ended."""
    return make_closed_error(closed.rcvd or closed.sent)


def make_closed_error(close: Close | None) -> LinkError:
    """The error of a close frame; None: the connection ended without one."""
    code = 1006 if close is None else close.code
    reason = "" if close is None else strip_controls(close.reason)
    return LinkError(f"connection closed ({code}{': ' + reason if reason else ''})", code=code)


def describe(error: BaseException) -> str:
    """Return the text of an error, or its type if it has none."""
    return str(error) or type(error).__name__
