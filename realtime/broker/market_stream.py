"""One market-data websocket: sends and receives frames, enforces time limits, translates errors.

The owner connects, authorizes, receives until that raises, and closes. Nothing here knows which
client wants which symbol.
"""

import asyncio
import ssl

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime.broker.market_codec import (
    Control,
    Element,
    Names,
    decode_frame,
    encode_authorization,
    encode_change,
)
from realtime.broker.responses import NEW_KEY
from realtime.broker.sanitizer import MAX_MESSAGE_LENGTH, Sanitizer
from realtime.broker.socket_connect import close_socket, connection_lost, open_socket
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
        socket = await open_socket(
            url,
            ssl_context=ssl_context,
            max_bytes=MAX_FRAME_BYTES,
            max_queued=MAX_QUEUED_FRAMES,
            make_refusal=_make_refusal,
            headers=HEADERS,
        )
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


def _make_refusal(error: InvalidStatus) -> LinkError:
    status = error.response.status_code
    return LinkError(f"the broker answered {status} to the connection attempt", status=status)
