"""One trading websocket: sends and receives frames, enforces time limits, translates errors.

`core.protocol` decides what the messages mean; nothing here knows what an order is. The owner
connects, authorizes, listens, receives until that raises, and closes. Events that arrive before
the listen ack are kept and returned first.
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
from websockets.frames import Close

from realtime.broker.codec import decode_frame, encode_authorization, encode_listen
from realtime.broker.proxies import UNKNOWN_CA, find_proxy
from realtime.broker.responses import GATEWAY, NEW_KEY, retry_after_s
from realtime.broker.sanitizer import MAX_MESSAGE_LENGTH, Sanitizer, strip_controls
from realtime.broker.stream_connection import CLOSE_FRAME_RECEIVED, WIRE_LOGGER, StreamConnection
from realtime.core.model import TradeUpdate
from realtime.core.protocol import Message, Stage, advance, begin
from realtime.errors import ConnectionLimitReached, KeyRejected, LinkError
from realtime.secret import Credentials

OPEN_TIMEOUT_S = 10.0
"""Limit of TCP, TLS and the websocket handshake together; the broker takes well under one."""

AUTHORIZE_TIMEOUT_S = 10.0
"""Limit of the answer to our authorization; the broker's own limit on its data stream is 10 s."""

LISTEN_TIMEOUT_S = 10.0
"""Limit of the listen ack."""

CLOSE_TIMEOUT_S = 2.0
"""Limit of the closing handshake; then the socket is aborted. A shutdown takes at most 5 s, and a
server that has not answered within 2 s will not."""

PING_INTERVAL_S = 10.0
PING_TIMEOUT_S = 20.0
"""A connection without a pong for this long is dead. A pong does not prove that events arrive."""

MAX_FRAME_BYTES = 2**20
"""Security limit; an order with four legs is 5 KB."""

MAX_QUEUED_FRAMES = 256
"""Frames buffered ahead of `receive`; after that, TCP makes the broker wait."""

FRAMES_PER_TURN = 8
"""Frames returned before other tasks run, a quarter of a millisecond of work. It is small because
a thousand streams may have frames at once."""

MAX_EARLY_MESSAGES = 1000
"""Events kept before the listen ack; there should be none."""

CONNECTION_LIMIT_TEXT = "connection limit"
"""In an error's text: the broker still counts another connection of this account."""

LIMIT_STATUSES = frozenset({406, 429})
"""Handshake statuses that mean the same."""

SOCKET_TAKEN = "another program may hold this key's only connection; stop it"


