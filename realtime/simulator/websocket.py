"""What the streams' websockets share: one bounded queue in front of each, and the open ones.

Responses and data go through the same queue, so that their order is kept.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

from aiohttp import WSMsgType, web

# Frames that may wait for one client, about 2.5 MB: more than any burst of one account.
MAX_WAITING = 2_000
# Time for a client to respond to a close frame.
CLOSE_TIMEOUT_S = 2.0
# A half-open connection is noticed within 1.5 × this, and holds its slot for as long.
HEARTBEAT_S = 30.0


class Close(NamedTuple):
    """Queue item: close with this code after the frames before it."""

    code: int


class WebSocketSession(ABC):
    """A websocket after its handshake. `label` is None until it is authorized."""

    def __init__(
        self, request: web.Request, *, max_message_bytes: int, compress: bool = False
    ) -> None:
        self.label: str | None = None
        # Set when either side closes the session; a lost connection is unclean.
        self.is_clean = False
        self._request = request
        self._queue: deque[bytes | Close] = deque()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._socket = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            heartbeat=HEARTBEAT_S,
            compress=compress,
            max_msg_size=max_message_bytes,
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
            self._cancel_timer()
        return self._socket

    def close(self, code: int) -> None:
        """Close with a close frame, after the queued frames."""
        self._put(Close(code))

    def abort(self) -> None:
        """Abort the TCP connection: the client sees 1006."""
        if self._request.transport is not None:
            self._request.transport.abort()

    @abstractmethod
    def _handle_data(self, data: bytes) -> None:
        """Handle a client's message."""

    @abstractmethod
    async def _write_frame(self, frame: bytes) -> bool:
        """Write a frame; return whether more may follow."""

    @abstractmethod
    def _refuse_slow_client(self) -> None:
        """Disconnect a client that does not read: its queue is full."""

    @abstractmethod
    def _cancel_timer(self) -> None:
        """Cancel what was to happen later."""

    def _put(self, item: bytes | Close) -> None:
        if len(self._queue) >= MAX_WAITING:
            self._refuse_slow_client()
        else:
            self._queue.append(item)
        self._wake.set()

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    self._handle_data(message.data)
                case WSMsgType.CLOSE:
                    self.is_clean = True
                    self._queue.clear()
                    self._put(Close(1000))
                    return
                case _:
                    return

    async def _write(self) -> None:
        while True:
            while self._queue:
                item = self._queue.popleft()
                if isinstance(item, Close):
                    self.is_clean = True
                    await self._socket.close(code=item.code)
                    return
                if not await self._write_frame(item):
                    return
            self._wake.clear()
            await self._wake.wait()


S = TypeVar("S", bound=WebSocketSession)


class OpenSessions(Generic[S]):
    """The open sessions of a server, oldest first."""

    def __init__(self) -> None:
        self._sessions: dict[S, None] = {}  # a dict for its order
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[S]:
        return iter(self._sessions)

    async def run(self, session: S) -> web.WebSocketResponse:
        """Run a session, which is open until this returns."""
        self._sessions[session] = None
        self._empty.clear()
        try:
            return await session.run()
        finally:
            del self._sessions[session]
            if not self._sessions:
                self._empty.set()

    async def wait_empty(self) -> None:
        """Wait until all sessions have ended."""
        await self._empty.wait()

    def close_all(self) -> None:
        """Close every session with 1001, going away."""
        for session in self._sessions:
            session.close(1001)

    def abort_all(self) -> None:
        """Abort the sessions that are still open."""
        for session in list(self._sessions):
            session.abort()
