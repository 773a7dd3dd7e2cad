"""One trading websocket: moves bytes, watches the clock, translates what goes wrong.

What the messages mean is `core.session`'s business, what to do about an order is nobody's here.
One owner: connect, authorize, listen, then receive until it raises, then close. Events that come
before the listen ack are kept and given out first.
"""

import asyncio
import ssl
from collections import deque
from contextlib import suppress
from typing import Any

from msgspec.structs import force_setattr
from multidict import CIMultiDict
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)

from realtime.broker.codec import authorize_frame, decode_frame, listen_frame
from realtime.broker.responses import NEW_KEY, retry_after_s
from realtime.core.model import TradeUpdate
from realtime.core.protocol import Message, Stage, advance, begin
from realtime.errors import LinkError, RateLimited, RealtimeError, Refused
from realtime.secret import Credentials

OPEN_S = 10.0
"""Limit of TCP, TLS and the websocket handshake together; the broker takes well under one."""

AUTHORIZE_S = 10.0
"""Limit of the answer to our authorization; the broker's own limit on its data socket is 10 s."""

LISTEN_S = 10.0
"""Limit of the listen ack."""

CLOSE_S = 2.0
"""Limit of the closing handshake; then the socket is cut. A stop must be over within 5 s, and who
has not answered in two will not."""

PING_INTERVAL_S = 10.0
PING_TIMEOUT_S = 20.0
"""A path that carries no pong for this long is dead. A pong proves nothing about events."""

FRAME_MAX = 16 * 2**20
"""Security limit in bytes; an order with four legs is 5 KB."""

QUEUE_MAX = 256
"""Frames read ahead of `receive`; beyond, TCP holds the broker back."""

AT_ONCE = 4
"""Frames given out in one go, a quarter of a millisecond of work: then others run, however many
wait. A thousand streams may have some at once, so it is few."""

EARLY_MAX = 1000
"""Events kept before the listen ack; there should be none."""

CONNECTION_LIMIT = "connection limit"
"""In an error's text: the broker still counts another socket of this account."""

RETRY_LATER = frozenset({406, 429})

ONE_SOCKET = "another program may hold this key's only socket; stop it"


class _Connect(websocket_connect):
    """Connects, and follows no redirect: our secret goes to the configured host only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class TradingStream:
    """An open trading socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._stage: Stage = begin().stage
        self._early: deque[Message] = deque()
        self._given = 0

    @classmethod
    async def connect(cls, url: str, *, ssl_context: ssl.SSLContext | None) -> "TradingStream":
        """Open the socket. `ssl_context` is shared by all streams and unused for `ws://`.

        Raises `RateLimited`, `Refused` or `LinkError`.
        """
        tls: dict[str, Any] = {}  # Any: one argument, which websockets refuses to be given as None
        if ssl_context is not None and url.startswith("wss:"):
            tls["ssl"] = ssl_context
        try:
            socket = await _Connect(
                url,
                proxy=None,
                compression=None,
                open_timeout=OPEN_S,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                close_timeout=CLOSE_S,
                max_size=FRAME_MAX,
                max_queue=QUEUE_MAX,
                **tls,
            )
        except InvalidStatus as error:
            raise _turned_away(error) from error
        except TimeoutError as error:
            raise LinkError(f"no websocket within {OPEN_S:.0f} s") from error
        except (OSError, WebSocketException, UnicodeError, EOFError) as error:
            raise LinkError(f"cannot connect: {_said(error)}") from error
        return cls(socket)

    async def authorize(self, credentials: Credentials) -> None:
        """Authorize. Raises `Refused`, or `LinkError` without an answer in `AUTHORIZE_S`."""
        await self._converse(
            authorize_frame(credentials), "subscribing", AUTHORIZE_S, "authorization"
        )

    async def listen(self) -> None:
        """Ask for trade updates. Raises `LinkError` without an answer in `LISTEN_S`."""
        await self._converse(listen_frame(), "listening", LISTEN_S, "listen")

    async def receive(self) -> Message:
        """Give the next message. Raises `LinkError` when the socket is gone, or `Refused`."""
        if self._early:
            return self._early.popleft()
        self._given += 1
        if self._given % AT_ONCE == 0:
            await asyncio.sleep(0)
        try:
            frame = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            raise _gone(closed) from closed
        message = _decoded(frame)
        if type(message) is not TradeUpdate:
            self._follow(message)
        return message

    async def close(self) -> None:
        """Close, and wait until the socket is gone or `CLOSE_S` is over. Never raises."""
        try:
            async with asyncio.timeout(CLOSE_S), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._discard(), name="discard")
                await self._socket.close()
        except TimeoutError:
            pass  # the broker does not answer: cut
        finally:
            self._socket.transport.abort()

    async def _discard(self) -> None:
        """Read what nobody will: the broker's answer to the closing handshake is behind it."""
        with suppress(ConnectionClosed, ConcurrencyError):  # the end, or somebody still receives
            while True:
                await self._socket.recv(decode=False)

    async def _converse(self, frame: str, until: Stage, limit_s: float, about: str) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._socket.send(frame)
                while self._stage != until:
                    await self._hear()
        except TimeoutError as error:
            raise LinkError(f"no answer to {about} within {limit_s:.0f} s") from error
        except ConnectionClosed as closed:
            raise _gone(closed) from closed

    async def _hear(self) -> None:
        message = _decoded(await self._socket.recv(decode=False))
        before = self._stage
        self._follow(message)
        if self._stage == before:
            if len(self._early) >= EARLY_MAX:
                raise LinkError(f"more than {EARLY_MAX} messages before the listen ack")
            self._early.append(message)

    def _follow(self, message: Message) -> None:
        step = advance(self._stage, message)
        self._stage = step.stage
        if step.refused is not None:
            raise Refused(f"the broker refused the key: {step.refused}", remedy=NEW_KEY)
        if step.failed is not None:
            if CONNECTION_LIMIT in step.failed.lower():
                raise RateLimited(step.failed, remedy=ONE_SOCKET)
            raise LinkError(step.failed)


def _decoded(frame: bytes) -> Message:
    message = decode_frame(frame)
    if type(message) is TradeUpdate:
        # It was made in this moment and nobody else holds it: a copy would cost six times as much.
        force_setattr(message, "frame", frame)
    return message


def _turned_away(error: InvalidStatus) -> RealtimeError:
    status = error.response.status_code
    if status in RETRY_LATER:
        return RateLimited(
            f"the broker answered {status} to the connection attempt",
            remedy=ONE_SOCKET,
            # websockets' own mapping raises when a header comes twice
            retry_after_s=retry_after_s(CIMultiDict(error.response.headers.raw_items())),
        )
    if status in (401, 403):
        return Refused(f"the broker answered {status} to the connection attempt", remedy=NEW_KEY)
    return LinkError(f"the broker answered {status} to the connection attempt", status=status)


def _gone(closed: ConnectionClosed) -> LinkError:
    if closed.rcvd is not None:
        code, reason = closed.rcvd.code, closed.rcvd.reason
    elif closed.sent is not None:
        code, reason = closed.sent.code, closed.sent.reason
    else:
        code, reason = 1006, ""
    return LinkError(f"connection closed ({code}{': ' + reason if reason else ''})", code=code)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
