"""One open event connection.

While it keeps up it is *synced*: the broadcaster writes every event to it at once. If its buffer
fills, it falls behind; its own task then waits until the client has read, and brings it up to date.
"""

import asyncio
import socket
from contextlib import suppress

from aiohttp import web

from realtime.api.events.batch import Chunk, EventFilter

MAX_BUFFER_BYTES = 256 * 1024
"""Unsent bytes before a subscriber counts as behind. For a thousand of them: 256 MB."""

SEND_BUFFER_BYTES = 128 * 1024
"""The kernel's send buffer for a subscriber (the kernel doubles the figure). Without a limit it
grows to 4 MB each, and a slow client receives old events."""

READ_TIMEOUT_S = 30.0
"""A client that has not read everything by then is disconnected."""


class SubscriberStalled(Exception):
    """The client does not read."""


class SubscriberLeft(Exception):
    """The client has disconnected, or the daemon stops."""


class Subscriber:
    """A connection, and the number of the last event written to it."""

    def __init__(
        self,
        event_filter: EventFilter,
        request: web.BaseRequest,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self.filter = event_filter
        self.position = 0
        self.is_synced = False
        self.is_closing = False
        self.token_id: str | None = None
        """The token that permitted the subscription; None: none was needed."""
        self.client: str | None = None
        """Its token, or the group of its address; None: this machine."""
        self.expires_at: float | None = None
        """When that token expires, epoch seconds."""
        self._read_timeout_s = read_timeout_s
        self._protocol = request.protocol
        self._transport = request.transport
        self._is_chunked = request.version >= (1, 1)
        self._woken = asyncio.Event()
        if self._transport is not None:
            # Writing counts as paused while any byte is unsent, so that `wait_for_drain` means all.
            with suppress(NotImplementedError, AttributeError):
                self._transport.set_write_buffer_limits(high=0)
            with suppress(OSError, AttributeError):  # closed already; or no socket, in a test
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    @property
    def is_connected(self) -> bool:
        """Whether the connection is open, as far as we know."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_behind(self) -> bool:
        """Whether bytes are unsent."""
        return self._protocol.writing_paused

    def write(self, data: Chunk) -> None:
        """Write, and set the position. Unsent bytes wait in the transport's buffer."""
        assert self._transport is not None, "only for a connected subscriber"
        self._transport.write(data.framed if self._is_chunked else data.data)
        self.position = data.seq

    def has_room(self) -> bool:
        """Whether more may be written without waiting."""
        assert self._transport is not None, "only for a connected subscriber"
        return self._transport.get_write_buffer_size() < MAX_BUFFER_BYTES

    def fall_behind(self) -> None:
        """Leave the synced subscribers: its own task takes over."""
        self.is_synced = False
        self._woken.set()

    def close(self) -> None:
        """End the response, in its own task."""
        self.is_closing = True
        self._woken.set()

    def disconnect(self) -> None:
        """Abort the connection; nothing more would arrive."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_while_synced(self) -> None:
        """Wait until it is no longer synced. Raises `SubscriberLeft`."""
        await self._woken.wait()
        self._woken.clear()
        self.check()

    async def wait_for_drain(self) -> None:
        """Wait until everything was sent. Raises `SubscriberStalled` or `SubscriberLeft`."""
        self.check()
        try:
            async with asyncio.timeout(self._read_timeout_s):
                await self._protocol._drain_helper()
        except TimeoutError:
            raise SubscriberStalled from None
        except ConnectionError as error:
            raise SubscriberLeft from error
        self.check()

    def check(self) -> None:
        """Raise `SubscriberLeft` if the connection is closed or closing."""
        if self.is_closing or not self.is_connected:
            raise SubscriberLeft
