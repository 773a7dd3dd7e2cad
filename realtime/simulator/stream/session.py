"""One client's websocket: authorization and listening. A client that does not read is aborted."""

import asyncio
from typing import NamedTuple, Protocol

import structlog
from aiohttp import WSMsgType, web

from realtime.simulator.faults.base import FaultSpec
from realtime.simulator.faults.registry import Fault
from realtime.simulator.faults.sockets import Deaf
from realtime.simulator.stream import codec
from realtime.simulator.websocket import WebSocketSession

# Clients send a few hundred bytes; security limit.
MAX_MESSAGE = 64 * 1024
# Seconds until an unauthorized socket is closed. No source says whether the broker closes it.
UNAUTHORIZED_CLOSE_S = 5.0

log = structlog.get_logger()


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


class Session(WebSocketSession):
    """A websocket after its handshake. `label` is None until it is authorized."""

    def __init__(self, request: web.Request, handler: SessionHandler, *, msgpack: bool) -> None:
        super().__init__(request, max_message_bytes=MAX_MESSAGE)
        self.is_listening = False
        self.events_sent = 0
        self.deaf_period: DeafPeriod | None = None
        self._handler = handler
        self._msgpack = msgpack
        self._closing: asyncio.TimerHandle | None = None

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
        super().close(code)

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
        super().abort()

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

    def _cancel_timer(self) -> None:
        self.cancel_close()

    def _refuse_slow_client(self) -> None:
        log.warning("client.too_slow", account=self.label, waiting=len(self._queue))
        self.abort()
        self._queue.clear()

    def _handle_data(self, data: bytes) -> None:
        match codec.parse_message(data):
            case codec.Authenticate() as authenticate:
                self._handler.authenticate(self, authenticate)
            case codec.Listen() as listen:
                self._handler.listen(self, listen)
            case codec.InvalidMessage(reason):
                self.send(codec.error(reason))
                self.close(1011)

    async def _write_frame(self, frame: bytes) -> bool:
        opcode = WSMsgType.TEXT if self._handler.is_text(self) else WSMsgType.BINARY
        if self._msgpack:
            frame, opcode = codec.to_msgpack(frame), WSMsgType.BINARY
        await self._socket.send_frame(frame, opcode)
        return True
