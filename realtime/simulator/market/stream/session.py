"""One client's connection to a market-data stream: its state and its send queue.

Control messages are sent alone and in order with the data: an acknowledgement always arrives before
the first element that it announces.
"""

import asyncio
from struct import pack
from typing import Protocol

import msgspec
import structlog
from aiohttp import WSMsgType, web

from realtime.simulator.market.elements import (
    Element,
    Fields,
    decode_message,
    encode_control,
    encode_frame,
)
from realtime.simulator.market.stream.channels import Path, Subscriptions
from realtime.simulator.websocket import CLOSE_TIMEOUT_S, Close, WebSocketSession

# Elements of one frame at most.
MAX_FRAME_ELEMENTS = 1_000
# A subscription to 10 000 names is about 100 KB; security limit.
MAX_MESSAGE_BYTES = 1024 * 1024

log = structlog.get_logger()


class Handler(Protocol):
    """Handles the messages of sessions."""

    def handle_message(self, session: "DataSession", message: Fields) -> None:
        """Handle a client's message."""

    def take_cut(self) -> bool:
        """Return whether the next frame is to be cut in the middle."""


class DataSession(WebSocketSession):
    """A connection after its handshake; `label` is None until it is authenticated."""

    def __init__(
        self, request: web.Request, path: Path, handler: Handler, *, msgpack: bool, deflate: bool
    ) -> None:
        super().__init__(request, max_message_bytes=MAX_MESSAGE_BYTES, compress=deflate)
        self.path = path
        self.subscriptions = Subscriptions(path)
        self.trades_seen = 0
        self._handler = handler
        self.is_msgpack = msgpack
        self._buffer: list[Element] = []
        self._deadline: asyncio.TimerHandle | None = None

    def send_control(self, message: Fields) -> None:
        """Queue a control message, alone in its frame, after the data so far."""
        self._flush()
        self._put(encode_control(message, msgpack=self.is_msgpack))

    def send_error(self, code: int, text: str, *, closes: bool = False) -> None:
        """Queue an error, and a close after it."""
        self.send_control({"T": "error", "code": code, "msg": text})
        if closes:
            self.close(1000)

    def send_elements(self, elements: list[Element]) -> None:
        """Add elements to the frame that leaves at the end of this turn of the event loop."""
        if not self._buffer:
            self._loop.call_soon(self._flush)
        self._buffer += elements

    def set_deadline(self, text: str | None, seconds: float) -> None:
        """Close with 404 and `text` in `seconds`; None cancels."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if text is not None:
            self._deadline = self._loop.call_later(seconds, self._expire, text)

    def _expire(self, text: str) -> None:
        self.send_error(404, text, closes=True)

    def _flush(self) -> None:
        elements, self._buffer = self._buffer, []
        for start in range(0, len(elements), MAX_FRAME_ELEMENTS):
            part = elements[start : start + MAX_FRAME_ELEMENTS]
            self._put(encode_frame(part, msgpack=self.is_msgpack))

    def _cancel_timer(self) -> None:
        self.set_deadline(None, 0)

    def _refuse_slow_client(self) -> None:
        """Send 407, close, and abort if the client does not even read that."""
        log.warning("client.too_slow", account=self.label, path=self.path.path)
        slow = {"T": "error", "code": 407, "msg": "slow client"}
        self._queue.clear()
        self._queue.append(encode_control(slow, msgpack=self.is_msgpack))
        self._queue.append(Close(1000))
        self._loop.call_later(CLOSE_TIMEOUT_S, self.abort)

    def _handle_data(self, data: bytes) -> None:
        try:
            message = decode_message(data, msgpack=self.is_msgpack)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and all(isinstance(name, str) for name in message):
            self._handler.handle_message(self, message)
        else:
            self.send_error(400, "invalid syntax")

    async def _write_frame(self, frame: bytes) -> bool:
        opcode = WSMsgType.BINARY if self.is_msgpack else WSMsgType.TEXT
        if self._handler.take_cut():
            self._cut(frame, opcode)
            return False
        await self._socket.send_frame(frame, opcode)
        return True

    def _cut(self, frame: bytes, opcode: WSMsgType) -> None:
        """Send half of a frame, then close the TCP connection."""
        transport = self._request.transport
        if transport is not None:
            header = pack(">BBQ", 0x80 | opcode.value, 127, len(frame))
            transport.write(header + frame[: len(frame) // 2])
            transport.close()
