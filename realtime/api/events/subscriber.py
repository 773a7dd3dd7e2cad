"""One open connection that is pushed to.

While it keeps up it is *live*: whatever happens is written to it by the broadcast, at once. If its
buffer fills it falls behind; its own task then waits until it has read, and leads it back.
"""

import asyncio
import socket
from contextlib import suppress

from aiohttp import web

from realtime.api.events.batch import Chunk, EventFilter

MAX_BUFFER = 256 * 1024
"""Bytes that wait for a reader before it counts as behind. A thousand such readers: 256 MB."""

KERNEL_BYTES = 128 * 1024
"""What the system may hold for a reader besides (it doubles the figure for its own needs). Left
alone it takes up to 4 MB each, and a slow reader hears what was true a while ago."""

READ_WITHIN_S = 30.0
"""A reader that has not taken all that waits for it by then does not read: it is cut."""


class SubscriberStalled(Exception):
    """The reader does not read."""


class SubscriberLeft(Exception):
    """The reader has gone, or the daemon is about to."""


class Subscriber:
    """A reader, and up to which position it has been written to."""

    def __init__(
        self, choice: EventFilter, request: web.BaseRequest, *, read_within_s: float = READ_WITHIN_S
    ) -> None:
        self.choice = choice
        self.position = 0
        self.is_synced = False
        self.is_closing = False
        self.holder: str | None = None
        """Whose token it is."""
        self._read_within_s = read_within_s
        self._protocol = request.protocol
        self._transport = request.transport
        self._is_chunked = request.version >= (1, 1)
        self._woken = asyncio.Event()
        if self._transport is not None:
            # Writing counts as paused while any byte waits, so that `drained` means drained.
            with suppress(NotImplementedError, AttributeError):
                self._transport.set_write_buffer_limits(high=0)
            with suppress(OSError, AttributeError):  # closed already; or no socket, in a test
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)

    @property
    def is_connected(self) -> bool:
        """Whether the other end is, as far as we know."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_behind(self) -> bool:
        """Whether anything waits to be read."""
        return self._protocol.writing_paused

    def write(self, data: Chunk) -> None:
        """Write, and note the position. What is not read waits in the transport's buffer."""
        assert self._transport is not None, "only a connected reader is written to"
        self._transport.write(data.framed if self._is_chunked else data.data)
        self.position = data.seq

    def has_room(self) -> bool:
        """Whether more may be written without waiting."""
        assert self._transport is not None, "only a connected reader is asked"
        return self._transport.get_write_buffer_size() < MAX_BUFFER

    def fall_behind(self) -> None:
        """No longer live: its task takes over."""
        self.is_synced = False
        self._woken.set()

    def close(self) -> None:
        """The daemon stops: its task ends the response."""
        self.is_closing = True
        self._woken.set()

    def cut(self) -> None:
        """End the connection without a word; nothing more would arrive."""
        if self._transport is not None:
            self._transport.abort()

    async def lived(self) -> None:
        """Wait for as long as the reader is live. Raises `Left`."""
        await self._woken.wait()
        self._woken.clear()
        self.check()

    async def drained(self) -> None:
        """Wait until everything was read. Raises `Deaf` or `Left`."""
        self.check()
        try:
            async with asyncio.timeout(self._read_within_s):
                await self._protocol._drain_helper()
        except TimeoutError:
            raise SubscriberStalled from None
        except ConnectionError as error:
            raise SubscriberLeft from error
        self.check()

    def check(self) -> None:
        """Raise `Left` if there is nobody to write to."""
        if self.is_closing or not self.is_connected:
            raise SubscriberLeft
