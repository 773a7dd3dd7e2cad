"""One client's websocket on a stream of market data: bytes in and out, limits, and its end.

Frames are written to the transport directly: one buffer for all clients of a group. Writing never
waits; what a client does not read waits in bounded queues (`market/stream/client.py`), and its own
task sends it on. aiohttp answers pings and completes the closing handshake.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from aiohttp import WSCloseCode, WSMsgType, web

from realtime.market.stream.alpaca_session import Outcome
from realtime.market.stream.channels import TEXTS
from realtime.market.stream.formats import Codec, encode_message

MAX_MESSAGE_BYTES = 2**20
"""Security limit; a subscription to 10 000 names is about 100 KB."""

SEND_BUFFER_BYTES = 128 * 1024
"""The kernel's send buffer (the kernel doubles the figure); without a limit it grows to 4 MB."""

MAX_UNREAD_REPLY_BYTES = 256 * 1024
"""A client that sends requests and does not read the replies is not read either."""

HEARTBEAT_S = 60.0
"""A dead client is noticed within 1.5 × this."""

CLOSE_TIMEOUT_S = 2.0
"""For the closing handshake; then the connection is aborted."""

READ_REFUSAL_TIMEOUT_S = 10.0
"""How long a client that was refused may take to read what was sent before, and the reason."""

MESSAGES_PER_S = 50.0
MAX_MESSAGE_BURST = 500
"""Messages of one client. alpaca-py sends one for each name that a program adds."""


class Session(Protocol):
    """What handles a client's messages."""

    async def handle(self, data: bytes) -> Outcome:
        """Handle one; return whether the connection stays."""

    def close(self) -> None:
        """The client has left."""


class StreamConnection:
    """A websocket after its handshake; the port of its session."""

    def __init__(self, request: web.Request, codec: Codec) -> None:
        self.codec: Codec = codec
        self.token_id: str | None = None
        self.client: str | None = None
        """Its token, or the group of its address; None: this machine."""
        self._request = request
        self._transport = request.transport
        self._protocol = request.protocol
        self._socket = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=HEARTBEAT_S,
            compress=False,
            max_msg_size=MAX_MESSAGE_BYTES,
            decode_text=False,
        )
        self._has_waiting = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    # -- the port --------------------------------------------------------------------------------

    def write(self, frames: bytes) -> None:
        """Write complete frames; never waits."""
        transport = self._transport
        if transport is not None and not transport.is_closing() and not self._end.done():
            transport.write(frames)

    def unsent_bytes(self) -> int:
        """What waits in the transport."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def wake(self) -> None:
        """Elements wait for this client."""
        self._has_waiting.set()

    def refuse(self, code: int) -> None:
        """Send an error, then close."""
        message: dict[str, object] = {"T": "error", "code": code, "msg": TEXTS[code]}
        if self.codec == "flat":
            message = {"type": "error", "code": code, "message": TEXTS[code]}
        self.write(encode_message(message, self.codec))
        self._finish(WSCloseCode.POLICY_VIOLATION)

    def close(self) -> None:
        """Close: the daemon stops."""
        self._finish(WSCloseCode.GOING_AWAY)

    def end(self) -> None:
        """Close after what was written."""
        self._finish(WSCloseCode.OK)

    def end_in(self, seconds: float | None) -> None:
        """End in some seconds, when the permission ends, and not at an earlier one's end; None:
        never."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self.refuse, 401)

    def _finish(self, code: int) -> None:
        if not self._end.done():
            self._end.set_result(code)

    # -- its life --------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Complete the handshake. Raises ConnectionError."""
        await self._socket.prepare(self._request)
        if self._transport is not None:
            # Writing counts as paused while any byte is unsent, so that a drain means all.
            with suppress(NotImplementedError, AttributeError):
                self._transport.set_write_buffer_limits(high=0)
            with suppress(OSError, AttributeError):  # closed already; or no socket, in a test
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    async def run(
        self,
        session: Session,
        flush: Callable[[], bool],
        *,
        deadline: Callable[[], float | None] = lambda: None,
    ) -> web.WebSocketResponse:
        """Serve the client until either side ends it. `flush` sends what waits; true if nothing is
        left. `deadline`: when it is refused unless it authorizes (loop time)."""
        reading = asyncio.create_task(self._read(session, deadline), name="market:read")
        flushing = asyncio.create_task(self._flush(flush), name="market:flush")
        try:
            await asyncio.wait((reading, flushing, self._end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            session.close()
            if self._timer is not None:
                self._timer.cancel()
            for task in (reading, flushing):
                task.cancel()
            await asyncio.wait((reading, flushing))
            await self._close()
        for task in (reading, flushing):
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, ConnectionError):
                raise error
        return self._socket

    async def _close(self) -> None:
        code = self._end.result() if self._end.done() else WSCloseCode.OK
        if code == WSCloseCode.POLICY_VIOLATION:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(READ_REFUSAL_TIMEOUT_S):
                    await self._protocol._drain_helper()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close(code=code)
        except (TimeoutError, ConnectionError, RuntimeError):
            pass  # it does not read, or is gone
        finally:
            if self._transport is not None and self.unsent_bytes():
                self._transport.abort()

    async def _read(self, session: Session, deadline: Callable[[], float | None]) -> None:
        """Handle the client's messages, in their order."""
        loop = asyncio.get_running_loop()
        full_at = 0.0
        while True:
            try:
                async with asyncio.timeout_at(deadline()):
                    message = await self._socket.receive()
            except TimeoutError:
                self.refuse(404)
                return
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            if await session.handle(message.data) == "close":
                self._finish(WSCloseCode.OK)
                return
            full_at = max(full_at, loop.time()) + 1 / MESSAGES_PER_S
            burst_s = MAX_MESSAGE_BURST / MESSAGES_PER_S
            if full_at > loop.time() + burst_s:
                await asyncio.sleep(full_at - loop.time() - burst_s)
            while self.unsent_bytes() > MAX_UNREAD_REPLY_BYTES:
                await self._protocol._drain_helper()

    async def _flush(self, flush: Callable[[], bool]) -> None:
        """Send what waits whenever the client has read."""
        while True:
            await self._has_waiting.wait()
            self._has_waiting.clear()
            while not flush():
                await self._protocol._drain_helper()