class NoRedirectConnect(websocket_connect):
    """Connects without following redirects: the secret goes to the configured host only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class TradingStream:
    """An open trading socket."""

    def __init__(self, socket: StreamConnection) -> None:
        self._socket = socket
        self._sanitizer: Sanitizer | None = None
        self._stage: Stage = begin().stage
        self._ready: deque[Message] = deque()
        """Messages that are decoded: those that arrived before the listen ack."""
        self._error: Exception | None = None
        """Ended the stream after the messages that were returned last."""
        self._returned = 0
        """Messages since other tasks ran."""

    @classmethod
    async def connect(cls, url: str, *, ssl_context: ssl.SSLContext | None) -> "TradingStream":
        """Open the socket. `ssl_context` is shared by all streams and unused for `ws://`.

        Raises `ConnectionLimitReached` or another `LinkError`.
        """
        tls: dict[str, Any] = {}  # Any: one argument, which websockets does not accept as None
        if ssl_context is not None and url.startswith("wss:"):
            tls["ssl"] = ssl_context
        try:
            socket = await NoRedirectConnect(
                url,
                proxy=find_proxy(url),
                compression=None,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=MAX_FRAME_BYTES,
                max_queue=MAX_QUEUED_FRAMES,
                logger=WIRE_LOGGER,
                create_connection=StreamConnection,
                **tls,
            )
        except InvalidStatus as error:
            raise _handshake_error(error) from error
        except TimeoutError as error:
            raise LinkError(f"no websocket within {OPEN_TIMEOUT_S:.0f} s") from error
        except ssl.SSLCertVerificationError as error:
            raise LinkError(f"cannot connect: {describe(error)}", remedy=UNKNOWN_CA) from error
        except (OSError, WebSocketException, UnicodeError, EOFError) as error:
            raise LinkError(f"cannot connect: {describe(error)}") from error
        assert isinstance(socket, StreamConnection)
        return cls(socket)

    async def authorize(self, credentials: Credentials) -> None:
        """Authorize. Raises `KeyRejected`, or `LinkError` if no answer arrives in time."""
        self._sanitizer = Sanitizer(credentials)
        await self._exchange(
            encode_authorization(credentials), "subscribing", AUTHORIZE_TIMEOUT_S, "authorization"
        )

    async def listen(self) -> None:
        """Subscribe to trade updates. Raises `LinkError` if no answer arrives in time."""
        await self._exchange(encode_listen(), "listening", LISTEN_TIMEOUT_S, "listen")

    async def receive(self) -> Message:
        """Return the next message. Raises `LinkError` on a lost connection, or `KeyRejected`."""
        if not self._ready:
            self._ready.extend(await self.receive_batch())
        return self._ready.popleft()

    async def receive_batch(self) -> list[Message]:
        """Return the messages that have arrived, at least one, at most `FRAMES_PER_TURN` that were
        sent after the listen ack. Raises as `receive`. Cancelling either loses none.
        """
        if self._ready:
            ready, self._ready = list(self._ready), deque()
            return ready
        if self._error is not None:
            raise self._error
        if self._returned >= FRAMES_PER_TURN:
            self._returned = 0
            await asyncio.sleep(0)
        try:
            frames = await self._socket.receive_messages(FRAMES_PER_TURN)
        except ConnectionClosed as closed:
            raise connection_lost(closed) from closed
        self._returned += len(frames)
        messages: list[Message] = []
        try:
            for frame in frames:
                message = self._decode(frame)
                if type(message) is not TradeUpdate:
                    self._advance(message)
                messages.append(message)
        except (LinkError, KeyRejected) as error:
            if not messages:
                raise
            self._error = error  # not before the messages that arrived before it
        return messages

    async def close(self) -> None:
        """Close, and wait until the socket is closed, at most `CLOSE_TIMEOUT_S`. Never raises."""
        await close_socket(self._socket)

    async def _exchange(self, frame: str, until: Stage, limit_s: float, about: str) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self._socket.send(frame)
                while self._stage != until:
                    await self._receive_control()
        except TimeoutError as error:
            raise LinkError(f"no answer to {about} within {limit_s:.0f} s") from error
        except ConnectionClosed as closed:
            raise connection_lost(closed) from closed

    async def _receive_control(self) -> None:
        message = self._decode(await self._socket.recv(decode=False))
        before = self._stage
        self._advance(message)
        if self._stage == before:
            if len(self._ready) >= MAX_EARLY_MESSAGES:
                raise LinkError(f"more than {MAX_EARLY_MESSAGES} messages before the listen ack")
            self._ready.append(message)

    def _decode(self, frame: bytes) -> Message:
        """Decode a frame. Raises `LinkError` for the close frame."""
        if frame == CLOSE_FRAME_RECEIVED:
            raise _closed(self._socket.protocol.close_rcvd)
        if self._sanitizer is not None:
            frame = self._sanitizer.clean(frame)
        message = decode_frame(frame)
        if type(message) is TradeUpdate:
            # The update was just decoded and has no other owner; a copy costs six times as much.
            force_setattr(message, "frame", frame)
        return message

    def _advance(self, message: Message) -> None:
        step = advance(self._stage, message)
        self._stage = step.stage
        if step.refused is not None:
            reason = step.refused[:MAX_MESSAGE_LENGTH]
            raise KeyRejected(f"the broker rejected the key: {reason}", remedy=NEW_KEY)
        if step.failed is not None:
            if CONNECTION_LIMIT_TEXT in step.failed.lower():
                raise ConnectionLimitReached(step.failed[:MAX_MESSAGE_LENGTH], remedy=SOCKET_TAKEN)
            raise LinkError(step.failed[:MAX_MESSAGE_LENGTH])


def _handshake_error(error: InvalidStatus) -> LinkError:
    status = error.response.status_code
    if status in LIMIT_STATUSES:
        return ConnectionLimitReached(
            f"the broker answered {status} to the connection attempt",
            remedy=SOCKET_TAKEN,
            # websockets' own mapping raises when a header is repeated
            retry_after_s=retry_after_s(CIMultiDict(error.response.headers.raw_items())),
        )
    # The handshake carries no key, so 401 and 403 do not concern it: they come from something else.
    return LinkError(
        f"the broker answered {status} to the connection attempt",
        status=status,
        remedy="" if status >= 500 else GATEWAY,
    )


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
    return _closed(closed.rcvd or closed.sent)


def _closed(close: Close | None) -> LinkError:
    code = 1006 if close is None else close.code
    reason = "" if close is None else strip_controls(close.reason)
    return LinkError(f"connection closed ({code}{': ' + reason if reason else ''})", code=code)


def describe(error: BaseException) -> str:
    """Return the text of an error, or its type if it has none."""
    return str(error) or type(error).__name__
