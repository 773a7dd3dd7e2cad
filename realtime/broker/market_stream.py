"""One market-data websocket: sends and receives frames, enforces time limits, translates errors.

The owner connects, authorizes, receives until that raises, and closes. Nothing here knows which
client wants which symbol.
"""

import asyncio
import ssl
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)

from realtime.broker.market_codec import (
    Control,
    Element,
    Names,
    decode_frame,
    encode_authorization,
    encode_change,
)
from realtime.broker.proxies import UNKNOWN_CA, find_proxy
from realtime.broker.responses import NEW_KEY
from realtime.broker.sanitizer import MAX_MESSAGE_LENGTH, Sanitizer
from realtime.broker.stream_connection import WIRE_LOGGER
from realtime.broker.trading_stream import (
    CLOSE_TIMEOUT_S,
    OPEN_TIMEOUT_S,
    PING_INTERVAL_S,
    PING_TIMEOUT_S,
    NoRedirectConnect,
    close_socket,
    connection_lost,
    describe,
)
from realtime.errors import ConnectionLimitReached, FeedRefused, KeyRejected, LinkError
from realtime.secret import Credentials

AUTHORIZE_TIMEOUT_S = 10.0
"""Limit of greeting and authorization; the broker's own limit is 10 s."""

MAX_FRAME_BYTES = 8 * 2**20
"""Security limit; the ack of 10 000 symbols in nine channels is about 1 MB."""

MAX_QUEUED_FRAMES = 1024
"""Frames buffered ahead of `receive`; after that, TCP makes the broker wait."""

HEADERS = {"Content-Type": "application/msgpack"}

SLOT_TAKEN = (
    "another program is connected with this data key; the broker allows one connection per stream"
)


class MarketStream:
    """An open market-data socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._sanitizer: Sanitizer | None = None

    @classmethod
    async def connect(cls, url: str, *, ssl_context: ssl.SSLContext | None) -> "MarketStream":
        """Open the socket. Raises `LinkError`."""
        tls: dict[str, Any] = {}  # Any: one argument, which websockets does not accept as None
        if ssl_context is not None and url.startswith("wss:"):
            tls["ssl"] = ssl_context
        try:
            socket = await NoRedirectConnect(
                url,
                additional_headers=HEADERS,
                proxy=find_proxy(url),
                compression=None,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_INTERVAL_S,
                ping_timeout=PING_TIMEOUT_S,
                close_timeout=CLOSE_TIMEOUT_S,
                max_size=MAX_FRAME_BYTES,
                max_queue=MAX_QUEUED_FRAMES,
                logger=WIRE_LOGGER,
                **tls,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            fact = f"the broker answered {status} to the connection attempt"
            raise LinkError(fact, status=status) from error
        except TimeoutError as error:
            raise LinkError(f"no websocket within {OPEN_TIMEOUT_S:.0f} s") from error
        except ssl.SSLCertVerificationError as error:
            raise LinkError(f"cannot connect: {describe(error)}", remedy=UNKNOWN_CA) from error
        except (OSError, WebSocketException, UnicodeError, EOFError) as error:
            raise LinkError(f"cannot connect: {describe(error)}") from error
        return cls(socket)

    async def authorize(self, credentials: Credentials) -> None:
        """Wait for the greeting and authorize.

        Raises `KeyRejected`, `ConnectionLimitReached`, `FeedRefused` or another `LinkError`.
        """
        self._sanitizer = Sanitizer(credentials)
        try:
            async with asyncio.timeout(AUTHORIZE_TIMEOUT_S):
                await self._expect("connected")
                await self._send(encode_authorization(credentials))
                await self._expect("authenticated")
        except TimeoutError as error:
            fact = f"no answer to authorization within {AUTHORIZE_TIMEOUT_S:.0f} s"
            raise LinkError(fact) from error

    async def change(self, action: str, names: Names) -> None:
        """Send a `subscribe` or `unsubscribe`; the ack arrives by `receive`. Raises `LinkError`."""
        await self._send(encode_change(action, names))

    async def receive(self) -> list[Element] | Control:
        """Return the next frame. Raises `LinkError` or `ProtocolViolation`.

        Cancelling it loses no frame.
        """
        try:
            frame = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            raise connection_lost(closed) from closed
        return decode_frame(frame)

    async def close(self) -> None:
        """Close, and wait until the socket is closed, at most `CLOSE_TIMEOUT_S`. Never raises."""
        await close_socket(self._socket)

    async def _send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame)
        except ConnectionClosed as closed:
            raise connection_lost(closed) from closed

    async def _expect(self, text: str) -> None:
        while True:
            message = await self.receive()
            if not isinstance(message, Control):
                continue
            if message.kind == "error":
                raise self._error(message)
            if message.text == text:
                return

    def _error(self, message: Control) -> LinkError | KeyRejected:
        """Return the error of an error message (MARKET 3.4). Its text never contains the key."""
        assert self._sanitizer is not None, "errors are expected while authorizing"
        text = self._sanitizer.clean_text(message.text, MAX_MESSAGE_LENGTH)
        match message.code:
            case 402:
                return KeyRejected(f"the broker rejected the key: {text}", remedy=NEW_KEY)
            case 406:
                return ConnectionLimitReached(text, remedy=SLOT_TAKEN)
            case 409:
                return FeedRefused(text)
        return LinkError(f"{text} ({message.code})", code=message.code)
