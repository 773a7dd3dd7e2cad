"""One trading websocket: sends and receives frames, enforces time limits, translates errors.

`core.protocol` decides what the messages mean; nothing here knows what an order is. The owner
connects, authorizes, listens, receives until that raises, and closes. Events that arrive before
the listen ack are kept and returned first.
"""

import asyncio
import ssl
from collections import deque

from msgspec.structs import force_setattr
from multidict import CIMultiDict
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime.broker.codec import decode_frame, encode_authorization, encode_listen
from realtime.broker.responses import GATEWAY, NEW_KEY, retry_after_s
from realtime.broker.sanitizer import MAX_MESSAGE_LENGTH, Sanitizer
from realtime.broker.socket_connect import (
    close_socket,
    connection_lost,
    make_closed_error,
    open_socket,
)
from realtime.broker.stream_connection import CLOSE_FRAME_RECEIVED, StreamConnection
from realtime.core.model import TradeUpdate
from realtime.core.protocol import Message, Stage, advance, begin
from realtime.errors import ConnectionLimitReached, KeyRejected, LinkError
from realtime.secret import Credentials

AUTHORIZE_TIMEOUT_S = 10.0
"""Limit of the answer to our authorization; the broker's own limit on its data stream is 10 s."""

LISTEN_TIMEOUT_S = 10.0
"""Limit of the listen ack."""

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
        socket = await open_socket(
            url,
            ssl_context=ssl_context,
            max_bytes=MAX_FRAME_BYTES,
            max_queued=MAX_QUEUED_FRAMES,
            make_refusal=_make_refusal,
            create_connection=StreamConnection,
        )
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
            raise make_closed_error(self._socket.protocol.close_rcvd)
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


def _make_refusal(error: InvalidStatus) -> LinkError:
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
