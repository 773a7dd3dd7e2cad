"""One client's connection to a market-data stream: its state and its send queue.

Control messages are sent alone and in order with the data: an acknowledgement always arrives before
the first element that it announces.
"""

import asyncio
from collections import deque
from struct import pack
from typing import NamedTuple, Protocol

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

# Frames that may wait for one client; a client that does not read gets 407 and is closed.
MAX_WAITING = 2_000
# Elements of one frame at most.
MAX_FRAME_ELEMENTS = 1_000
CLOSE_TIMEOUT_S = 2.0
HEARTBEAT_S = 30.0
# A subscription to 10 000 names is about 100 KB; security limit.
MAX_MESSAGE_BYTES = 1024 * 1024

log = structlog.get_logger()


class _Close(NamedTuple):
    code: int


class Handler(Protocol):
    """Handles the messages of sessions."""

    def handle_message(self, session: "DataSession", message: Fields) -> None:
        """Handle a client's message."""

    def take_cut(self) -> bool:
        """Return whether the next frame is to be cut in the middle."""


class DataSession:
    """A connection after its handshake; `label` is None until it is authenticated."""

    def __init__(
        self, request: web.Request, path: Path, handler: Handler, *, msgpack: bool, deflate: bool
    ) -> None:
        self.label: str | None = None
        self.path = path
        self.is_clean = False
        self.subscriptions = Subscriptions(path)
        self.trades_seen = 0
        self._request = request
        self._handler = handler
        self.is_msgpack = msgpack
        self._loop = asyncio.get_running_loop()
        self._queue: deque[bytes | _Close] = deque()
        self._buffer: list[Element] = []
        self._wake = asyncio.Event()
        self._deadline: asyncio.TimerHandle | None = None
        self._socket = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=HEARTBEAT_S,
            compress=deflate,
            max_msg_size=MAX_MESSAGE_BYTES,
            decode_text=False,
        )

    async def run(self) -> web.WebSocketResponse:
        """Complete the handshake and serve the client until either side closes."""
        try:
            await self._socket.prepare(self._request)
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write(), name="simulator:data-write")
                await self._read()
                if not self.is_clean:
                    writing.cancel()
        except* ConnectionError:
            pass  # the client has disconnected
        finally:
            self.set_deadline(None, 0)
        return self._socket

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

    def close(self, code: int) -> None:
        """Close with a close frame, after the queued frames."""
        self._put(_Close(code))

    def abort(self) -> None:
        """Abort the TCP connection."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def _expire(self, text: str) -> None:
        self.send_error(404, text, closes=True)

    def _flush(self) -> None:
        elements, self._buffer = self._buffer, []
        for start in range(0, len(elements), MAX_FRAME_ELEMENTS):
            part = elements[start : start + MAX_FRAME_ELEMENTS]
            self._put(encode_frame(part, msgpack=self.is_msgpack))

    def _put(self, item: bytes | _Close) -> None:
        if len(self._queue) >= MAX_WAITING:
            log.warning("client.too_slow", account=self.label, path=self.path.path)
            slow = {"T": "error", "code": 407, "msg": "slow client"}
            self._queue.clear()
            self._queue.append(encode_control(slow, msgpack=self.is_msgpack))
            self._queue.append(_Close(1000))
            self._loop.call_later(CLOSE_TIMEOUT_S, self.abort)
        else:
            self._queue.append(item)
        self._wake.set()

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    self._handle(message.data)
                case WSMsgType.CLOSE:
                    self.is_clean = True
                    self._queue.clear()
                    self._put(_Close(1000))
                    return
                case _:
                    return

    def _handle(self, data: bytes | str) -> None:
        try:
            message = decode_message(data, msgpack=self.is_msgpack)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
            message = None
        if isinstance(message, dict) and all(isinstance(name, str) for name in message):
            self._handler.handle_message(self, message)
        else:
            self.send_error(400, "invalid syntax")

    async def _write(self) -> None:
        opcode = WSMsgType.BINARY if self.is_msgpack else WSMsgType.TEXT
        while True:
            while self._queue:
                item = self._queue.popleft()
                if isinstance(item, _Close):
                    self.is_clean = True
                    await self._socket.close(code=item.code)
                    return
                if self._handler.take_cut():
                    self._cut(item, opcode)
                    return
                await self._socket.send_frame(item, opcode)
            self._wake.clear()
            await self._wake.wait()

    def _cut(self, frame: bytes, opcode: WSMsgType) -> None:
        """Send half of a frame, then close the TCP connection."""
        transport = self._request.transport
        if transport is not None:
            header = pack(">BBQ", 0x80 | opcode.value, 127, len(frame))
            transport.write(header + frame[: len(frame) // 2])
            transport.close()
