"""One client's websocket: authorization, listening, and its send queue.

Responses and events go through one bounded queue, so that their order is kept; a client that does
not read is disconnected.
"""

import asyncio
from collections import deque
from typing import NamedTuple, Protocol

import structlog
from aiohttp import WSMessage, WSMsgType, web

from realtime.simulator.faults.base import FaultSpec
from realtime.simulator.faults.registry import Fault
from realtime.simulator.faults.sockets import Deaf
from realtime.simulator.stream import codec

# Frames that may wait for one client, about 2.5 MB: more than any burst of one account.
MAX_WAITING = 2_000
# Time for a client to respond to a close frame.
CLOSE_TIMEOUT_S = 2.0
# A half-open connection is noticed within 1.5 × this, and holds its slot for as long.
HEARTBEAT_S = 30.0
# Clients send a few hundred bytes; security limit.
MAX_MESSAGE = 64 * 1024
# Seconds until an unauthorized socket is closed. No source says whether the broker closes it.
UNAUTHORIZED_CLOSE_S = 5.0

log = structlog.get_logger()


class Close(NamedTuple):
    """Queue item: close with this code after the frames before it."""

    code: int


class DeafPeriod(NamedTuple):
    """A `deaf` fault of this socket: since when, and after how many events."""

    spec: Deaf
    fault: Fault[FaultSpec]
    since: float
    events_sent: int


class SessionHandler(Protocol):
    """Handles the messages of sessions."""

    def authenticate(self, session: "Session", message: codec.Authenticate) -> None:
        """Respond to an authorization."""

    def listen(self, session: "Session", message: codec.Listen) -> None:
        """Respond to a `listen`."""

    def is_text(self, session: "Session") -> bool:
        """Return whether frames to this client have the text opcode."""


class Session:
    """A websocket after its handshake. `label` is None until it is authorized."""

    def __init__(self, request: web.Request, handler: SessionHandler, *, msgpack: bool) -> None:
        self.label: str | None = None
        self.is_listening = False
        # Set when either side closes the session; a lost connection is unclean.
        self.is_clean = False
        self.events_sent = 0
        self.deaf_period: DeafPeriod | None = None
        self._handler = handler
        self._msgpack = msgpack
        self._request = request
        self._queue: deque[bytes | Close] = deque()
        self._wake = asyncio.Event()
        self._closing: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._socket = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=HEARTBEAT_S,
            compress=False,
            max_msg_size=MAX_MESSAGE,
            decode_text=False,
        )

    async def run(self) -> web.WebSocketResponse:
        """Complete the handshake and serve the client until either side closes."""
        try:
            await self._socket.prepare(self._request)
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write(), name="simulator:write")
                await self._read()
                if not self.is_clean:
                    writing.cancel()
        except* ConnectionError:
            pass  # the client has disconnected
        finally:
            self.cancel_close()
        return self._socket

    def send(self, frame: bytes) -> None:
        """Queue a response."""
        self._put(frame)

    def send_event(self, frame: bytes) -> None:
        """Queue an event, if the client listens and is not deaf."""
        if self.is_listening and not self.is_deaf():
            self.events_sent += 1
            self._put(frame)

    def evict(self) -> None:
        """Close because a newer socket takes the slot."""
        self.close(1000)

    def close(self, code: int) -> None:
        """Close with a close frame, after the queued frames."""
        self.is_listening = False
        self._put(Close(code))

    def close_later(self, code: int, seconds: float) -> None:
        """Close after `seconds`, unless `cancel_close` is called before."""
        if self._closing is None:
            self._closing = self._loop.call_later(seconds, self.close, code)

    def cancel_close(self) -> None:
        """Cancel `close_later`."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None

    def abort(self) -> None:
        """Abort the TCP connection: the client sees 1006."""
        self.is_listening = False
        if self._request.transport is not None:
            self._request.transport.abort()

    def set_deaf(self, spec: Deaf, fault: Fault[FaultSpec]) -> None:
        """Apply a `deaf` fault to the socket."""
        self.deaf_period = DeafPeriod(spec, fault, self._loop.time(), self.events_sent)

    def is_deaf(self) -> bool:
        """Return whether events are currently withheld from this socket."""
        if self.deaf_period is None:
            return False
        spec, fault, since, events_sent = self.deaf_period
        return (
            not fault.is_over
            and self._loop.time() - since >= spec.after_s
            and self.events_sent - events_sent >= spec.after_events
        )

    def _put(self, item: bytes | Close) -> None:
        if len(self._queue) >= MAX_WAITING:
            log.warning("client.too_slow", account=self.label, waiting=len(self._queue))
            self.abort()
            self._queue.clear()
            return
        self._queue.append(item)
        self._wake.set()

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    self._handle_message(message)
                case WSMsgType.CLOSE:
                    self.is_clean = True
                    self._queue.clear()
                    self._put(Close(1000))
                    return
                case _:
                    return

    def _handle_message(self, message: WSMessage) -> None:
        match codec.parse_message(message.data):
            case codec.Authenticate() as authenticate:
                self._handler.authenticate(self, authenticate)
            case codec.Listen() as listen:
                self._handler.listen(self, listen)
            case codec.InvalidMessage(reason):
                self.send(codec.error(reason))
                self.close(1011)

    async def _write(self) -> None:
        while True:
            while self._queue:
                item = self._queue.popleft()
                if isinstance(item, Close):
                    self.is_clean = True
                    await self._socket.close(code=item.code)
                    return
                await self._write_frame(item)
            self._wake.clear()
            await self._wake.wait()

    async def _write_frame(self, frame: bytes) -> None:
        opcode = WSMsgType.TEXT if self._handler.is_text(self) else WSMsgType.BINARY
        if self._msgpack:
            frame, opcode = codec.to_msgpack(frame), WSMsgType.BINARY
        await self._socket.send_frame(frame, opcode)
